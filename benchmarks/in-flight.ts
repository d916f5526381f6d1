/** What a request in flight costs in memory: the same run with a thousand of them and with as many as the system allows. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Benchmark, Case, Measurement } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { PROGRAM, startEndpoint, withFolder, writeConfig, writeRows } from "./support/Tool.ts"

const LATENCY_MS = 2_000
const FEW = 1_000
/** 10,000 a second at 2 s, by Little's law. */
const WANTED = 20_000
const QUICK = 20

/** Connections that are left by this process's limit on open files, which its children have too. */
const allowed = (): number => {
  const files = Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1])
  return files > 0 ? files - 512 : WANTED
}

const MANY = Math.min(WANTED, allowed())

const held = (inflight: number): Promise<Measurement> =>
  withFolder(async (folder) => {
    const rows = 3 * inflight
    const endpoint = await startEndpoint(LATENCY_MS, LATENCY_MS)
    try {
      const [input, config] = [join(folder, "rows.jsonl"), join(folder, "config.json")]
      await writeRows(input, rows)
      await writeConfig(config, {
        // Connections are made at the rate at which this machine makes them.
        endpoints: [
          {
            name: "slow",
            kind: "openai",
            baseUrl: `${endpoint.url}/v1`,
            model: "m",
            concurrency: inflight,
            timeouts: { connect: "60s" }
          }
        ]
      })
      const measured = await measureProcess({ args: [PROGRAM, "run", input, "--config", config], operations: rows })
      return { ...measured, figures: { inflight } }
    } finally {
      await endpoint.close()
    }
  })

const few = `${FEW.toLocaleString("en-US")} in flight`
const many = `${MANY.toLocaleString("en-US")} in flight`

const cases: ReadonlyArray<Case<unknown>> = [
  { name: few, run: ({ quick }) => held(quick ? FEW / QUICK : FEW) },
  { name: many, run: ({ quick }) => held(quick ? Math.floor(MANY / QUICK) : MANY) }
]

export const benchmark: Benchmark = {
  name: "in-flight",
  workload:
    `rows to an endpoint in a process of its own that takes 2 s for each; ${few}, and ${many}: 20,000 or as many as this ` +
    "machine's limit on open files leaves",
  operation: "row",
  repeats: 3,
  cases,
  targets: [
    { claim: `${many}: peak RSS, MB`, figure: ({ peakRssMb }) => peakRssMb(many), atMost: 1_000 },
    {
      claim: "KB for each request in flight",
      figure: ({ peakRssMb }) => ((peakRssMb(many) - peakRssMb(few)) * 1_000) / (MANY - FEW),
      atMost: 40
    }
  ]
}
