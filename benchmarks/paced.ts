/**
 * Is a high rate kept evenly, and what is added to the answers' time? The calls are observed in the client's own process
 * (Calls.ts), the same way for the tool as for bare undici, whose pace a timer makes: what that adds is the machine's and
 * the endpoint's.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Benchmark, CaseOptions, Measurement, Target } from "./support/Benchmark.ts"
import { observed, pacing } from "./support/Calls.ts"
import { withFolder } from "./support/Folder.ts"
import { endpointConfig, PROGRAM, rowsOf, startEndpoint, writeConfig, writeRows } from "./support/Tool.ts"

interface Load {
  readonly rate: number
  readonly seconds: number
  readonly fromMs: number
  readonly toMs: number
  /** Most in flight: what Little's law asks for and some more, for when the machine holds the client up. */
  readonly places: number
  /** Of the tool; there are as many endpoints. */
  readonly processes: number
}

const observe = async (
  load: Load,
  argsOf: (urls: ReadonlyArray<string>) => Promise<ReadonlyArray<string>>
): Promise<Measurement> => {
  const endpoints = await Promise.all(
    Array.from({ length: load.processes }, () => startEndpoint(load.fromMs, load.toMs))
  )
  try {
    const rows = load.rate * load.seconds
    const { calls, measurement } = await observed({
      args: await argsOf(endpoints.map(({ url }) => url)),
      operations: rows
    })
    const facts = await Promise.all(endpoints.map((endpoint) => endpoint.facts()))
    const received = facts.reduce((sum, fact) => sum + fact.received, 0)
    if (received !== rows || calls.length !== rows) {
      throw new Error(`${rows} rows, ${calls.length} calls, of which ${received} came`)
    }
    return {
      ...measurement,
      figures: {
        ...pacing(calls, load.rate),
        coreShare: measurement.cpuSeconds / measurement.seconds,
        // Of each of them.
        endpointCoreShare: Math.max(...facts.map(({ coreShare }) => coreShare)),
        endpointP99LoopDelayMs: Math.max(...facts.map(({ p99LoopDelayMs }) => p99LoopDelayMs)),
        // By when the endpoint got to read them, which is not when they were sent.
        fullestSecondAtEndpointOfLimit: facts.reduce((sum, fact) => sum + fact.mostInASecond, 0) / load.rate
      }
    }
  } finally {
    await Promise.all(endpoints.map((endpoint) => endpoint.close()))
  }
}

/** Everything that the tool does by default is on: result files, journal, retries, metrics. */
const tool = (load: Load): Promise<Measurement> =>
  withFolder(async (folder) => {
    const [input, config] = [join(folder, "rows.jsonl"), join(folder, "config.json")]
    await writeRows(input, rowsOf(load.rate * load.seconds))
    return observe(load, async (urls) => {
      // Each endpoint takes its part of the calls. Connections are made at the rate at which this machine makes them.
      const places = { concurrency: Math.ceil(load.places / urls.length), timeouts: { connect: "60s" } }
      await writeConfig(config, {
        maxRequestsPerSecond: load.rate,
        endpoints: urls.map((url) => endpointConfig(url, places))
      })
      return [PROGRAM, "run", input, "--config", config, "--processes", String(load.processes)]
    })
  })

const BARE_CLIENT = fileURLToPath(new URL("./support/bare-client.ts", import.meta.url))

const bare = (load: Load): Promise<Measurement> =>
  observe(load, async (urls) => [
    BARE_CLIENT,
    ...urls,
    ...[load.places, load.rate * load.seconds, load.rate].map(String)
  ])

const sized = (load: Load, { quick }: CaseOptions<unknown>): Load =>
  quick ? { ...load, rate: load.rate / 20, seconds: 5, places: load.places / 20 } : load

const BARE = "undici dispatch by a timer, 50-500 ms"
const SPREAD = "run, 50-500 ms"
const HALF = "run, 50-500 ms, 5,000/s"
const LONG = "run, 2 s, 20,000 in flight"

const SHORT_LOAD: Load = { rate: 10_000, seconds: 60, fromMs: 50, toMs: 500, places: 4_000, processes: 1 }
/** For machines that do not keep up with the whole rate: how pacing does with time to spare. */
const HALF_LOAD: Load = { ...SHORT_LOAD, rate: 5_000, places: 2_000 }
/**
 * One process may not have 20,000 sockets where the hard limit on open files is 20,000, as it often is: two processes, and
 * two endpoints, have half of them each. Memory and CPU time are those of both, and of the one that leads them.
 */
const LONG_LOAD: Load = { rate: 10_000, seconds: 60, fromMs: 2_000, toMs: 2_000, places: 22_000, processes: 2 }

const keeps = (name: string): ReadonlyArray<Target> => [
  {
    claim: `${name}: 10,000/s within 1 %, from the first send to the last`,
    figure: ({ figure }) => figure(name, "rateOfLimit"),
    atLeast: 0.99,
    atMost: 1
  },
  {
    claim: `${name}: no second above, wherever it starts`,
    figure: ({ figure }) => figure(name, "fullestSecondOfLimit"),
    atMost: 1
  }
]

export const benchmark: Benchmark = {
  name: "paced",
  workload:
    "600,000 rows through the tool at 10,000/s, to an endpoint in a process of its own on the same machine that takes " +
    "50-500 ms, 300,000 at 5,000/s, or over two processes to two endpoints that take 2 s (20,000 in flight); every send and " +
    "answer observed",
  operation: "row",
  repeats: 3,
  cases: [
    { name: BARE, isBaseline: true, run: (options) => bare(sized(SHORT_LOAD, options)) },
    { name: SPREAD, run: (options) => tool(sized(SHORT_LOAD, options)) },
    // Neither is the baseline's: another rate, and other latencies, other processes.
    { name: HALF, group: "5,000/s", run: (options) => tool(sized(HALF_LOAD, options)) },
    { name: LONG, group: "2 s", run: (options) => tool(sized(LONG_LOAD, options)) }
  ],
  charts: [
    { title: "rate, of the limit", of: "rateOfLimit", limit: 1 },
    { title: "fullest second, of the limit", of: "fullestSecondOfLimit", limit: 1 },
    { title: "p99 of the delay that is added, ms", of: "p99AddedMs", limit: 20 },
    { title: "share of a core", of: "coreShare", except: [LONG], limit: 0.7 },
    { title: "peak RSS, MB", of: "peakRssMb", limit: 1_000 }
  ],
  targets: [
    ...keeps(SPREAD),
    {
      claim: `${SPREAD}: at most 70 % of one core`,
      figure: ({ figure }) => figure(SPREAD, "coreShare"),
      atMost: 0.7
    },
    {
      claim: `${SPREAD}: p99 of the delay that is added under 20 ms`,
      figure: ({ figure }) => figure(SPREAD, "p99AddedMs"),
      atMost: 20
    },
    ...keeps(LONG),
    { claim: `${LONG}: peak RSS under 1,000 MB`, figure: ({ peakRssMb }) => peakRssMb(LONG), atMost: 1_000 }
  ]
}
