/** One submit on its way: where it stands, and how to wake it. */
import * as Effect from "effect/Effect"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { Tier } from "../../domain/dispatch/Selection.ts"

/**
 * `waiting` for room in a queue -> `queued` in a lane -> `granted` its turn -> `ended`. Only forward, and each
 * step is taken in one place: this is what keeps the counters right whatever happens.
 */
export type JobState = "waiting" | "queued" | "granted" | "ended"

export class Job {
  state: JobState = "waiting"
  /** Index of the lane that has it; -1 while waiting for any. */
  lane = -1
  /** Order of arrival among the waiting. */
  readonly order: number
  /** Which lanes it may go to, from its own point of view. */
  readonly tier: (index: number) => Tier
  /** The submitter's fiber, once it is suspended. */
  private resume: ((turn: Effect.Effect<void, DispatchError>) => void) | undefined = undefined
  /** The turn that came before the fiber was suspended. */
  private early: Effect.Effect<void, DispatchError> | undefined = undefined

  constructor(order: number, tier: (index: number) => Tier) {
    this.order = order
    this.tier = tier
  }

  /** Suspends the submitter until `signal`. */
  get turn(): Effect.Effect<void, DispatchError> {
    return Effect.callback((resume) => {
      if (this.early === undefined) this.resume = resume
      else resume(this.early)
    })
  }

  /** Ends the suspension: success when the turn has come. At most once. */
  signal(turn: Effect.Effect<void, DispatchError>): void {
    if (this.resume === undefined) this.early = turn
    else this.resume(turn)
  }
}
