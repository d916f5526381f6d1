/** How long a request waits before its next attempt: exponential with full jitter, and at least what was asked for. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { RetryConfig } from "../../domain/config/DispatcherConfig.ts"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { AttemptFailed } from "./Attempt.ts"

/**
 * Steps on every failure that another attempt may help, while the wait ends before the call's deadline.
 *
 * Full jitter: random between 0 and the exponential value (AWS Architecture Blog, "Exponential Backoff And Jitter").
 * A failure that only concerns one endpoint (a dead key) needs no wait before the next one.
 */
export const backoff = (config: RetryConfig) =>
  Schedule.exponential(config.baseMs, config.factor).pipe(
    Schedule.setInputType<AttemptFailed | DispatchError>(),
    Schedule.modifyDelay(({ duration, input }) => {
      if (input._tag === "DispatchError" || input.reason.retry === "elsewhere") return Effect.succeed(Duration.zero)
      const capMs = Math.min(Duration.toMillis(duration), config.capMs)
      const hintMs = "retryAfterMs" in input.reason ? (input.reason.retryAfterMs ?? 0) : 0
      return Effect.map(Random.next, (share) => Duration.millis(Math.max(share * capMs, hintMs)))
    }),
    Schedule.while(({ duration, input }) => {
      if (input._tag === "DispatchError" || !input.isRetryable) return false
      const { deadlineMs, startedAt } = input.call
      return Effect.map(Clock.currentTimeMillis, (now) => now + Duration.toMillis(duration) < startedAt + deadlineMs)
    })
  )
