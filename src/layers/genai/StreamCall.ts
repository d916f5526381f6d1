/** One streamed request: attempts until an answer begins, then its events, under one deadline. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type { DispatchError } from "../../domain/dispatch/DispatchError.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"
import { type CallDeadline, type CallDeadlines, unstarted } from "./CallDeadlines.ts"
import { explain, settled, tooLate } from "./Explain.ts"
import { type Events, openStream, type StreamAttempt, type StreamedAnswer, type StreamTurn } from "./StreamAttempt.ts"

/** Waits for a turn, and holds it until the scope closes. */
type Turn = Effect.Effect<StreamTurn, DispatchError, Scope.Scope>

/** What a streamed request needs of the client. */
export interface StreamCallOptions {
  readonly call: Call
  readonly deadlines: CallDeadlines
  /** Makes attempts as the client's retry policy says. */
  readonly attempts: <A>(
    attempt: (turn: Turn) => Effect.Effect<A, AttemptFailed | NotSent | DispatchError>
  ) => Effect.Effect<A, AttemptFailed | DispatchError>
  /** Called once, when the slot has been given back and nothing is under way any more. */
  readonly onEnd: () => void
}

export class StreamCall {
  private readonly options: StreamCallOptions
  /** The attempt whose answer has begun; closing its scope aborts its request and gives its slot back. */
  private held: { readonly attempt: StreamAttempt; readonly scope: Scope.Closeable } | undefined = undefined
  /** The rest of the answer, once it has begun. */
  private rest: Pull.Pull<Events, GenAiError> | undefined = undefined
  /** Ends the call at its deadline, read or not. */
  private deadline: CallDeadline | undefined = undefined
  private isLate = false
  private isEnded = false

  constructor(options: StreamCallOptions) {
    this.options = options
  }

  /** The next events, the end, or the failure; the slot is given back with either of the last two. */
  get pull(): Pull.Pull<Events, GenAiError> {
    return Effect.suspend(() => {
      if (this.isLate) return Effect.fail(tooLate(this.options.call))
      return this.rest ?? this.begin
    })
  }

  /** Gives up what is under way, if anything is. */
  get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isEnded) return Effect.void
      this.isEnded = true
      const { deadlines, onEnd } = this.options
      if (this.deadline !== undefined) deadlines.stop(this.deadline)
      return Effect.uninterruptible(Effect.ensuring(this.release, Effect.sync(onEnd)))
    })
  }

  private get begin(): Effect.Effect<Events, GenAiError> {
    const { attempts, call, deadlines } = this.options
    const attempt = attempts((turn) => this.attemptWith(turn))
    return deadlines
      .within(attempt, call.expiresAt, (exit, isLate) => settled(call, exit, isLate))
      .pipe(
        Effect.matchEffect({
          onSuccess: (answer) => this.begun(answer),
          onFailure: (error) => Effect.andThen(this.close, Effect.fail(error))
        })
      )
  }

  private attemptWith(turn: Turn): Effect.Effect<StreamedAnswer, AttemptFailed | NotSent | DispatchError> {
    return Effect.suspend(() => {
      const scope = Scope.makeUnsafe()
      const opened = Scope.provide(
        Effect.flatMap(turn, (turn) => openStream(turn, this.options.call)),
        scope
      )
      const settled = Effect.onExit(opened, (exit) => {
        if (exit._tag === "Failure") return Scope.close(scope, exit)
        this.held = { attempt: exit.value.attempt, scope }
        return Effect.void
      })
      // What was held for a pull that was interrupted at that moment has no reader.
      return Effect.andThen(this.release, settled)
    })
  }

  private begun(answer: StreamedAnswer): Effect.Effect<Events> {
    return Effect.contextWith((context) => {
      const { call, deadlines } = this.options
      this.rest = Effect.catch(answer.next, (error) => this.ended(error))
      this.deadline = {
        ...unstarted,
        expiresAt: call.expiresAt,
        onPassed: () => void Effect.runForkWith(context)(this.expire)
      }
      deadlines.start(this.deadline)
      return Effect.succeed(answer.first)
    })
  }

  private ended(error: AttemptFailed | Cause.Done): Effect.Effect<never, GenAiError | Cause.Done> {
    const { call } = this.options
    if (this.isLate) return Effect.fail(tooLate(call))
    return Effect.andThen(this.close, Effect.fail(Cause.isDone(error) ? error : explain(call, error)))
  }

  private get expire(): Effect.Effect<void> {
    return Effect.suspend(() => {
      // An answer that is whole, or has failed, is not late: only nobody has come to see its end.
      this.isLate = this.held?.attempt.isOpen === true
      return this.close
    })
  }

  private get release(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.held === undefined) return Effect.void
      const { attempt, scope } = this.held
      this.held = undefined
      // First, so that a reader who is woken by the end of the request knows whose doing it is.
      attempt.abort()
      return Scope.close(scope, attempt.exit)
    })
  }
}
