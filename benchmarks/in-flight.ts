/** What does a request in flight cost while nothing happens? The same run with few of them, with many, and with most. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Benchmark, Case, CaseOptions, Measurement } from "./support/Benchmark.ts"
import { withFolder } from "./support/Folder.ts"
import { measureProcess } from "./support/Measure.ts"
import { endpointConfig, PROGRAM, rowsOf, startEndpoint, writeConfig, writeRows } from "./support/Tool.ts"

const LATENCY_MS = 2_000
const FEW = 1_000
const SOME = 10_000
/** 10,000 a second at 2 s, by Little's law. */
const WANTED = 20_000

/** Connections that are left by this process's limit on open files, which its children have too. */
const allowed = (): number => {
  const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1])
  return files > 0 ? files - 512 : WANTED
}

const MANY = Math.min(WANTED, allowed())

/** Each of them is answered three times. */
const held = (
  inflight: number,
  { quick }: CaseOptions<unknown>,
  argsOf: (url: string, places: number, rows: number, folder: string) => Promise<ReadonlyArray<string>>
): Promise<Measurement> =>
  withFolder(async (folder) => {
    const places = quick ? Math.floor(inflight / 20) : inflight
    const endpoint = await startEndpoint(LATENCY_MS, LATENCY_MS)
    try {
      const args = await argsOf(endpoint.url, places, 3 * places, folder)
      const measured = await measureProcess({ args, operations: 3 * places })
      const { coreShare, received } = await endpoint.facts()
      if (received !== 3 * places) throw new Error(`${received} of ${3 * places} came`)
      return { ...measured, figures: { inFlight: places, endpointCoreShare: coreShare } }
    } finally {
      await endpoint.close()
    }
  })

const tool = (inflight: number, options: CaseOptions<unknown>): Promise<Measurement> =>
  held(inflight, options, async (url, concurrency, rows, folder) => {
    const [input, config] = [join(folder, "rows.jsonl"), join(folder, "config.json")]
    await writeRows(input, rowsOf(rows))
    // Connections are made at the rate at which this machine makes them.
    await writeConfig(config, { endpoints: [endpointConfig(url, { concurrency, timeouts: { connect: "60s" } })] })
    return [PROGRAM, "run", input, "--config", config]
  })

const BARE_CLIENT = fileURLToPath(new URL("./support/bare-client.ts", import.meta.url))

const bare = (inflight: number, options: CaseOptions<unknown>): Promise<Measurement> =>
  held(inflight, options, async (url, places, rows) => [BARE_CLIENT, url, String(places), String(rows)])

const inFlight = (count: number): string => `${count.toLocaleString("en-US")} in flight`
const bareName = (count: number): string => `undici dispatch, ${inFlight(count)}`
const toolName = (count: number): string => `run, ${inFlight(count)}`

const cases = [FEW, SOME, MANY].flatMap(
  (count): ReadonlyArray<Case> => [
    { name: bareName(count), group: inFlight(count), isBaseline: true, run: (options) => bare(count, options) },
    { name: toolName(count), group: inFlight(count), run: (options) => tool(count, options) }
  ]
)

export const benchmark: Benchmark = {
  name: "in-flight",
  workload:
    "three rows for each place, from file to file, to an endpoint in a process of its own that takes 2 s for each; " +
    `${inFlight(MANY)}: 20,000, or as many as this machine's limit on open files leaves to one process`,
  operation: "row",
  repeats: 3,
  cases,
  charts: [
    { title: "peak RSS, MB", of: "peakRssMb", limit: 1_000 },
    { title: "CPU microseconds per row", of: "cpuMicros" }
  ],
  targets: [
    {
      claim: `${toolName(MANY)}: peak RSS under 1,000 MB`,
      figure: ({ peakRssMb }) => peakRssMb(toolName(MANY)),
      atMost: 1_000
    },
    {
      claim: "at most 40 KB for each request in flight",
      figure: ({ peakRssMb }) => ((peakRssMb(toolName(MANY)) - peakRssMb(toolName(FEW))) * 1_024) / (MANY - FEW),
      atMost: 40
    }
  ]
}
