/** What a second process brings: the same run, from file to file, over one process and over two. */
import { once } from "node:events"
import { createWriteStream, existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measureProcess } from "./support/Measure.ts"
import { startNginx } from "./support/nginx.ts"
import { MAIN, withFolder, writeConfig } from "./support/Tool.ts"

interface Context {
  readonly url: string
}

/** The tool as it is published, when it has been built; else from its sources, which start more slowly. */
const BUILT = fileURLToPath(new URL("../dist/main.js", import.meta.url))

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

const writeRows = async (path: string, rows: number, prompt: number): Promise<void> => {
  const file = createWriteStream(path)
  const words = 'And "why"? Because\\n'.repeat(Math.ceil(prompt / 20))
  for (let row = 0; row < rows; row++) {
    if (!file.write(`${JSON.stringify({ input: `row ${row}: ${words.slice(0, prompt)}` })}\n`))
      await once(file, "drain")
  }
  await new Promise<void>((resolve) => file.end(resolve))
}

const tool = (url: string, { connections, prompt }: Load, rows: number, processes: number) =>
  withFolder(async (folder) => {
    const [input, save, errors, config] = ["in.jsonl", "out.jsonl", "errors.jsonl", "config.json"].map((name) =>
      join(folder, name)
    ) as [string, string, string, string]
    await writeRows(input, rows, prompt)
    await writeConfig(config, {
      endpoints: [{ name: "nginx", kind: "openai", baseUrl: url, model: "model-1", concurrency: connections }]
    })
    const main = existsSync(BUILT) ? BUILT : MAIN
    const measured = await measureProcess({
      args: [
        ...[main, "run", input, "--config", config, "--save-filepath", save, "--errors-filepath", errors],
        ...["--processes", String(processes)]
      ],
      operations: rows
    })
    const saved = (await readFile(save)).reduce((lines, byte) => (byte === 10 ? lines + 1 : lines), 0)
    if (saved !== rows) throw new Error(`${saved} of ${rows} rows are saved`)
    return measured
  })

const nameOf = (load: Load, processes: number) =>
  `${processes} ${processes === 1 ? "process" : "processes"}, ${load.name}`

const cases = LOADS.flatMap(
  (load): ReadonlyArray<Case<Context>> =>
    [1, 2].map((processes) => ({
      name: nameOf(load, processes),
      group: load.name,
      isBaseline: processes === 1,
      run: ({ context, quick }) => tool(context.url, load, quick ? QUICK_ROWS : load.rows, processes)
    }))
)

const ratioOf = (load: Load) => ({
  figure: (summary: { ratio: (name: string, other: string) => number }) =>
    summary.ratio(nameOf(load, 2), nameOf(load, 1))
})

export const benchmark: Benchmark<Context> = {
  name: "processes",
  workload: "200,000 rows with short and 40,000 with long prompts from file to file, against nginx on the same cores",
  operation: "row",
  setup: async () => {
    const nginx = await startNginx()
    return { context: { url: nginx.plainUrl }, close: nginx.close }
  },
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
