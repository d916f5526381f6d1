#!/usr/bin/env node
/** The command line tool. */
import * as Effect from "effect/Effect"
import { CHILD_ARGUMENT as SENDS_ROWS } from "./layers/batch/processes/Messages.ts"
import { cli } from "./layers/cli/Cli.ts"
import * as Output from "./layers/cli/Output.ts"
import { script, startedAs, version } from "./layers/cli/Program.ts"
import { runMain } from "./layers/cli/RunMain.ts"
import { CHILD_ARGUMENT as SERVES } from "./layers/server/processes/Messages.ts"

const [, , ...args] = process.argv

if (args[0] === SERVES) {
  const { childMain } = await import("./layers/server/processes/ChildMain.ts")
  childMain()
} else if (args[0] === SENDS_ROWS) {
  const { childMain } = await import("./layers/batch/processes/ChildMain.ts")
  childMain()
} else {
  const program = startedAs(script(), process.cwd())
  cli({ args, version: version(), program }).pipe(Effect.provide(Output.layer), runMain)
}
