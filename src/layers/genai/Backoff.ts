/**
 * How long a request waits before its next attempt: exponential with full jitter.
 *
 * What a provider asks to wait is not its request's business: its endpoint takes no requests for that long, and another
 * one may have the request at once.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { RetryConfig } from "../../domain/config/DispatcherConfig.ts"
import { monotonicMs } from "../dispatch/Throttle.ts"
import type { AttemptFailed } from "./Attempt.ts"

/**
 * Steps on every failure that another attempt may help, while the wait ends before the call's deadline.
 *
 * Full jitter: random between 0 and the exponential value (AWS Architecture Blog, "Exponential Backoff And Jitter").
 * A failure that only concerns one endpoint (a dead key) needs no wait before the next one.
 */
export const backoff = (config: RetryConfig) =>
  Schedule.exponential(config.baseMs, config.factor).pipe(
    Schedule.setInputType<AttemptFailed>(),
    Schedule.modifyDelay(({ duration, input }) => {
      if (input.reason.retry === "elsewhere") return Effect.succeed(Duration.zero)
      const capMs = Math.min(Duration.toMillis(duration), config.capMs)
      return Effect.map(Random.next, (share) => Duration.millis(share * capMs))
    }),
    Schedule.while(({ duration, input }) => {
      if (!input.isRetryable) return false
      return Effect.map(Clock.Clock, (clock) => monotonicMs(clock) + Duration.toMillis(duration) < input.call.expiresAt)
    })
  )
