/** What a row costs from file to file, with everything on, next to bare undici requests of the same size to the same server. */
import { bareAnswers, rowRequest } from "./support/Bare.ts"
import type { Benchmark, Case, Figures } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"
import { type Nginx, startNginx } from "./support/nginx.ts"
import { rowsOf, runFile } from "./support/Tool.ts"

const rowsIn = (quick: boolean): number => (quick ? 2_000 : 200_000)
const CONNECTIONS = [64, 256, 1_024]

const bareName = (connections: number) => `undici dispatch, ${connections} connections`
const toolName = (connections: number) => `run, ${connections} connections`

const cases = CONNECTIONS.flatMap((connections): ReadonlyArray<Case<Nginx["context"]>> => {
  const group = `${connections} connections`
  return [
    {
      name: bareName(connections),
      group,
      isBaseline: true,
      run: ({ context, quick }) => {
        const { origin, requestOf } = rowRequest(context.url)
        return measure(() => bareAnswers(origin, rowsIn(quick), connections, requestOf))
      }
    },
    {
      name: toolName(connections),
      group,
      run: ({ context: { url }, quick }) => {
        const total = rowsIn(quick)
        return runFile({ url, rows: rowsOf(total), total, connections })
      }
    }
  ]
})

export const benchmark: Benchmark<Nginx["context"]> = {
  name: "batch",
  workload:
    "200,000 rows from file to file over 64, 256 and 1,024 connections to nginx, start-up and end included; bare undici " +
    "sends as many requests of the same bytes, from memory, its process being up",
  operation: "row",
  setup: startNginx,
  cases,
  charts: [
    { title: "rows per second", of: "perSecond" },
    { title: "CPU microseconds per row", of: "cpuMicros" }
  ],
  targets: [
    ...CONNECTIONS.map((connections) => ({
      claim: `with ${connections} connections at least 0.6 x the rate of bare undici`,
      figure: (summary: Figures) => summary.ratio(toolName(connections), bareName(connections)),
      atLeast: 0.6
    })),
    {
      claim: "with 64 connections at most 45 us CPU a row",
      figure: (summary) => summary.cpuMicros(toolName(64)),
      atMost: 45
    },
    {
      claim: "with 64 connections at least 25,000 rows a second",
      figure: (summary) => summary.rate(toolName(64)),
      atLeast: 25_000
    }
  ]
}
