/** Runs the command line tool on a file of rows, against an endpoint that says how long it took. */
import { fork } from "node:child_process"
import { once } from "node:events"
import { createWriteStream, existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

const BUILT = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** The tool as it is published, when it has been built; else its sources, which start more slowly and take more memory. */
export const PROGRAM = existsSync(BUILT) ? BUILT : MAIN

export interface SlowEndpoint {
  readonly url: string
  /** What came since the last time. */
  readonly stats: () => Promise<EndpointFacts>
  readonly close: () => Promise<void>
}

export interface EndpointFacts {
  readonly received: number
  readonly mostInASecond: number
  readonly steadyRate: number
  readonly p99LatenessMs: number
  readonly p50TookMs: number
  readonly p99TookMs: number
}

/** Starts an endpoint whose answers take between `fromMs` and `toMs`. */
export const startEndpoint = async (fromMs: number, toMs: number): Promise<SlowEndpoint> => {
  const file = fileURLToPath(new URL("./slow-endpoint.ts", import.meta.url))
  const child = fork(file, [String(fromMs), String(toMs)])
  const [url] = (await once(child, "message")) as [string]
  return {
    url,
    stats: async () => (await (await fetch(`${url}/stats`)).json()) as EndpointFacts,
    close: async () => {
      child.disconnect()
      await once(child, "exit")
    }
  }
}

/** Calls with a folder that is gone afterwards. */
export const withFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "benchmark-"))
  try {
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Rows `{"input": "row N"}`. */
export const writeRows = async (path: string, count: number): Promise<void> => {
  const file = createWriteStream(path)
  for (let row = 0; row < count; row += 10_000) {
    const length = Math.min(10_000, count - row)
    const text = Array.from({ length }, (_, i) => `{"input":"row ${row + i}"}\n`).join("")
    if (!file.write(text)) await once(file, "drain")
  }
  await new Promise<void>((resolve) => file.end(resolve))
}

export const writeConfig = (path: string, config: object): Promise<void> => writeFile(path, JSON.stringify(config))

/** How long the sends took until their answers were whole, as the tool saw it: from its summary, under `--progress json`. */
export const latencyIn = (errors: string): { readonly p50Ms: number; readonly p99Ms: number } => {
  const found = [...errors.matchAll(/"p50_ms":([\d.]+),.*?"p99_ms":([\d.]+)/g)].at(-1)
  if (found === undefined) throw new Error(`The tool told no latencies: ${errors.slice(-500)}`)
  return { p50Ms: Number(found[1]), p99Ms: Number(found[2]) }
}
