/** Loaded first into a process that is measured: at its end it writes what it used. Plain JavaScript, to cost nothing. */
import { writeFileSync } from "node:fs"

const folder = process.env.BENCHMARK_USAGE
if (folder !== undefined) {
  process.on("exit", () => writeFileSync(`${folder}/${process.pid}.json`, JSON.stringify(process.resourceUsage())))
}
