/** What a failure means for the endpoint that it came from. */
import * as DateTime from "effect/DateTime"
import type { GenAiErrorReason, HintSource, RetryAdvice } from "../GenAiError.ts"

/** Nothing is sent to the endpoint for a while. */
export interface Cooling {
  readonly forMs: number
  readonly hint: HintSource
}

/** Nothing is sent to the endpoint any more. */
export interface Disabling {
  /** The credential is refused, or its quota is used up. */
  readonly cause: "credential" | "quota"
  /** Unix milliseconds; absent: until the client is made anew. */
  readonly untilMs?: number
}

/**
 * What it tells of the endpoint's health:
 *
 * - `fault`: it failed; enough of these in a row open its breaker;
 * - `congestion`: it has too much to do and gives no hint; adaptive concurrency goes down, else a fault;
 * - `neutral`: nothing: the request is at fault, or what is wrong is dealt with otherwise.
 */
export type HealthSign = "fault" | "congestion" | "neutral"

/** All that follows from a failure. */
export interface Verdict {
  /** For the request. */
  readonly retry: RetryAdvice
  /** For the endpoint. */
  readonly sign: HealthSign
  readonly cool?: Cooling
  readonly disable?: Disabling
}

/** The verdict on a failure; `nowMs` is the wall-clock time. */
export const verdictOf = (reason: GenAiErrorReason, nowMs: number): Verdict => {
  const { retry } = reason
  switch (reason._tag) {
    case "RateLimited":
    case "Overloaded":
    case "ServerError": {
      const { retryAfterMs, hint } = reason
      if (retryAfterMs !== undefined && retryAfterMs > 0) {
        return { retry, sign: "neutral", cool: { forMs: retryAfterMs, hint: hint ?? "retry-after" } }
      }
      return { retry, sign: reason._tag === "ServerError" ? "fault" : "congestion" }
    }
    case "TimedOut":
      return { retry, sign: reason.phase === "connect" ? "fault" : "congestion" }
    case "ConnectionFailed":
    case "InvalidAnswer":
      return { retry, sign: "fault" }
    case "Unauthorized":
      return { retry, sign: "neutral", disable: { cause: "credential" } }
    case "QuotaExhausted":
      return {
        retry,
        sign: "neutral",
        disable: reason.period === "day" ? { cause: "quota", untilMs: nextPacificMidnight(nowMs) } : { cause: "quota" }
      }
    case "NotFound":
    case "InvalidRequest":
    case "DeadlineExceeded":
    case "Rejected":
      return { retry, sign: "neutral" }
  }
}

/**
 * Google's daily quotas begin anew at midnight Pacific time.
 *
 * @see https://ai.google.dev/gemini-api/docs/rate-limits
 */
export const nextPacificMidnight = (nowMs: number): number => {
  const today = DateTime.setZoneNamedUnsafe(DateTime.makeUnsafe(nowMs), "America/Los_Angeles")
  return DateTime.toEpochMillis(DateTime.startOf(DateTime.add(today, { days: 1 }), "day"))
}
