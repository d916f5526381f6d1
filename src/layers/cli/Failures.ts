/** What users see when a command fails: one sentence, not a stack trace; and the exit code. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Line from "../../domain/report/Line.ts"
import { ExitCode, ExitStatus } from "./ExitStatus.ts"
import { Output, type OutputStream } from "./Output.ts"

/** A sentence as an error message. */
export const errorLine = (stream: OutputStream, sentence: string): string =>
  Line.render([Line.span("error:", "red"), Line.span(` ${sentence}`)], { colors: stream.colors })

/** Says what is no failure and yet not as one may expect it, on standard error. */
export const warn = Effect.fnUntraced(function* (sentences: ReadonlyArray<string>) {
  const { err } = yield* Output
  for (const sentence of sentences) {
    const line = Line.render([Line.span("warning:", "yellow"), Line.span(` ${sentence}`)], { colors: err.colors })
    yield* err.write(`${line}\n`)
  }
})

/**
 * Says what went wrong, and settles how the program ends.
 *
 * Errors carry their sentence in `message`. They count as wrong usage or configuration, found before anything was sent:
 * what comes later ends in an `ExitStatus` of its own. A defect is a bug: it is shown whole, for the bug report.
 */
export const present = <A, E extends { readonly message: string }, R>(
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, ExitStatus, R | Output> =>
  Effect.catchCause(
    program,
    Effect.fnUntraced(function* (cause) {
      if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
      const { err } = yield* Output
      const failed = cause.reasons.find(Cause.isFailReason)
      if (failed === undefined) {
        yield* err.write(
          `${errorLine(err, "This is a bug in genai-dispatcher, please report it with the lines below.")}\n${Cause.pretty(cause)}\n`
        )
        return yield* new ExitStatus({ code: ExitCode.failed })
      }
      const { error } = failed
      if (error instanceof ExitStatus) return yield* error
      yield* err.write(`${errorLine(err, error.message)}\n`)
      return yield* new ExitStatus({ code: ExitCode.usage })
    })
  )
