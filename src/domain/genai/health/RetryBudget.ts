/**
 * Keeps retries from becoming a storm: a bucket that first sends fill and retries empty. Pure: time is passed in.
 *
 * Each first send adds `ratio` tokens and each second `minPerSecond`; a retry takes one. The bucket holds what one
 * outage may cost at once, `burst`, and starts full; so over any time retries are at most
 * `burst + ratio * first sends + minPerSecond * seconds`.
 *
 * @see https://finagle.github.io/blog/2016/02/08/retry-budgets/
 */
import type { RetryBudgetConfig } from "../../config/DispatcherConfig.ts"

export class RetryBudget {
  private readonly config: RetryBudgetConfig
  private readonly burst: number
  private tokens: number
  private filledAt: number

  /** `burst`: at least 1. */
  constructor(config: RetryBudgetConfig, burst: number, nowMs: number) {
    this.config = config
    this.burst = burst
    this.tokens = burst
    this.filledAt = nowMs
  }

  /** Counts a request that is sent for the first time. */
  onRequest(): void {
    this.tokens = Math.min(this.burst, this.tokens + this.config.ratio)
  }

  /** Takes a token for a retry. False when there is none. */
  tryTake(nowMs: number): boolean {
    this.fill(nowMs)
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }

  /** How long until there is a token if no new requests come, in milliseconds; infinite without a floor. */
  delayMs(nowMs: number): number {
    this.fill(nowMs)
    const missing = 1 - this.tokens
    return missing <= 0 ? 0 : (missing / this.config.minPerSecond) * 1000
  }

  private fill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.filledAt) / 1000
    this.tokens = Math.min(this.burst, this.tokens + seconds * this.config.minPerSecond)
    this.filledAt = nowMs
  }
}
