/**
 * All that is known of one endpoint's health, and what follows from it: may it be sent to, and how much at once. Pure:
 * time is passed in, in milliseconds of one clock; whoever drives it does what it says.
 */
import type { BreakerConfig } from "../../config/DispatcherConfig.ts"
import type { HintSource } from "../GenAiError.ts"
import { AdaptiveConcurrency } from "./AdaptiveConcurrency.ts"
import { AutoConcurrency } from "./AutoConcurrency.ts"
import { CircuitBreaker, type Ticket } from "./CircuitBreaker.ts"
import type { Disabling, Verdict } from "./Verdict.ts"

/**
 * - `up`: takes work;
 * - `recovering`: takes a probe, then more and more;
 * - `cooling`: takes none until a time that the provider gave;
 * - `open`: takes none for a while, because it failed too often in a row;
 * - `disabled`: takes none: its credential is refused or its quota used up.
 */
export type HealthState = "up" | "recovering" | "cooling" | "open" | "disabled"

export interface HealthOptions {
  readonly breaker: BreakerConfig
  /** The full concurrency; a whole number, at least 1. */
  readonly concurrency: number
  readonly adaptiveConcurrency: boolean
  /** Whether to start low and find what does best; then `concurrency` is only a bound. */
  readonly autoConcurrency: boolean
}

/** One endpoint's health. Each `sent` is followed by exactly one `answered`, `failed` or `aborted`. */
export class EndpointHealth {
  private readonly breaker: CircuitBreaker
  private readonly adaptive: AdaptiveConcurrency | AutoConcurrency | undefined
  private coolingUntil = 0
  private coolingHint: HintSource | undefined = undefined
  private disabling: Disabling | undefined = undefined

  constructor(options: HealthOptions) {
    this.breaker = new CircuitBreaker(options.breaker, options.concurrency)
    if (options.autoConcurrency) this.adaptive = new AutoConcurrency(options.concurrency)
    else if (options.adaptiveConcurrency) this.adaptive = new AdaptiveConcurrency(options.concurrency)
  }

  state(nowMs: number): HealthState {
    if (this.isDisabled(nowMs)) return "disabled"
    if (this.breaker.state === "open") return "open"
    if (nowMs < this.coolingUntil) return "cooling"
    return this.breaker.state === "closed" ? "up" : "recovering"
  }

  /** Whether a send may start now. When it may not, work should go elsewhere, not queue here. */
  allows(nowMs: number): boolean {
    return nowMs >= this.coolingUntil && this.disabling === undefined && this.breaker.allows
  }

  /** Most sends in flight at once. */
  get concurrency(): number {
    return Math.min(this.breaker.concurrency, this.adaptive?.concurrency ?? Number.POSITIVE_INFINITY)
  }

  /** When it may be sent to again; 0 when it may now, infinite when nobody knows. */
  availableAtMs(nowMs: number): number {
    if (this.isDisabled(nowMs)) return this.disabling?.untilMs ?? Number.POSITIVE_INFINITY
    const at = Math.max(this.coolingUntil, this.breaker.openUntilMs ?? 0)
    return at > nowMs ? at : 0
  }

  /** The hint that the cooling goes by. */
  get hint(): HintSource | undefined {
    return this.coolingHint
  }

  /** Why it is disabled; `undefined` when it is not. */
  get disabled(): Disabling | undefined {
    return this.disabling
  }

  /** Whether every send may change what is allowed; when not, only `failed` may. */
  get isRecovering(): boolean {
    return this.breaker.state !== "closed"
  }

  /** Counts a send. Only when `allows`. */
  sent(): Ticket {
    return this.breaker.sent()
  }

  /** An answer came. True when `concurrency` or the state may have changed: nearly never. */
  answered(ticket: Ticket, sentAtMs: number, nowMs: number): boolean {
    const { inflight } = this.breaker
    const isChanged = this.breaker.answered(ticket)
    return this.adaptive?.answered(sentAtMs, nowMs, inflight) === true || isChanged
  }

  /** The send failed. True when something may have changed. */
  failed(ticket: Ticket, verdict: Verdict, sentAtMs: number, nowMs: number): boolean {
    const isCoolingNew = verdict.cool !== undefined && this.cool(nowMs + verdict.cool.forMs, verdict.cool.hint)
    const isDisabledNew = verdict.disable !== undefined && this.disable(verdict.disable)
    return this.note(ticket, verdict, sentAtMs, nowMs) || isCoolingNew || isDisabledNew
  }

  /** The send was given up by its caller. True when something may have changed. */
  aborted(ticket: Ticket): boolean {
    return this.breaker.aborted(ticket)
  }

  /** Sends nothing until then; never shortens a cooling. True when it is longer than before. */
  cool(untilMs: number, hint: HintSource): boolean {
    if (untilMs <= this.coolingUntil) return false
    this.coolingUntil = untilMs
    this.coolingHint = hint
    return true
  }

  /** Lets through what the time has made possible. True when something may have changed. */
  tick(nowMs: number): boolean {
    const isBack = this.disabling !== undefined && !this.isDisabled(nowMs)
    if (isBack) this.disabling = undefined
    return this.breaker.tick(nowMs) || isBack
  }

  private disable(disabling: Disabling): boolean {
    if (this.disabling !== undefined && until(this.disabling) >= until(disabling)) return false
    this.disabling = disabling
    return true
  }

  private isDisabled(nowMs: number): boolean {
    return this.disabling !== undefined && nowMs < until(this.disabling)
  }

  private note(ticket: Ticket, { sign }: Verdict, sentAtMs: number, nowMs: number): boolean {
    if (sign === "neutral") return this.breaker.refused(ticket)
    const { adaptive } = this
    if (sign === "fault" || adaptive === undefined) return this.breaker.failed(ticket, nowMs)
    // As long as it can go down, fewer at a time is the answer; after that it is not congested but broken.
    const isLowest = adaptive.concurrency === 1
    const isChanged = adaptive.congested(sentAtMs, nowMs)
    return (isLowest ? this.breaker.failed(ticket, nowMs) : this.breaker.refused(ticket)) || isChanged
  }
}

const until = (disabling: Disabling): number => disabling.untilMs ?? Number.POSITIVE_INFINITY
