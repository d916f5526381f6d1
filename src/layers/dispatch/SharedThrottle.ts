/**
 * Limits that several lanes share: those that have a job which nothing else holds up stand in line, and one fiber gives
 * them turns, one after the other.
 *
 * All turns that are due are given in one step. Where each lane's own fiber waited for the others, and took one turn when it
 * was woken, two lanes got no more than some 3,000 turns a second out of 5,000.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { RateLimits } from "../../services/Dispatcher.ts"
import { monotonicMs, pause, Throttle } from "./Throttle.ts"

/** What stands in line. */
export interface InLine {
  /** Gives the next job its turn; false when there is none that only the shared limits held up. */
  readonly grantNext: (now: number) => boolean
  /** It stands in line no more. */
  readonly onLeft: () => void
}

export class SharedThrottle extends Throttle {
  private readonly clock: Clock.Clock
  private readonly line: Array<InLine> = []
  private readonly wanted = Latch.makeUnsafe()

  constructor(limits: RateLimits | undefined, clock: Clock.Clock, usedAt?: number) {
    super(limits, usedAt)
    this.clock = clock
  }

  /** Whether some lane was here before. */
  get hasLine(): boolean {
    return this.line.length > 0
  }

  /** Stands in line until `grantNext` is false. */
  join(lane: InLine): void {
    this.line.push(lane)
    this.wanted.openUnsafe()
  }

  /** Gives turns to those in line, for ever. */
  get keep(): Effect.Effect<never> {
    const next = Effect.andThen(
      this.wanted.await,
      Effect.suspend(() => {
        const delay = this.serve()
        return delay > 0 ? pause(delay) : Effect.void
      })
    )
    return Effect.forever(next, { disableYield: true })
  }

  /** Gives all turns that are due; milliseconds until the next one, 0 when nobody is left. */
  private serve(): number {
    for (;;) {
      const lane = this.line[0]
      if (lane === undefined) {
        this.wanted.closeUnsafe()
        return 0
      }
      const now = monotonicMs(this.clock)
      const delay = this.delay(now)
      if (delay > 0) return delay
      const hasMore = lane.grantNext(now)
      // One alone stays where it is: to take it out and put it back makes a new list.
      if (hasMore && this.line.length === 1) continue
      this.line.shift()
      if (hasMore) this.line.push(lane)
      else lane.onLeft()
    }
  }
}
