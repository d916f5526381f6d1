/**
 * Runs benchmarks and writes their results to `benchmarks/results/NAME.json`.
 *
 *     npm run bench                              # all of them, one after another
 *     npm run bench -- dispatch transport        # these
 *     npm run bench -- dispatch --quick          # a look whether it works
 *     npm run bench -- dispatch --repeats 9
 *     npm run bench -- compare HEAD~5 HEAD dispatch
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { compare } from "./support/Compare.ts"
import { report } from "./support/Report.ts"
import { load, type RunOptions, run } from "./support/Runner.ts"

const FOLDER = fileURLToPath(new URL(".", import.meta.url))
/** What is no benchmark here. */
const TOOLS = new Set(["run.ts", "plot.ts"])

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".ts") && !TOOLS.has(file))
  .map((file) => file.slice(0, -".ts".length))

const usage = (problem: string): never => {
  console.error(
    `${problem}\n\nnpm run bench -- [NAME ...] [--quick] [--repeats N]\nnpm run bench -- compare REF1 REF2 NAME\n\n${names.join(", ")}`
  )
  process.exit(2)
}

// So that the case that runs ends too, which Ctrl-C does not reach.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, repeats: { type: "string" } }
})
const repeats = values.repeats === undefined ? undefined : Number(values.repeats)
if (repeats !== undefined && !(Number.isInteger(repeats) && repeats > 0)) usage("--repeats takes a whole number from 1")

const options: RunOptions = {
  isQuick: values.quick,
  repeats,
  onRun: (name, round, of) => process.stderr.write(`  ${round + 1}/${of} ${name}\n`)
}

const known = (name: string | undefined): string =>
  name !== undefined && names.includes(name) ? name : usage(`There is no benchmark ${JSON.stringify(name ?? "")}`)

if (positionals[0] === "compare") {
  const [, first, second, name] = positionals
  if (first === undefined || second === undefined) usage("compare takes two refs and a name")
  else console.log(await compare([first, second], known(name), options))
} else {
  const asked = positionals.length === 0 ? names : positionals.map(known)
  mkdirSync(`${FOLDER}results`, { recursive: true })
  for (const name of asked) {
    try {
      const result = await run(await load(`${FOLDER}${name}.ts`), options)
      console.log(report(result))
      if (!options.isQuick) writeFileSync(`${FOLDER}results/${name}.json`, `${JSON.stringify(result, undefined, 2)}\n`)
    } catch (error) {
      // The others can be run all the same.
      console.error(`${name}: `, error)
      process.exitCode = 1
    }
  }
}
