/**
 * Wakes suspended submitters from one microtask.
 *
 * A callback's `resume` runs the woken fiber at once on the caller's stack; when that fiber wakes the next one, and so
 * on, the stack overflows. Here each is woken from the same shallow stack.
 *
 * Microtasks run before anything else: jobs that answer at once and wake the next ones would keep timers and sockets
 * waiting for as long as there are jobs. So now and then the event loop goes first.
 */
import type * as Effect from "effect/Effect"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"

/** What is suspended: a `Job`. */
interface Signalled {
  signal(turn: Effect.Effect<void, DispatchError>): void
}

/** As many as a fiber does steps before it yields. */
const WAKES_BEFORE_YIELD = 2_048

export class WakeList {
  /** Since the event loop went first. */
  private woken = 0
  private jobs: Array<Signalled> = []
  private turns: Array<Effect.Effect<void, DispatchError>> = []

  /** Soon, in the order of the calls, signals the job. */
  add(job: Signalled, turn: Effect.Effect<void, DispatchError>): void {
    if (this.jobs.length === 0) this.schedule()
    this.jobs.push(job)
    this.turns.push(turn)
  }

  private schedule(): void {
    if (this.woken < WAKES_BEFORE_YIELD) {
      queueMicrotask(this.run)
    } else {
      this.woken = 0
      setImmediate(this.run)
    }
  }

  private readonly run = (): void => {
    const { jobs, turns } = this
    this.jobs = []
    this.turns = []
    this.woken += jobs.length
    for (let index = 0; index < jobs.length; index++) jobs[index]!.signal(turns[index]!)
  }
}
