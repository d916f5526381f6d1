/** Is a high rate kept evenly, and what does the tool add to the answers' time? */
import { join } from "node:path"
import type { Benchmark, Measurement } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { latencyIn, MAIN, startEndpoint, withFolder, writeConfig, writeRows } from "./support/Tool.ts"

interface Load {
  readonly rate: number
  readonly seconds: number
  readonly fromMs: number
  readonly toMs: number
}

/** Everything that the tool does by default is on: result files, retries, metrics. */
const paced = ({ fromMs, rate, seconds, toMs }: Load): Promise<Measurement> =>
  withFolder(async (folder) => {
    const rows = rate * seconds
    const endpoint = await startEndpoint(fromMs, toMs)
    try {
      await writeRows(join(folder, "rows.jsonl"), rows)
      await writeConfig(join(folder, "config.yaml"), {
        maxRequestsPerSecond: rate,
        endpoints: [
          {
            name: "slow",
            kind: "openai",
            baseUrl: `${endpoint.url}/v1`,
            model: "m",
            // Half as much again as Little's law asks for.
            concurrency: Math.ceil((rate * (fromMs + toMs) * 1.5) / 2_000) + 64
          }
        ]
      })
      let latency = { p50Ms: Number.NaN, p99Ms: Number.NaN }
      const measurement = await measureProcess({
        args: [MAIN, "run", join(folder, "rows.jsonl"), "--config", join(folder, "config.yaml"), "--progress", "json"],
        operations: rows,
        onOutput: (text) => {
          latency = latencyIn(text)
        }
      })
      const facts = await endpoint.stats()
      return {
        ...measurement,
        figures: {
          received: facts.received,
          rateOfLimit: facts.steadyRate / rate,
          mostInASecondOfLimit: facts.mostInASecond / rate,
          coreShare: measurement.cpuSeconds / measurement.seconds,
          p99SendLatenessMs: facts.p99LatenessMs,
          p50BeyondEndpointMs: latency.p50Ms - facts.p50TookMs,
          p99BeyondEndpointMs: latency.p99Ms - facts.p99TookMs
        }
      }
    } finally {
      await endpoint.close()
    }
  })

const SPREAD = "10,000/s, 50-500 ms"
const LONG = "10,000/s, 2 s"

export const benchmark: Benchmark = {
  name: "paced",
  workload:
    "600,000 rows through the tool at 10,000/s, to an endpoint in a process of its own on the same machine that takes " +
    "50-500 ms, or 2 s (20,000 in flight), for an answer",
  operation: "row",
  repeats: 3,
  cases: [
    {
      name: SPREAD,
      run: ({ quick }) => paced({ rate: quick ? 500 : 10_000, seconds: quick ? 3 : 60, fromMs: 50, toMs: 500 })
    },
    {
      name: LONG,
      run: ({ quick }) => paced({ rate: quick ? 500 : 10_000, seconds: quick ? 4 : 60, fromMs: 2_000, toMs: 2_000 })
    }
  ],
  targets: [
    {
      claim: "50-500 ms: share of 10,000/s",
      figure: ({ figure }) => figure(SPREAD, "rateOfLimit"),
      atLeast: 0.99,
      atMost: 1.001
    },
    {
      claim: "50-500 ms: the fullest second, of the limit",
      figure: ({ figure }) => figure(SPREAD, "mostInASecondOfLimit"),
      atMost: 1
    },
    { claim: "50-500 ms: share of a core", figure: ({ figure }) => figure(SPREAD, "coreShare"), atMost: 0.7 },
    {
      claim: "50-500 ms: p99 of how late sends are, ms",
      figure: ({ figure }) => figure(SPREAD, "p99SendLatenessMs"),
      atMost: 20
    },
    {
      claim: "50-500 ms: the tool's p99 of calls beyond the endpoint's own, ms",
      figure: ({ figure }) => figure(SPREAD, "p99BeyondEndpointMs"),
      atMost: 20
    },
    {
      claim: "2 s: share of 10,000/s",
      figure: ({ figure }) => figure(LONG, "rateOfLimit"),
      atLeast: 0.99,
      atMost: 1.001
    },
    { claim: "2 s: peak RSS, MB", figure: ({ peakRssMb }) => peakRssMb(LONG), atMost: 1_000 }
  ]
}
