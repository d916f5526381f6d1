/** How a command ends, for the shell. */
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** The exit codes other than 0, which is success. */
export const ExitCode = {
  /** Some rows failed; or the run broke off, or spent its budget; or the program has a bug. */
  failed: 1,
  /** Wrong usage, configuration or files: nothing was sent. */
  usage: 2,
  /** Stopped by Ctrl-C or SIGTERM: 128 + SIGINT, as shells count. */
  interrupted: 130
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** Ends the program with an exit code. What there is to say has been said. */
export class ExitStatus extends Schema.TaggedError<ExitStatus>()("ExitStatus", {
  code: Schema.Literals([ExitCode.failed, ExitCode.usage, ExitCode.interrupted])
}) {
  override get [Runtime.errorExitCode](): number {
    return this.code
  }
  override get [Runtime.errorReported](): boolean {
    return false
  }
}
