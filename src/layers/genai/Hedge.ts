/**
 * A second send for requests that take unusually long: to another endpoint; the first answer wins and the other send is
 * aborted.
 *
 * @see https://research.google/pubs/the-tail-at-scale/
 */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { HedgeConfig } from "../../domain/config/DispatcherConfig.ts"
import type { Histogram } from "../../domain/genai/Histogram.ts"
import type { SubmitOptions } from "../../services/Dispatcher.ts"
import type { Call } from "./Attempt.ts"
import type { HealthFleet } from "./HealthFleet.ts"

/** Answers of an endpoint until its quantile is believed. */
const LEAST_ANSWERS = 20

export interface HedgeOptions {
  readonly config: HedgeConfig
  readonly maxAttempts: number
  readonly fleet: HealthFleet
  /** The latencies of an endpoint's answers, in milliseconds. */
  readonly latencyOf: (endpoint: string) => Histogram
}

export class Hedge {
  private readonly options: HedgeOptions
  private readonly delays = new Map<string, { readonly answers: number; readonly delayMs: number }>()
  private attempts = 0
  private seconds = 0

  constructor(options: HedgeOptions) {
    this.options = options
  }

  /**
   * Runs an attempt, and once its send has taken longer than usual a second one beside it. Gives the first success; fails
   * when all that was sent has failed.
   */
  run<A, E>(
    call: Call,
    place: SubmitOptions,
    attempt: (place: SubmitOptions) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.attempts++
      const sentTo = Deferred.makeUnsafe<string>()
      call.onSent = (endpoint) => {
        call.onSent = undefined
        Deferred.doneUnsafe(sentTo, Effect.succeed(endpoint))
      }
      let running = 1
      // Whoever fails while the other runs leaves the rest to it.
      const leave = (error: E) => (--running > 0 ? Effect.never : Effect.fail(error))
      const second = Effect.flatMap(Deferred.await(sentTo), (first) =>
        Effect.andThen(
          this.whenSlow(first),
          Effect.suspend(() => {
            const exclude = new Set([...(place.exclude ?? []), first])
            if (!this.mayStart(call, exclude)) return Effect.never
            this.seconds++
            let isSent = false
            call.onSent = () => {
              call.onSent = undefined
              isSent = true
              running++
            }
            // As long as it waits for its turn, nothing can be left to it, nor is it missed.
            return Effect.catch(attempt({ ...place, exclude }), (error) => (isSent ? leave(error) : Effect.never))
          })
        )
      )
      return Effect.raceFirst(Effect.catch(attempt(place), leave), second)
    })
  }

  private whenSlow(endpoint: string): Effect.Effect<void> {
    const delayMs = this.delayMs(endpoint)
    return delayMs === undefined ? Effect.never : Effect.sleep(Duration.millis(delayMs))
  }

  /** Looked up anew only when there are notably more answers: a quantile takes a walk over the histogram. */
  private delayMs(endpoint: string): number | undefined {
    const latency = this.options.latencyOf(endpoint)
    if (latency.count < LEAST_ANSWERS) return undefined
    const known = this.delays.get(endpoint)
    if (known !== undefined && latency.count < 1.1 * known.answers) return known.delayMs
    const delayMs = latency.quantile(this.options.config.afterQuantile)!
    this.delays.set(endpoint, { answers: latency.count, delayMs })
    return delayMs
  }

  private mayStart(call: Call, exclude: ReadonlySet<string>): boolean {
    const { config, fleet, maxAttempts } = this.options
    return (
      call.attempts < maxAttempts &&
      this.seconds + 1 <= config.maxExtra * this.attempts &&
      fleet.isAvailableBefore(1, exclude)
    )
  }
}
