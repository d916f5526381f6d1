/** What one endpoint has done so far: the figures behind progress displays, summaries and metrics. */
import type { Histogram } from "./Histogram.ts"
import type { HealthState } from "./health/EndpointHealth.ts"
import type { Cost } from "./Prices.ts"

/** A snapshot. Counts are of sends (attempts), not of rows or callers. */
export interface EndpointStats {
  readonly name: string
  readonly kind: string
  readonly weight: number
  /** Whether it takes requests now, and if not, why. */
  readonly state: HealthState
  /** In how many milliseconds it takes requests again; absent when it does now, or when nobody knows. */
  readonly opensInMs?: number
  /** Sent and not yet answered. */
  readonly inflight: number
  /** Given to this endpoint and not yet sent. */
  readonly queueLen: number
  /** Attempts that were sent; equals succeeded + failed + aborted + in flight. */
  readonly sent: number
  readonly succeeded: number
  /** Attempts that failed, by the `_tag` of the reason. */
  readonly failures: Readonly<Record<string, number>>
  /** Attempts that were interrupted by the caller. */
  readonly aborted: number
  /** Those of the attempts that were not the first of their request: retries and second sends. */
  readonly retries: number
  /**
   * How long attempts waited in milliseconds, for a place, their turn and the limits: from the call, or from the end of the
   * backoff, to being sent. Second sends of a hedge are not in it.
   */
  readonly wait: Histogram
  /** Latency of the successful attempts in milliseconds: from being sent to the whole answer. */
  readonly latency: Histogram
  /** Tokens read, as reported, those from a cache included. */
  readonly inputTokens: number
  /** Those of the tokens read that came from a cache. */
  readonly cachedInputTokens: number
  /** Tokens written, as reported. */
  readonly outputTokens: number
  /** Answers whose usage was not reported, so that they are missing in the tokens and in the cost. */
  readonly unmetered: number
  /** What the reported tokens cost; `undefined` for an endpoint without prices. */
  readonly cost: Cost | undefined
}
