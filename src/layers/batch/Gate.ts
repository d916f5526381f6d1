/** Lets one fiber wait until something holds that plain code changes. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/**
 * A place for one waiter.
 *
 * Whoever changes what may be waited for calls `look`, which costs next to nothing. The condition is tested in a microtask
 * of its own, once for all that changed until then: tested on the stack of the fiber that ended, readers and calls would
 * pile up on each other. So a condition may also do what has become possible, and hold when there is no more of it.
 */
export class Gate {
  private readonly latch = Latch.makeUnsafe(false)
  private holds: (() => boolean) | undefined
  private isLooking = false
  private isResting = false

  /** Waits until the condition holds; it is tested at once and then after each `look`, and not any more when interrupted. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (condition()) return Effect.void
      this.latch.closeUnsafe()
      this.holds = condition
      return Effect.onInterrupt(this.latch.await, () =>
        Effect.sync(() => {
          this.holds = undefined
        })
      )
    })
  }

  /** Has the waiter's condition tested, when there is a waiter. */
  look(): void {
    if (this.holds === undefined || this.isLooking) return
    this.isLooking = true
    queueMicrotask(this.test)
  }

  /** For a condition that does a lot: the event loop has its turn, then the waiter's condition is tested, and not before that. */
  rest(): void {
    this.isResting = true
    setImmediate(() => {
      this.isResting = false
      this.look()
    })
  }

  private readonly test = (): void => {
    this.isLooking = false
    if (this.isResting || this.holds?.() !== true) return
    this.holds = undefined
    this.latch.openUnsafe()
  }
}
