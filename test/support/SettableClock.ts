/** The test clock with a wall clock that can be set, as NTP or an operator does it. */
import { Clock, Effect } from "effect"

/** Moves the wall clock by so many milliseconds; timers and the monotonic clock go on as ever. */
export type SetClock = (byMs: number) => void

/** Gives the test such a clock; `TestClock.adjust` works with it, too. */
export const withSettableClock = <A, E, R>(use: (set: SetClock) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    let shiftMs = 0
    const wallMs = () => clock.currentTimeMillisUnsafe() + shiftMs
    const wallNanos = () => clock.currentTimeNanosUnsafe() + BigInt(shiftMs) * 1_000_000n
    const settable: Clock.Clock = {
      ...clock,
      currentTimeMillisUnsafe: wallMs,
      currentTimeMillis: Effect.sync(wallMs),
      currentTimeNanosUnsafe: wallNanos,
      currentTimeNanos: Effect.sync(wallNanos)
    }
    const set: SetClock = (byMs) => {
      shiftMs += byMs
    }
    return Effect.provideService(use(set), Clock.Clock, settable)
  })
