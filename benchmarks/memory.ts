/** Does memory depend on how many rows there are? They are made while they are read, so nothing else can hold them. */
import { join } from "node:path"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { startNginx } from "./support/nginx.ts"
import { PROGRAM, withFolder, writeConfig } from "./support/Tool.ts"

interface Context {
  readonly url: string
}

/** `FULL_SIZE=1` adds the largest, which takes many minutes. */
const SIZES = process.env["FULL_SIZE"] === undefined ? [1_000_000, 3_000_000] : [1_000_000, 10_000_000]
/** Of these, in a quick run. */
const QUICK = 50

const rowsOf = function* (count: number): Generator<string> {
  for (let row = 0; row < count; row += 1_000) {
    const length = Math.min(1_000, count - row)
    yield Array.from({ length }, (_, index) => `{"input":"row ${row + index}"}\n`).join("")
  }
}

/** Through pipes on both sides, with the default flags. */
const stream = (url: string, rows: number) =>
  withFolder(async (folder) => {
    const config = join(folder, "config.json")
    await writeConfig(config, { endpoints: [{ name: "nginx", kind: "openai", baseUrl: url, model: "model-1" }] })
    let said = ""
    const measured = await measureProcess({
      args: [PROGRAM, "run", "-", "--config", config, "--errors-filepath", join(folder, "errors.jsonl")],
      operations: rows,
      input: rowsOf(rows),
      onOutput: (text) => {
        said = text
      }
    })
    if (!said.includes(`All ${rows.toLocaleString("en-US")} rows saved`)) {
      throw new Error(`Not all rows are saved: ${said.slice(-500)}`)
    }
    return measured
  })

const nameOf = (rows: number) => `${rows.toLocaleString("en-US")} rows`

const cases = SIZES.map(
  (rows): Case<Context> => ({
    name: nameOf(rows),
    run: ({ context, quick }) => stream(context.url, quick ? rows / QUICK : rows)
  })
)

const [fewer = 0, more = 0] = SIZES

export const benchmark: Benchmark<Context> = {
  name: "memory",
  workload: "rows that are made while they are read, from standard input to standard output, to nginx",
  operation: "row",
  repeats: 1,
  timeoutSeconds: 7_200,
  setup: async () => {
    const nginx = await startNginx()
    return { context: { url: nginx.plainUrl }, close: nginx.close }
  },
  cases,
  targets: [
    { claim: `${nameOf(more)}: peak RSS, MB`, figure: ({ peakRssMb }) => peakRssMb(nameOf(more)), atMost: 300 },
    {
      claim: `peak RSS at ${nameOf(more)}, of that at ${nameOf(fewer)}`,
      figure: ({ peakRssMb }) => peakRssMb(nameOf(more)) / peakRssMb(nameOf(fewer)),
      atMost: 1.1
    }
  ]
}
