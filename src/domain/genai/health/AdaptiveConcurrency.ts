/**
 * Finds the concurrency that an endpoint bears when it gives no hints: additive increase, multiplicative decrease.
 * Pure: time is passed in.
 *
 * Starts low and doubles with each round of answers until the first sign of congestion, as TCP does (RFC 5681); from
 * then on it grows by 1 per round and falls by a factor on congestion: a refusal without a hint, a timeout, or answers
 * that take much longer than usual. All that was sent before a decrease tells of the time before it, so there is at most one
 * decrease per round trip.
 */

const START = 16
const DECREASE = 0.7
/** Answers in a row that take this many times the usual latency are congestion. */
const INFLATION = 2.5
/** Weights of the newest value in the averages: of the latest few answers, and of the usual ones. */
const RECENT = 0.2
const USUAL = 0.005
/** Answers until there is a usual latency. */
const WARM_UP = 50

/** One endpoint's adaptive concurrency: always a whole number from 1 to its limit. */
export class AdaptiveConcurrency {
  private readonly limit: number
  private exact: number
  private isSlowStart = true
  private decreasedAt = Number.NEGATIVE_INFINITY
  private recentMs = 0
  private usualMs = 0
  private answers = 0

  /** `limit`: a whole number, at least 1. */
  constructor(limit: number) {
    this.limit = limit
    this.exact = Math.min(START, limit)
  }

  get concurrency(): number {
    return Math.floor(this.exact)
  }

  /** An answer came, with so many in flight when it did. True when `concurrency` has changed. */
  answered(sentAtMs: number, nowMs: number, inflight: number): boolean {
    const before = this.concurrency
    this.measure(nowMs - sentAtMs)
    if (this.isInflated) {
      this.decrease(sentAtMs, nowMs)
    } else if (2 * inflight >= this.exact) {
      // Only what is used is known to be borne.
      this.exact = Math.min(this.limit, this.exact + (this.isSlowStart ? 1 : 1 / this.exact))
    }
    return this.concurrency !== before
  }

  /** A send was refused for congestion, or timed out. True when `concurrency` has changed. */
  congested(sentAtMs: number, nowMs: number): boolean {
    const before = this.concurrency
    this.decrease(sentAtMs, nowMs)
    return this.concurrency !== before
  }

  private decrease(sentAtMs: number, nowMs: number): void {
    if (sentAtMs < this.decreasedAt) return
    this.exact = Math.max(1, this.exact * DECREASE)
    this.isSlowStart = false
    this.decreasedAt = nowMs
    this.recentMs = this.usualMs
  }

  private measure(latencyMs: number): void {
    this.answers++
    // At first the plain mean, so that the first answer does not weigh for ever.
    this.usualMs += (latencyMs - this.usualMs) * Math.max(USUAL, 1 / this.answers)
    this.recentMs += (latencyMs - this.recentMs) * Math.max(RECENT, 1 / this.answers)
  }

  private get isInflated(): boolean {
    return this.answers > WARM_UP && this.recentMs > INFLATION * this.usualMs
  }
}
