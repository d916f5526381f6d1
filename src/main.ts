#!/usr/bin/env node
/** The command line tool. */
import * as Effect from "effect/Effect"
import { cli } from "./layers/cli/Cli.ts"
import * as Output from "./layers/cli/Output.ts"
import { startedAs, version } from "./layers/cli/Program.ts"
import { runMain } from "./layers/cli/RunMain.ts"

const [, script = "", ...args] = process.argv

cli({ args, version: version(), program: startedAs(script, process.cwd()) }).pipe(Effect.provide(Output.layer), runMain)
