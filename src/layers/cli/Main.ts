/** What a process of the command line tool does: what its arguments say, or what the process that started it wants. */
import * as Effect from "effect/Effect"
import { CHILD_ARGUMENT as SENDS_ROWS } from "../batch/processes/Messages.ts"
import { CHILD_ARGUMENT as SERVES } from "../server/processes/Messages.ts"
import { cli } from "./Cli.ts"
import * as Output from "./Output.ts"
import { script, startedAs, version } from "./Program.ts"
import { runMain } from "./RunMain.ts"

export const main = async (args: ReadonlyArray<string>): Promise<void> => {
  if (args[0] === SERVES) {
    const { childMain } = await import("../server/processes/ChildMain.ts")
    childMain()
  } else if (args[0] === SENDS_ROWS) {
    const { childMain } = await import("../batch/processes/ChildMain.ts")
    childMain()
  } else {
    const program = startedAs(script(), process.cwd())
    cli({ args, version: version(), program }).pipe(Effect.provide(Output.layer), runMain)
  }
}
