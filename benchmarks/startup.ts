/** How long until the tool does something: its help, and the first request of a run. Build it first: `npm run build`. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { Benchmark, Measurement } from "./support/Benchmark.ts"
import { withFolder } from "./support/Folder.ts"
import { measureProcess } from "./support/Measure.ts"
import { BUILT, rowsOf, writeRows } from "./support/Tool.ts"

/**
 * Starts as many processes one after another; each is over when `until` is. CPU time and memory are those of one more,
 * since it costs time to take them.
 */
const starts = async (
  count: number,
  args: ReadonlyArray<string>,
  until: (exit: Promise<unknown>) => Promise<unknown> = (exit) => exit
): Promise<Measurement> => {
  if (!existsSync(BUILT)) throw new Error("There is no dist: npm run build")
  let seconds = 0
  for (let i = 0; i < count; i++) {
    const startedAt = performance.now()
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
    const exit = once(child, "exit")
    await until(exit)
    seconds += (performance.now() - startedAt) / 1_000
    const [code] = (await exit) as [number | null]
    if (code !== 0) throw new Error(`It ended with ${code}`)
  }
  const { cpuSeconds, peakRssBytes } = await measureProcess({ args, operations: 1 })
  return { operations: count, seconds, cpuSeconds: cpuSeconds * count, peakRssBytes }
}

/** Until the endpoint has the first request of a run. */
const firstRequests = (count: number): Promise<Measurement> =>
  withFolder(async (folder) => {
    let onRequest = (): void => {}
    const body = `{"model":"m","choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}`
    const server = createServer((request, response) => {
      onRequest()
      request.resume().on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(body))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    try {
      await writeRows(join(folder, "rows.jsonl"), rowsOf(1))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
      const args = [BUILT, "run", join(folder, "rows.jsonl"), "--overwrite", "--endpoint", `${url},model=m`]
      return await starts(count, args, (exit) =>
        Promise.race([
          exit,
          new Promise<void>((resolve) => {
            onRequest = resolve
          })
        ])
      )
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })

const count = (quick: boolean): number => (quick ? 2 : 20)

export const benchmark: Benchmark = {
  name: "startup",
  workload:
    "20 starts of the built tool, one after another, until its help has been printed or its first request has come",
  operation: "start",
  measure: "time",
  cases: [
    { name: "node -e 0", isBaseline: true, run: ({ quick }) => starts(count(quick), ["-e", "0"]) },
    { name: "--help", run: ({ quick }) => starts(count(quick), [BUILT, "--help"]) },
    { name: "first request of a run", run: ({ quick }) => firstRequests(count(quick)) }
  ],
  targets: [
    { claim: "--help at most 8 x node -e 0", figure: ({ ratio }) => ratio("node -e 0", "--help"), atMost: 8 },
    {
      claim: "the first request of a run at most 15 x node -e 0",
      figure: ({ ratio }) => ratio("node -e 0", "first request of a run"),
      atMost: 15
    }
  ]
}
