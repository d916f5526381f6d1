/** One submit on its way: where it stands, and how to wake it. */
import * as Effect from "effect/Effect"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { Tier } from "../../domain/dispatch/Selection.ts"
import type { Reservations } from "./Throttle.ts"

/**
 * `waiting` for room in a queue -> `queued` in a lane -> `granted` its turn -> `ended`. Each step is taken in one place,
 * and only a lane that closes takes one back (`queued` -> `waiting`): this is what keeps the counters right whatever
 * happens.
 */
export type JobState = "waiting" | "queued" | "granted" | "ended"

/** A slot that is taken, and what it took of the limits. */
export interface Turn {
  /** Index of the lane. */
  readonly lane: number
  /** Of the monotonic clock, in milliseconds; 0 when nobody wants to know. */
  readonly startedAt: number
  readonly reservations: Reservations | undefined
}

export class Job<Request> {
  readonly request: Request
  state: JobState = "waiting"
  /** Index of the lane that has it; -1 while waiting for any. */
  lane = -1
  /** Set when its turn has come. */
  turn: Turn | undefined = undefined
  /** Order of arrival. */
  readonly order: number
  /** Which lanes it may go to, from its own point of view. */
  readonly tier: (index: number) => Tier
  /** The lane that it is bound to by its session; `undefined` when any will do. */
  readonly pinned: number | undefined
  /** The submitter's fiber, once it is suspended. */
  private resume: ((turn: Effect.Effect<void, DispatchError>) => void) | undefined = undefined
  /** What was signalled before the fiber was suspended. */
  private early: Effect.Effect<void, DispatchError> | undefined = undefined

  constructor(request: Request, order: number, tier: (index: number) => Tier, pinned: number | undefined) {
    this.request = request
    this.order = order
    this.tier = tier
    this.pinned = pinned
  }

  /** Suspends the submitter until `signal`. */
  get signalled(): Effect.Effect<void, DispatchError> {
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
