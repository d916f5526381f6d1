#!/usr/bin/env node
/** The command line tool. What is imported here by a statement is loaded by any Node, and compiled at each start. */
import { keepCompiled } from "./layers/cli/CompileCache.ts"
import { isTooOld, LEAST_NODE } from "./layers/cli/NodeVersion.ts"

if (isTooOld(process.versions.node)) {
  console.error(`genai-dispatcher needs Node ${LEAST_NODE} or newer; this is Node ${process.versions.node}.`)
  // As for wrong usage (`ExitCode`), which an old Node could not load.
  process.exitCode = 2
} else {
  keepCompiled(process.env)
  const { main } = await import("./layers/cli/Main.ts")
  await main(process.argv.slice(2))
}
