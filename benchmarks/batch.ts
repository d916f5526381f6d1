/** What a row costs from file to file, with everything on, next to bare undici requests of the same size to the same server. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Client } from "undici"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measure, measureProcess } from "./support/Measure.ts"
import { startNginx } from "./support/nginx.ts"
import { PROGRAM, withFolder, writeConfig, writeRows } from "./support/Tool.ts"

interface Context {
  readonly url: string
}

const ROWS = 200_000
const QUICK_ROWS = 2_000
const CONNECTIONS = [64, 256, 1_024]

/** One client for each place, the answers put together as text and nothing else. */
const bare = async (url: string, requests: number, connections: number): Promise<number> => {
  const { origin, pathname } = new URL(`${url}/chat/completions`)
  const headers = ["content-type", "application/json", "accept", "application/json"]
  let next = 0
  let done = 0
  const one = (client: Client, row: number) =>
    new Promise<void>((resolve, reject) => {
      const body = JSON.stringify({ model: "model-1", messages: [{ role: "user", content: `row ${row}` }] })
      const chunks: Array<Buffer> = []
      client.dispatch(
        { method: "POST", path: pathname, headers, body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_, chunk) => void chunks.push(chunk),
          onResponseEnd: () => {
            if (Buffer.concat(chunks).toString().includes("choices")) done++
            resolve()
          },
          onResponseError: (_, error) => reject(error)
        }
      )
    })
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const client = new Client(origin, { allowH2: false, pipelining: 1 })
      while (next < requests) await one(client, next++)
      await client.close()
    })
  )
  return done
}

const tool = (url: string, rows: number, connections: number) =>
  withFolder(async (folder) => {
    const [input, save, errors, config] = ["in.jsonl", "out.jsonl", "errors.jsonl", "config.json"].map((name) =>
      join(folder, name)
    ) as [string, string, string, string]
    await writeRows(input, rows)
    await writeConfig(config, {
      endpoints: [{ name: "nginx", kind: "openai", baseUrl: url, model: "model-1", concurrency: connections }]
    })
    const measured = await measureProcess({
      args: [PROGRAM, "run", input, "--config", config, "--save-filepath", save, "--errors-filepath", errors],
      operations: rows
    })
    const saved = (await readFile(save)).reduce((lines, byte) => (byte === 10 ? lines + 1 : lines), 0)
    if (saved !== rows) throw new Error(`${saved} of ${rows} rows are saved`)
    return measured
  })

const bareName = (connections: number) => `undici dispatch, ${connections} connections`
const toolName = (connections: number) => `run, ${connections} connections`

const cases = CONNECTIONS.flatMap((connections): ReadonlyArray<Case<Context>> => {
  const group = `${connections} connections`
  return [
    {
      name: bareName(connections),
      group,
      isBaseline: true,
      run: ({ context, quick }) => measure(() => bare(context.url, quick ? QUICK_ROWS : ROWS, connections))
    },
    {
      name: toolName(connections),
      group,
      run: ({ context, quick }) => tool(context.url, quick ? QUICK_ROWS : ROWS, connections)
    }
  ]
})

export const benchmark: Benchmark<Context> = {
  name: "batch",
  workload: "200,000 rows from file to file over 64, 256 and 1,024 connections to nginx, start-up included",
  operation: "row",
  setup: async () => {
    const nginx = await startNginx()
    return { context: { url: nginx.plainUrl }, close: nginx.close }
  },
  cases,
  targets: [
    {
      claim: "with 64 connections at least 0.6 x the rate of bare undici",
      figure: (summary) => summary.ratio(toolName(64), bareName(64)),
      atLeast: 0.6
    },
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
