/** What a second process brings: the same run, from file to file, over one process and over two. */
import type { Benchmark, Case, Figures } from "./support/Benchmark.ts"
import { type Nginx, startNginx } from "./support/nginx.ts"
import { runFile } from "./support/Tool.ts"

interface Load {
  readonly name: string
  readonly rows: number
  readonly connections: number
  /** Characters of each prompt, about. */
  readonly prompt: number
}

const LOADS: ReadonlyArray<Load> = [
  { name: "short prompts, 64 connections", rows: 200_000, connections: 64, prompt: 10 },
  { name: "short prompts, 256 connections", rows: 200_000, connections: 256, prompt: 10 },
  // nginx throws them away unread, and all else is the client's work.
  { name: "prompts of 16,000 characters, 64 connections", rows: 40_000, connections: 64, prompt: 16_000 }
]
const QUICK_ROWS = 4_000

const rowsOf = function* (rows: number, prompt: number): Generator<string> {
  const words = 'And "why"? Because\n'.repeat(Math.ceil(prompt / 19)).slice(0, prompt)
  for (let row = 0; row < rows; row++) yield `${JSON.stringify({ input: `row ${row}: ${words}` })}\n`
}

const nameOf = (load: Load, processes: number) =>
  `${processes} ${processes === 1 ? "process" : "processes"}, ${load.name}`

const cases = LOADS.flatMap(
  (load): ReadonlyArray<Case<Nginx["context"]>> =>
    [1, 2].map((processes) => ({
      name: nameOf(load, processes),
      group: load.name,
      isBaseline: processes === 1,
      run: ({ context: { url }, quick }) => {
        const total = quick ? QUICK_ROWS : load.rows
        return runFile({ url, rows: rowsOf(total, load.prompt), total, connections: load.connections, processes })
      }
    }))
)

const ratioOf = (load: Load) => ({
  figure: (summary: Figures) => summary.ratio(nameOf(load, 2), nameOf(load, 1))
})

export const benchmark: Benchmark<Nginx["context"]> = {
  name: "processes",
  workload: "200,000 rows with short and 40,000 with long prompts from file to file, against nginx on the same cores",
  operation: "row",
  setup: startNginx,
  cases,
  targets: [
    {
      claim: "2 processes at least 1.25 x the rate of one against nginx on the same 2 cores",
      ...ratioOf(LOADS[0]!),
      atLeast: 1.25
    },
    {
      claim: "2 processes at least 1.6 x the rate of one when the work is the client's",
      ...ratioOf(LOADS[2]!),
      atLeast: 1.6
    }
  ]
}
