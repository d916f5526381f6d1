/** Does memory depend on how many rows there are? They are made while they are read, so nothing else can hold them. */
import { join } from "node:path"
import type { Benchmark, Case, Figures } from "./support/Benchmark.ts"
import { withFolder } from "./support/Folder.ts"
import { measureProcess } from "./support/Measure.ts"
import { type Nginx, startNginx } from "./support/nginx.ts"
import { endpointConfig, PROGRAM, rowsOf, writeConfig } from "./support/Tool.ts"

/** `FULL_SIZE=1 npm run bench -- memory` has the largest, which takes some ten minutes. */
const SIZES = process.env["FULL_SIZE"] === undefined ? [1_000_000, 3_000_000] : [1_000_000, 10_000_000]
const MOST_MB = 300
/** Of these, in a quick run. */
const QUICK = 50

/** Through pipes on both sides, with the default flags. */
const stream = (url: string, rows: number) =>
  withFolder(async (folder) => {
    const config = join(folder, "config.json")
    await writeConfig(config, { endpoints: [endpointConfig(url, {})] })
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
  (rows, at): Case<Nginx["context"]> => ({
    name: nameOf(rows),
    isBaseline: at === 0,
    run: ({ context, quick }) => stream(context.url, quick ? rows / QUICK : rows)
  })
)

const [fewer = 0, more = 0] = SIZES

export const benchmark: Benchmark<Nginx["context"]> = {
  name: "memory",
  workload:
    "rows that are made while they are read, from standard input to standard output, to nginx; journal, limits, retries " +
    "and automatic concurrency as they are by default",
  operation: "row",
  repeats: 1,
  timeoutSeconds: 7_200,
  setup: startNginx,
  cases,
  charts: [
    { title: "peak RSS, MB", of: "peakRssMb", limit: MOST_MB },
    { title: "rows per second", of: "perSecond" }
  ],
  targets: [
    ...SIZES.map((rows) => ({
      claim: `${nameOf(rows)}: peak RSS under ${MOST_MB} MB`,
      figure: ({ peakRssMb }: Figures) => peakRssMb(nameOf(rows)),
      atMost: MOST_MB
    })),
    {
      claim: `peak RSS at ${nameOf(more)} the same as at ${nameOf(fewer)}, within a tenth`,
      figure: ({ peakRssMb }) => peakRssMb(nameOf(more)) / peakRssMb(nameOf(fewer)),
      atMost: 1.1
    }
  ]
}
