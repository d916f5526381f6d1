/**
 * Keeps work away from an endpoint that fails, and lets it come back step by step. Pure: time is passed in.
 *
 * `closed` until `failures` sends in a row have failed within `windowMs`; then `open`: nothing is sent for `openMs`; then
 * `halfOpen`: a single send, the probe, decides; when it is answered, `slowStart`: 1 at a time, then 2, 4, ... as each
 * round is answered, until the full concurrency is reached. What was sent before the last change to `open` says nothing
 * about the endpoint as it is now: it is counted as in flight and otherwise ignored.
 *
 * Failures can be much quicker than answers: of a burst that fails here and there, all failures come before the first
 * answer. So a row of failures counts only when it is no shorter than the number of sends that are older than its newest
 * and still in flight.
 *
 * @see https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker
 */
import type { BreakerConfig } from "../../config/DispatcherConfig.ts"

export type BreakerState = "closed" | "open" | "halfOpen" | "slowStart"

/** The number of a send: given by `sent`, handed back with its end. */
export type Ticket = number

/** One endpoint's breaker. Each `sent` is followed by exactly one `answered`, `failed` or `aborted`. */
export class CircuitBreaker {
  private readonly config: BreakerConfig
  private readonly limit: number
  /** Ring of the times of the last failures in a row. */
  private readonly failedAt: Float64Array
  private failuresInRow = 0
  private newestFailed: Ticket = 0
  private current: BreakerState = "closed"
  private until = 0
  private last: Ticket = 0
  /** The last send before the breaker opened last. */
  private lastBefore: Ticket = 0
  /** In flight, sent since the breaker opened last and before it. */
  private fresh = 0
  private stale = 0
  /** Of the slow start: sends at a time, and how many were answered in this round. */
  private allowed = 1
  private answeredInRound = 0

  /** `limit`: the full concurrency, a whole number, at least 1. */
  constructor(config: BreakerConfig, limit: number) {
    this.config = config
    this.limit = limit
    this.failedAt = new Float64Array(config.failures)
  }

  get state(): BreakerState {
    return this.current
  }

  /** While `open`: when the probe may go, in the caller's milliseconds. */
  get openUntilMs(): number | undefined {
    return this.current === "open" ? this.until : undefined
  }

  /** Sends in flight. */
  get inflight(): number {
    return this.fresh + this.stale
  }

  /** Whether a send may start now. While closed the caller keeps to `concurrency` by itself. */
  get allows(): boolean {
    if (this.current === "closed") return true
    return this.current !== "open" && this.fresh < (this.current === "halfOpen" ? 1 : this.allowed)
  }

  /**
   * How many sends may be in flight at once, from 1 to the limit. Those that were sent before it opened come on
   * top while they last, so that a probe need not wait for calls that hang.
   */
  get concurrency(): number {
    switch (this.current) {
      case "closed":
        return this.limit
      case "slowStart":
        return Math.min(this.limit, this.allowed + this.stale)
      default:
        return Math.min(this.limit, 1 + this.stale)
    }
  }

  /** Counts a send. Only when `allows`. */
  sent(): Ticket {
    this.fresh++
    return ++this.last
  }

  /** The endpoint answered. True when `state` or `concurrency` may have changed. */
  answered(ticket: Ticket): boolean {
    const isFresh = this.end(ticket)
    if (this.current === "closed") {
      if (isFresh) this.failuresInRow = 0
      return false
    }
    if (isFresh) {
      this.failuresInRow = 0
      this.stepUp()
    }
    return true
  }

  /** The endpoint answered with a refusal that is not its fault. It shows that it is there, but not that it works. */
  refused(ticket: Ticket): boolean {
    const isFresh = this.end(ticket)
    if (this.current === "halfOpen" && isFresh) this.stepUp()
    return this.current !== "closed"
  }

  /** The send failed, and the endpoint is to blame. */
  failed(ticket: Ticket, nowMs: number): boolean {
    const isFresh = this.end(ticket)
    if (!isFresh || this.current === "open") return this.current !== "closed"
    const { failures, windowMs, openMs } = this.config
    this.failedAt[this.failuresInRow % failures] = nowMs
    this.failuresInRow++
    this.newestFailed = Math.max(this.newestFailed, ticket)
    const first = this.failedAt[this.failuresInRow % failures]!
    const isRow = this.failuresInRow >= Math.max(failures, this.olderInFlight) && nowMs - first <= windowMs
    if (this.current === "halfOpen" || isRow) {
      this.open(nowMs + openMs)
      return true
    }
    return this.current !== "closed"
  }

  /** The send was given up by its caller: it says nothing. */
  aborted(ticket: Ticket): boolean {
    this.end(ticket)
    return this.current !== "closed"
  }

  /** Lets the probe go once its time has come. True when the state has changed. */
  tick(nowMs: number): boolean {
    if (this.current !== "open" || nowMs < this.until) return false
    this.current = "halfOpen"
    return true
  }

  /** Sends in flight that are older than the newest failure. While failures come in a row, all newer ones are in flight. */
  private get olderInFlight(): number {
    return this.fresh - (this.last - this.newestFailed)
  }

  private open(untilMs: number): void {
    this.current = "open"
    this.until = untilMs
    this.failuresInRow = 0
    this.lastBefore = this.last
    this.stale += this.fresh
    this.fresh = 0
  }

  private stepUp(): void {
    if (this.current === "halfOpen") {
      this.current = "slowStart"
      this.allowed = 2
      this.answeredInRound = 0
    } else if (++this.answeredInRound >= this.allowed) {
      this.allowed *= 2
      this.answeredInRound = 0
    }
    if (this.allowed >= this.limit) this.current = "closed"
  }

  /** True when it was sent since the breaker opened last. */
  private end(ticket: Ticket): boolean {
    if (ticket > this.lastBefore) {
      this.fresh--
      return true
    }
    this.stale--
    return false
  }
}
