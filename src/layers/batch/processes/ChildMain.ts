/** The main program of a child: ends with its rows, or with its parent. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Heap from "../../processes/Heap.ts"
import * as Http1Transport from "../../transport/Http1Transport.ts"
import { childRun } from "./ChildRun.ts"
import * as ParentChannel from "./ParentChannel.ts"

/** Logs go to standard error, as those of the parent. */
const environment = Layer.mergeAll(ParentChannel.layer, Http1Transport.layer, Layer.succeed(Logger.LogToStderr, true))

export const childMain = (): void => {
  Heap.forManyRequests()
  // A terminal sends Ctrl-C to all of its processes: what to do about it is the parent's to say.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {})
  Effect.runCallback(Effect.provide(childRun, environment), {
    onExit: (exit) => {
      if (Exit.isFailure(exit)) process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
      process.exit(Exit.isSuccess(exit) ? 0 : 1)
    }
  })
}
