#!/usr/bin/env node
/** The command line tool. */
import { enableCompileCache } from "node:module"

// Node keeps what it has compiled for the next start, among the temporary files: the first request of a run leaves a fifth sooner.
enableCompileCache()
// What is imported by a statement would be compiled before that.
const { main } = await import("./layers/cli/Main.ts")
await main(process.argv.slice(2))
