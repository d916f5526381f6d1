/** Asks seldom what is costly to ask, and always what is cheap. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

export interface Sparing<A, E> {
  readonly get: Effect.Effect<A, E>
  /** The next `get` asks anew. */
  readonly forget: Effect.Effect<void>
}

/**
 * An answer holds `factor` times as long as it took, so that at most one part in `factor` of the time goes into asking, however often
 * and by how many it is wanted. Failures do not hold. Who comes while it is asked waits for that answer.
 */
export const make = <A, E>(ask: Effect.Effect<A, E>, factor: number): Effect.Effect<Sparing<A, E>> =>
  Effect.map(Clock.Clock, (clock) => {
    const one = Semaphore.makeUnsafe(1)
    let known: { readonly answer: A; readonly untilMs: number } | undefined
    const get = Effect.gen(function* () {
      const startedMs = clock.currentTimeMillisUnsafe()
      if (known !== undefined && startedMs < known.untilMs) return known.answer
      const answer = yield* ask
      const nowMs = clock.currentTimeMillisUnsafe()
      known = { answer, untilMs: nowMs + factor * (nowMs - startedMs) }
      return answer
    })
    return {
      get: one.withPermit(get),
      forget: Effect.sync(() => {
        known = undefined
      })
    }
  })
