#!/usr/bin/env node
/** The command line tool. What is imported here by a statement is loaded by any Node, and compiled each time. */
import * as Module from "node:module"
import { isTooOld, LEAST_NODE } from "./layers/cli/NodeVersion.ts"

if (isTooOld(process.versions.node)) {
  console.error(`genai-dispatcher needs Node ${LEAST_NODE} or newer; this is Node ${process.versions.node}.`)
  process.exitCode = 2
} else {
  // Node keeps what it compiles, among the temporary files: at the next start the first request of a run leaves a fifth sooner.
  Module.enableCompileCache()
  const { main } = await import("./layers/cli/Main.ts")
  await main(process.argv.slice(2))
}
