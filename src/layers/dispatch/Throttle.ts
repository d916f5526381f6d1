/** Rate limits over `Pacer`s: when the next job may start. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { Pacer } from "../../domain/dispatch/Pacer.ts"
import type { RateLimits } from "../../services/Dispatcher.ts"

/** The limits of one worker or of the pool. `undefined` when there are none. */
export const makeThrottle = (limits: RateLimits | undefined, clock: Clock.Clock): Throttle | undefined => {
  const pacers: Array<Pacer> = []
  if (limits?.requestsPerSecond !== undefined) pacers.push(new Pacer(limits.requestsPerSecond, 1_000))
  if (limits?.requestsPerMinute !== undefined) pacers.push(new Pacer(limits.requestsPerMinute, 60_000))
  return pacers.length === 0 ? undefined : new Throttle(pacers, clock)
}

/** All the pacers that a start counts against. They are taken together or not at all. */
export class Throttle {
  private readonly pacers: ReadonlyArray<Pacer>
  private readonly clock: Clock.Clock
  /** First come, first served among those that wait; at most one waiter per worker. */
  private readonly turn = Semaphore.makeUnsafe(1)
  private waiting = 0

  constructor(pacers: ReadonlyArray<Pacer>, clock: Clock.Clock) {
    this.pacers = pacers
    this.clock = clock
  }

  /** Milliseconds of the monotonic clock. */
  now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Milliseconds until a start is allowed; 0 when it is, and nobody is waiting for it already. */
  delay(now: number): number {
    let delay = 0
    for (const pacer of this.pacers) delay = Math.max(delay, pacer.delay(now))
    return delay
  }

  isFree(now: number): boolean {
    return this.waiting === 0 && this.delay(now) === 0
  }

  take(now: number): void {
    for (const pacer of this.pacers) pacer.take(now)
  }

  refund(): void {
    for (const pacer of this.pacers) pacer.refund()
  }

  /** Waits for its turn and until a start is allowed, then runs `onAllowed` in the same step. */
  whenAllowed(onAllowed: (now: number) => void): Effect.Effect<void> {
    const attempt: Effect.Effect<void> = Effect.suspend(() => {
      const now = this.now()
      const delay = this.delay(now)
      if (delay > 0) return Effect.flatMap(Effect.sleep(Duration.millis(delay)), () => attempt)
      onAllowed(now)
      return Effect.void
    })
    return Effect.suspend(() => {
      this.waiting++
      return Effect.onExit(this.turn.withPermit(attempt), () =>
        Effect.sync(() => {
          this.waiting--
        })
      )
    })
  }
}
