/** Lets one fiber wait until something holds that plain code changes. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"

/**
 * A place for one waiter.
 *
 * Whoever changes what may be waited for calls `look`, which costs next to nothing when nobody waits. The waiter goes on
 * in a microtask of its own: woken on the stack of the fiber that ended, readers and calls would pile up on each other.
 */
export class Gate {
  private readonly latch = Latch.makeUnsafe(false)
  private holds: (() => boolean) | undefined
  private readonly open = () => void this.latch.openUnsafe()

  /** Waits until the condition holds; it is tested at once and then at each `look`. */
  until(condition: () => boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (condition()) return Effect.void
      this.latch.closeUnsafe()
      this.holds = condition
      // Tested once more: what a waiter before this one waited for may have opened the latch.
      return Effect.andThen(this.latch.await, this.until(condition))
    })
  }

  /** Tests the waiter's condition, when there is a waiter. */
  look(): void {
    if (this.holds?.() !== true) return
    this.holds = undefined
    queueMicrotask(this.open)
  }
}
