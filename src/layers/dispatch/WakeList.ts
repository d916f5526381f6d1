/**
 * Wakes waiting submitters, all those of one turn of the event loop together.
 *
 * A callback's `resume` runs the woken fiber at once on the caller's stack; when that fiber wakes the next one, and so
 * on, the stack overflows. Here each is woken from the same shallow stack.
 *
 * `afterInput` is for turns that a job that ended makes room for. Not from a microtask: those run before anything else, so
 * that jobs that answer at once would keep timers and sockets waiting for as long as jobs are queued; and the next jobs would
 * start between two answers that came together, when the endpoint's health has seen but one of them. After the input of a
 * turn of the event loop costs the same.
 *
 * `atOnce` is for turns that a limit had held up: they come from a timer and are no more than the limit allows. What waits
 * longer is written later, at a time that is no longer evenly spaced.
 */
import type * as Exit from "effect/Exit"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"

/** What waits: a `Job`. */
interface Signalled {
  signal(turn: Exit.Exit<void, DispatchError>): void
}

export class WakeList {
  static readonly afterInput = (): WakeList => new WakeList(setImmediate)
  static readonly atOnce = (): WakeList => new WakeList(queueMicrotask)

  private readonly schedule: (run: () => void) => void
  private jobs: Array<Signalled> = []
  private turns: Array<Exit.Exit<void, DispatchError>> = []

  private constructor(schedule: (run: () => void) => void) {
    this.schedule = schedule
  }

  /** In the order of the calls, signals the job. */
  add(job: Signalled, turn: Exit.Exit<void, DispatchError>): void {
    if (this.jobs.length === 0) this.schedule(this.run)
    this.jobs.push(job)
    this.turns.push(turn)
  }

  private readonly run = (): void => {
    const { jobs, turns } = this
    this.jobs = []
    this.turns = []
    for (let index = 0; index < jobs.length; index++) jobs[index]!.signal(turns[index]!)
  }
}
