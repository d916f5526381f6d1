/** What a command does about Ctrl-C and a request to terminate. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Left alone, SIGINT and SIGTERM interrupt the program, and it exits with 130. */
export class StopSignals extends Context.Service<
  StopSignals,
  {
    /**
     * While the scope is open, the first signal runs `stop` instead; the next one interrupts the program as usual.
     *
     * `stop` should return soon or be quick to interrupt: closing the scope waits for it.
     */
    readonly intercept: (stop: Effect.Effect<void>) => Effect.Effect<void, never, Scope.Scope>
  }
>()("genai-dispatcher/layers/cli/StopSignals") {}
