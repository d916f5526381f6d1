/**
 * What does a request cost the HTTP client when few or many others are in flight? At one rate, to an endpoint that takes a
 * shorter or a longer time: so there are fewer or more connections, and nothing else is different.
 */
import { fileURLToPath } from "node:url"
import type { Benchmark, Case, Measurement } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { startEndpoint } from "./support/Tool.ts"

const RATE = 10_000

interface Load {
  readonly inFlight: number
  readonly fromMs: number
  readonly toMs: number
  /** As many as are in flight, and some more for when the machine holds the client up. */
  readonly connections: number
}

const LOADS: ReadonlyArray<Load> = [
  { inFlight: 20, fromMs: 2, toMs: 2, connections: 100 },
  { inFlight: 275, fromMs: 5, toMs: 50, connections: 600 },
  { inFlight: 2_750, fromMs: 50, toMs: 500, connections: 4_000 }
]

const client = async (file: string, { connections, fromMs, toMs }: Load, quick: boolean): Promise<Measurement> => {
  const [rate, seconds] = quick ? [RATE / 10, 2] : [RATE, 20]
  const endpoint = await startEndpoint(fromMs, toMs)
  try {
    const program = fileURLToPath(new URL(`./support/${file}`, import.meta.url))
    const args = [program, endpoint.url, ...[connections, rate * seconds, rate].map(String)]
    const measured = await measureProcess({ args, operations: rate * seconds })
    const { coreShare } = await endpoint.facts()
    return {
      ...measured,
      figures: { coreShare: measured.cpuSeconds / measured.seconds, endpointCoreShare: coreShare }
    }
  } finally {
    await endpoint.close()
  }
}

const cases = LOADS.flatMap((load): ReadonlyArray<Case> => {
  const group = `${load.inFlight.toLocaleString("en-US")} in flight`
  return [
    {
      name: `undici dispatch, ${group}`,
      group,
      isBaseline: true,
      run: ({ quick }) => client("bare-client.ts", load, quick)
    },
    { name: `sockets alone, ${group}`, group, run: ({ quick }) => client("bare-sockets.ts", load, quick) }
  ]
})

export const benchmark: Benchmark = {
  name: "connections",
  workload:
    "200,000 requests at 10,000/s by a timer, by undici's dispatch and by Node's sockets alone, to an endpoint in a process of " +
    "its own on the same machine that takes 2 ms, 5-50 ms or 50-500 ms",
  operation: "request",
  repeats: 3,
  cases,
  charts: [{ title: "CPU microseconds per request", of: "cpuMicros" }]
}
