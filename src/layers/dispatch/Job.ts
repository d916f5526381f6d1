/** One submit on its way: where it stands, what it has taken, and how to wake it. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { Tier } from "../../domain/dispatch/Selection.ts"
import type { Turn } from "../../services/Dispatcher.ts"
import type { Remaining } from "./Exclusions.ts"
import type { Reservations } from "./Throttle.ts"
import type { WaitingLine } from "./WaitingLines.ts"

/**
 * `new` -> `waiting` for room in a queue -> `queued` in a lane -> `granted` its turn -> `running` -> `ended`, of which all
 * but the first and the last may be left out. Each step is taken in one place, and only a lane that closes takes one back
 * (`queued` -> `waiting`): this is what keeps the counters right whatever happens.
 */
export type JobState = "new" | "waiting" | "queued" | "granted" | "running" | "ended"

/** Rate limits that count a job which has its turn: told once what becomes of it. */
export interface TakenLimits {
  /** It starts now. */
  started(): void
  /** It will not start. */
  withdrawn(): void
}

/** A submitter that waits for its turn. */
export interface SignalListener {
  /** The wait is over: success when the turn has come. */
  signalled(turn: Exit.Exit<void, DispatchError>): void
}

/** A mutable record: one is made for each submit, and nothing else is on the way of one that need not wait. */
export class Job<Request> implements Turn {
  readonly request: Request
  state: JobState = "new"
  /** Index of the lane that has it; -1 while waiting for any. */
  lane = -1
  /** When its turn came, of the monotonic clock, in milliseconds; 0 when nobody wants to know. */
  startedAt = 0
  /** The rate limits that count it and have not seen it start; `undefined` when there are none. */
  limits: TakenLimits | undefined = undefined
  /** What it took of the unit limits when its turn came. */
  reservations: Reservations | undefined = undefined
  /** Order of arrival of those that wait. */
  order = 0
  /** Which lanes it may go to, from its own point of view. */
  tier: (index: number) => Tier
  /** The lanes that may take it, whatever it would rather have; `undefined` when any may. */
  lanes: Remaining | undefined = undefined
  /** The line in which it waits for room, and its neighbours there. */
  line: WaitingLine<Request> | undefined = undefined
  previous: Job<Request> | undefined = undefined
  next: Job<Request> | undefined = undefined
  /** The lane that it is bound to by its session; `undefined` when any will do. */
  pinned: number | undefined = undefined
  /** The session that moves with the job when another lane than its favourite gives the turn; `undefined`: none does. */
  session: string | undefined = undefined
  favourite = -1
  /** The submitter, once it waits. */
  private listener: SignalListener | undefined = undefined
  /** What was signalled before the submitter waited. */
  private early: Exit.Exit<void, DispatchError> | undefined = undefined

  constructor(request: Request, tier: (index: number) => Tier) {
    this.request = request
    this.tier = tier
  }

  sent(): void {
    const { limits } = this
    this.limits = undefined
    limits?.started()
  }

  /** The work is over: if nothing was sent, no limit was used. */
  end(): void {
    const { limits } = this
    this.limits = undefined
    limits?.withdrawn()
  }

  /** Suspends the submitter until `signal`. */
  get signalled(): Effect.Effect<void, DispatchError> {
    return Effect.callback((resume) => this.listen({ signalled: resume }))
  }

  /** Calls back at `signal`, or at once when that has been. */
  listen(listener: SignalListener): void {
    if (this.early === undefined) this.listener = listener
    else listener.signalled(this.early)
  }

  /** Ends the wait: success when the turn has come. At most once. */
  signal(turn: Exit.Exit<void, DispatchError>): void {
    if (this.listener === undefined) this.early = turn
    else this.listener.signalled(turn)
  }
}
