/**
 * One whole request under its deadline.
 *
 * Most requests are answered at the first attempt. That way, with the wait for a turn, takes no fiber, only what stands in
 * this file; every other way is a fiber's, which takes over where this one left off, as to try again.
 */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import type { Begun, TurnListener } from "../../services/Dispatcher.ts"
import type { GenerateListener, StartedGenerate } from "../../services/GenAiClient.ts"
import type { StartedRequest } from "../../services/Transport.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"
import { type CallDeadline, type CallDeadlines, unstarted } from "./CallDeadlines.ts"
import type { Attempted, AttemptListener, DirectSend } from "./EndpointHandler.ts"
import { settled } from "./Explain.ts"

type Failure = AttemptFailed | NotSent | DispatchError

type AttemptBegun = Begun<GenAiAnswer, AttemptFailed | NotSent>

/** What a request needs of the client. */
export interface CallOwner {
  readonly deadlines: CallDeadlines
  /** Admits the first attempt; `undefined` when there is something about the request that takes a fiber. */
  readonly begin: (call: Call) => AttemptBegun | undefined
  /** How requests are sent to an endpoint without a fiber, where they can be. */
  readonly directSend: (endpoint: string) => DirectSend | undefined
  /** All attempts, of which the first may have begun. */
  readonly attempts: (
    call: Call,
    first: Effect.Effect<GenAiAnswer, Failure> | undefined
  ) => Effect.Effect<GenAiAnswer, AttemptFailed | DispatchError>
  /** Called once, when nothing of the request is under way any more. */
  readonly onEnd: () => void
}

/** It listens itself to all that it waits for: a closure for each would be two objects more, copied until the answer comes. */
export class StartedCall implements StartedGenerate, CallDeadline, TurnListener, AttemptListener {
  private readonly owner: CallOwner
  private readonly call: Call
  private readonly context: Context.Context<never>
  private readonly listener: GenerateListener
  /** For `CallDeadlines`, as the next two. */
  place = unstarted.place
  previous = unstarted.previous
  next = unstarted.next
  private begun: AttemptBegun | undefined = undefined
  /** The attempt that is under way without a fiber. */
  private attempt: StartedRequest | undefined = undefined
  private fiber: Fiber.Fiber<GenAiAnswer, AttemptFailed | DispatchError> | undefined = undefined
  private isLate = false
  private isEnded = false

  constructor(owner: CallOwner, call: Call, context: Context.Context<never>, listener: GenerateListener) {
    this.owner = owner
    this.call = call
    this.context = context
    this.listener = listener
  }

  get expiresAt(): number {
    return this.call.expiresAt
  }

  start(): void {
    try {
      this.begin()
    } catch (defect) {
      // One that ended has told its caller, and the defect is the caller's.
      if (this.isEnded) throw defect
      // A fiber goes on by itself.
      if (this.fiber === undefined) this.fail(defect)
    }
    if (!this.isEnded) this.owner.deadlines.start(this)
  }

  private begin(): void {
    const begun = this.owner.begin(this.call)
    this.begun = begun
    if (begun === undefined) this.fork(undefined)
    else if (!this.send(begun)) begun.wait(this)
  }

  onTurn(refusal: DispatchError | undefined): void {
    const { begun } = this
    if (begun === undefined) return
    if (refusal === undefined) this.send(begun)
    else {
      begun.end(Exit.interrupt())
      this.end(Exit.fail(refusal))
    }
  }

  /** Sends the request if it has its turn. */
  private send(begun: AttemptBegun): boolean {
    const worker = begun.take()
    if (worker === undefined) return false
    const send = this.owner.directSend(worker)
    if (send === undefined) this.fork(begun.rest)
    else this.hold(send(this.call, begun, this))
    return true
  }

  /** What was called back meanwhile may have ended it. */
  private hold(attempt: StartedRequest): void {
    if (this.isEnded) attempt.giveUp()
    else this.attempt = attempt
  }

  /** Gives the request up if it is under way, and waits until nothing of it is under way. */
  get interrupt(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.fiber !== undefined) return Fiber.interrupt(this.fiber)
      this.drop()
      return Effect.void
    })
  }

  attempted(exit: Attempted): void {
    if (this.isEnded) return
    this.begun?.end(exit)
    if (Exit.isSuccess(exit)) {
      this.end(Exit.succeed(exit.value))
      return
    }
    const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
    if (failure === undefined) this.end(Exit.die(Cause.squash(exit.cause)))
    else this.fork(Effect.fail(failure))
  }

  /** Leaves it to a fiber: the first attempt, if it has begun, and what is to be done when it fails. */
  private fork(first: Effect.Effect<GenAiAnswer, Failure> | undefined): void {
    this.fiber = Effect.runForkWith(this.context)(this.owner.attempts(this.call, first))
    this.fiber.addObserver((exit) => {
      // A fiber that was interrupted before its first step has not come to it.
      this.begun?.end(Exit.interrupt())
      this.end(exit)
    })
  }

  onPassed(): void {
    this.isLate = true
    if (this.fiber === undefined) this.drop()
    else this.fiber.interruptUnsafe()
  }

  /** Ends the attempt that is under way without a fiber. */
  private drop(): void {
    if (this.isEnded) return
    try {
      this.attempt?.giveUp()
    } catch (defect) {
      this.fail(defect)
      return
    }
    const exit = Exit.interrupt()
    this.begun?.end(exit)
    this.end(exit)
  }

  private fail(defect: unknown): void {
    const exit = Exit.die(defect)
    this.begun?.end(exit)
    this.end(exit)
  }

  private end(exit: Exit.Exit<GenAiAnswer, AttemptFailed | DispatchError>): void {
    this.isEnded = true
    this.owner.deadlines.stop(this)
    this.owner.onEnd()
    this.listener.ended(settled(this.call, exit, this.isLate))
  }
}
