/** The deadlines of all calls of a client, kept by one fiber. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import { Chain, type Chained } from "../../domain/Chain.ts"
import { monotonicMs } from "../dispatch/Throttle.ts"

/** The longest sleep: a client that is idle keeps the process alive no longer than this. */
const LONGEST_SLEEP_MS = 10_000

/** One deadline of one call; it is waited for between `start` and `stop`, or until it has passed. */
export interface CallDeadline extends Chained<CallDeadline> {
  /** In milliseconds of the monotonic clock (`monotonicMs`). */
  readonly expiresAt: number
  onPassed(): void
  /** Where it is waited for: for `CallDeadlines` to set; at first as in `unstarted`, as its neighbours in the line. */
  place: number
}

const NOT_WAITED_FOR = -1
const IN_LINE = -2

/** What a deadline is before it is started. */
export const unstarted: Pick<CallDeadline, "place" | "previous" | "next"> = {
  place: NOT_WAITED_FOR,
  previous: undefined,
  next: undefined
}

/**
 * Instead of `Effect.timeout`, which makes two fibers and a timer for each call and so cost as much as all the rest of a
 * call. A deadline is never noticed early, nor at once because somebody sets the wall clock: its time is the monotonic clock's.
 *
 * Calls mostly have the same time to go, so that a new deadline is the last one: those stand in a line, which costs the same
 * however many there are. One that is sooner than the last of the line goes into a binary heap, the soonest on top.
 */
export class CallDeadlines {
  private readonly clock: Clock.Clock
  private readonly line = new Chain<CallDeadline>()
  private readonly heap: Array<CallDeadline> = []
  /** When the fiber will look again; infinite while it waits for `sooner`. */
  private wakesAtMs = Number.POSITIVE_INFINITY
  private readonly sooner = Latch.makeUnsafe()

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  /** Waits for the deadlines that are started, for ever. */
  get watch(): Effect.Effect<never> {
    const step = Effect.suspend(() => {
      this.pass()
      this.sooner.closeUnsafe()
      const next = this.soonest
      if (next === undefined) {
        this.wakesAtMs = Number.POSITIVE_INFINITY
        return this.sooner.await
      }
      const now = monotonicMs(this.clock)
      const sleepMs = Math.min(Math.max(1, Math.ceil(next.expiresAt - now)), LONGEST_SLEEP_MS)
      this.wakesAtMs = now + sleepMs
      return Effect.raceFirst(this.clock.sleep(Duration.millis(sleepMs)), this.sooner.await)
    })
    return Effect.forever(step)
  }

  /**
   * Runs a call in a fiber of its own, which is interrupted at the deadline or with the caller, and ends with what `settle`
   * makes of its exit. `settle` is called exactly once, when nothing of the call is under way any more.
   */
  within<A, E, A2, E2, R>(
    call: Effect.Effect<A, E, R>,
    expiresAt: number,
    settle: (exit: Exit.Exit<A, E>, isLate: boolean) => Exit.Exit<A2, E2>
  ): Effect.Effect<A2, E2, R> {
    return Effect.contextWith((context) =>
      // With one parameter `callback` makes no AbortController.
      Effect.callback<A2, E2>((resume) => {
        const fiber = Effect.runForkWith(context)(call)
        const done = fiber.pollUnsafe()
        if (done !== undefined) {
          resume(settle(done, false))
          return
        }
        let isLate = false
        const deadline: CallDeadline = {
          ...unstarted,
          expiresAt,
          onPassed: () => {
            isLate = true
            fiber.interruptUnsafe()
          }
        }
        fiber.addObserver((exit) => {
          this.stop(deadline)
          resume(settle(exit, isLate))
        })
        this.start(deadline)
        return Fiber.interrupt(fiber)
      })
    )
  }

  start(deadline: CallDeadline): void {
    if (deadline.expiresAt === Number.POSITIVE_INFINITY) return
    const { last } = this.line
    if (last !== undefined && deadline.expiresAt < last.expiresAt) this.rise(deadline, this.heap.length)
    else {
      deadline.place = IN_LINE
      this.line.append(deadline)
    }
    if (deadline.expiresAt < this.wakesAtMs) this.sooner.openUnsafe()
  }

  /** Nothing when it is not waited for. */
  stop(deadline: CallDeadline): void {
    const { place } = deadline
    if (place === NOT_WAITED_FOR) return
    deadline.place = NOT_WAITED_FOR
    if (place === IN_LINE) {
      this.line.remove(deadline)
      return
    }
    const last = this.heap.pop()!
    if (last === deadline) return
    const parent = this.heap[(place - 1) >> 1]
    if (place > 0 && parent!.expiresAt > last.expiresAt) this.rise(last, place)
    else this.sink(last, place)
  }

  private pass(): void {
    const now = monotonicMs(this.clock)
    for (let next = this.soonest; next !== undefined && next.expiresAt <= now; next = this.soonest) {
      this.stop(next)
      next.onPassed()
    }
  }

  private get soonest(): CallDeadline | undefined {
    const { first } = this.line
    const top = this.heap[0]
    if (first === undefined || top === undefined) return first ?? top
    return top.expiresAt < first.expiresAt ? top : first
  }

  private rise(deadline: CallDeadline, from: number): void {
    const { heap } = this
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = heap[above]!
      if (parent.expiresAt <= deadline.expiresAt) break
      heap[place] = parent
      parent.place = place
      place = above
    }
    heap[place] = deadline
    deadline.place = place
  }

  private sink(deadline: CallDeadline, from: number): void {
    const { heap } = this
    let place = from
    for (;;) {
      let below = 2 * place + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && heap[below + 1]!.expiresAt < heap[below]!.expiresAt) below++
      const child = heap[below]!
      if (child.expiresAt >= deadline.expiresAt) break
      heap[place] = child
      child.place = place
      place = below
    }
    heap[place] = deadline
    deadline.place = place
  }
}
