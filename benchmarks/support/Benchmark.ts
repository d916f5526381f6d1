/**
 * What a benchmark is: `benchmarks/NAME.ts` exports `const benchmark: Benchmark = {...}` with its name, and does nothing
 * else when it is imported. `npm run bench -- NAME` runs it.
 *
 *     export const benchmark: Benchmark<{ readonly origin: string }> = {
 *       name: "transport",
 *       workload: "20,000 requests of 300 bytes, 64 at once, to nginx on this machine",
 *       operation: "request",
 *       setup: async () => { const server = await start(); return { context: { origin: server.origin }, close: server.close } },
 *       cases: [
 *         { name: "undici dispatch", isBaseline: true, run: ({ quick, context }) => measure(() => bare(context.origin, quick ? 2_000 : 20_000)) },
 *         { name: "Http1Transport", run: ... }
 *       ],
 *       targets: [{ claim: "at least 0.6 x undici's rate", figure: (summary) => summary.ratio("Http1Transport", "undici dispatch"), atLeast: 0.6 }]
 *     }
 *
 * Every run of a case has a process of its own: what one leaves behind (heap, compiled code) does not touch the other. A
 * round runs every case once, and every second round runs them backwards. Figures are medians over the rounds, ratios the
 * median of the ratios within a round, so that what the machine does meanwhile hits both alike.
 */

/** What one run of a case did. `measure` and `measureProcess` (Measure.ts) make it. */
export interface Measurement {
  /** How many operations were done. */
  readonly operations: number
  readonly seconds: number
  /** User and system time, over all processes that count: usually this one, or the tool that was started. */
  readonly cpuSeconds: number
  readonly peakRssBytes: number
  /** What else was found, such as `p99AddedMs` or `maxPerSecond`; the unit stands in the name. */
  readonly figures?: Readonly<Record<string, number>> | undefined
}

export interface CaseOptions<Context> {
  /** Do little, to see whether it works: at most some seconds. The figures are not kept. */
  readonly quick: boolean
  /** What `setup` gave. */
  readonly context: Context
}

/** A method (not a property) where `Context` is taken, so that any benchmark is a `Benchmark`. */
export interface Case<Context = unknown> {
  /** Unique in the benchmark. */
  readonly name: string
  /** Compared within its group only. Default: all cases are one group. */
  readonly group?: string | undefined
  /** What the others of its group are compared with: at most one in a group. Default: false. */
  readonly isBaseline?: boolean | undefined
  /** Runs in a process of its own. Warming up is its own business. A rejection fails the benchmark. */
  run(options: CaseOptions<Context>): Promise<Measurement>
}

export interface Target {
  /** A sentence with the number in it. */
  readonly claim: string
  readonly figure: (summary: Figures) => number
  readonly atLeast?: number | undefined
  readonly atMost?: number | undefined
}

/** A picture of one thing: a bar for each case. */
export interface Chart {
  /** What is shown, with its unit. */
  readonly title: string
  /** The name of one of `Measurement.figures`, whose cases alone are shown, or what all cases have. */
  readonly of: "perSecond" | "millis" | "cpuMicros" | "peakRssMb" | (string & {})
  /** Cases that are not shown. */
  readonly except?: ReadonlyArray<string> | undefined
  /** Drawn as a line. */
  readonly limit?: number | undefined
}

export interface Benchmark<Context = unknown> {
  /** The name of its file. */
  readonly name: string
  /** What is done, how often, how many at once, against what: one sentence. */
  readonly workload: string
  /** What is counted, in the singular: `row`, `job`, `event`. */
  readonly operation: string
  /** What is told first, and compared: operations per second, or milliseconds per operation. Default: `rate`. */
  readonly measure?: "rate" | "time" | undefined
  /** Default: 5. `--repeats` overrides it. */
  readonly repeats?: number | undefined
  /** One run of a case is given up after so long. Default: 10 minutes. */
  readonly timeoutSeconds?: number | undefined
  /**
   * Starts what all cases need (an endpoint, files), once, in the runner's process: have servers in processes of their own.
   * The context is passed on as JSON.
   */
  setup?(options: {
    readonly quick: boolean
  }): Promise<{ readonly context: Context; readonly close: () => Promise<void> }>
  readonly cases: ReadonlyArray<Case<Context>>
  readonly targets?: ReadonlyArray<Target> | undefined
  /** Default: one, of what is told first. */
  readonly charts?: ReadonlyArray<Chart> | undefined
}

/** The medians of all rounds, for targets. An unknown name is an error. */
export interface Figures {
  /** Operations per second. */
  readonly rate: (name: string) => number
  /** How many times the rate of the other, in the same rounds. */
  readonly ratio: (name: string, other: string) => number
  readonly cpuMicros: (name: string) => number
  readonly peakRssMb: (name: string) => number
  /** One of `Measurement.figures`. */
  readonly figure: (name: string, figure: string) => number
}
