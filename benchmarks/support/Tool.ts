/** Runs the command line tool on files of rows, and starts the endpoints that it is measured against. */
import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import { createWriteStream, existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./Benchmark.ts"
import { withFolder } from "./Folder.ts"
import { measureProcess } from "./Measure.ts"

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** The tool as it is published. */
export const BUILT = fileURLToPath(new URL("../../dist/main.js", import.meta.url))

/** The tool as it is published, when it has been built; else its sources, which start more slowly and take more memory. */
export const PROGRAM = existsSync(BUILT) ? BUILT : MAIN

/** An endpoint in a process of its own. */
export interface ForkedEndpoint<Facts> {
  readonly url: string
  /** What it has seen. */
  readonly facts: () => Promise<Facts>
  readonly close: () => Promise<void>
}

const forkEndpoint = async <Facts>(file: string, args: ReadonlyArray<string>): Promise<ForkedEndpoint<Facts>> => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv: [] })
  const [url] = (await once(child, "message")) as [string]
  return {
    url,
    facts: async () => {
      child.send("facts")
      const [facts] = (await once(child, "message")) as [Facts]
      return facts
    },
    close: async () => {
      child.disconnect()
      await once(child, "exit")
    }
  }
}

export interface EndpointFacts {
  readonly received: number
  /** In any window of a second, by when this process got to read them. */
  readonly mostInASecond: number
  /** CPU time of the endpoint's process in the time since the first request: near 1 it is what limits. */
  readonly coreShare: number
  readonly p99LoopDelayMs: number
}

/** Starts an endpoint whose answers take between `fromMs` and `toMs`. */
export const startEndpoint = (fromMs: number, toMs: number): Promise<ForkedEndpoint<EndpointFacts>> =>
  forkEndpoint("./slow-endpoint.ts", [String(fromMs), String(toMs)])

/** Starts an endpoint whose answers are streams of so many events, as fast as they are read. */
export const startEventEndpoint = (events: number): Promise<ForkedEndpoint<never>> =>
  forkEndpoint("./event-endpoint.ts", [String(events)])

/** Rows `{"input": "row N"}`. */
export const rowsOf = function* (count: number): Generator<string> {
  for (let row = 0; row < count; row += 1_000) {
    const length = Math.min(1_000, count - row)
    yield Array.from({ length }, (_, index) => `{"input":"row ${row + index}"}\n`).join("")
  }
}

export const writeRows = async (path: string, rows: Iterable<string>): Promise<void> => {
  const file = createWriteStream(path)
  for (const some of rows) if (!file.write(some)) await once(file, "drain")
  await new Promise<void>((resolve) => file.end(resolve))
}

export const writeConfig = (path: string, config: object): Promise<void> => writeFile(path, JSON.stringify(config))

/** An endpoint as configs have it. */
export const endpointConfig = (url: string, more: object): object => ({
  name: `port-${new URL(url).port}`,
  kind: "openai",
  baseUrl: new URL(url).pathname === "/" ? new URL("/v1", url).href : url,
  model: "model-1",
  ...more
})

/** From file to file, with everything on that is on by default; sees that every row is saved. */
export const runFile = ({
  connections,
  processes = 1,
  rows,
  total,
  url
}: {
  readonly url: string
  readonly rows: Iterable<string>
  /** How many rows. */
  readonly total: number
  readonly connections: number
  readonly processes?: number
}): Promise<Measurement> =>
  withFolder(async (folder) => {
    const [input, save, config] = [join(folder, "in.jsonl"), join(folder, "out.jsonl"), join(folder, "config.json")]
    await writeRows(input, rows)
    await writeConfig(config, { endpoints: [endpointConfig(url, { concurrency: connections })] })
    const files = [input, "--config", config, "--save-filepath", save]
    const measured = await measureProcess({
      args: [PROGRAM, "run", ...files, "--processes", String(processes)],
      operations: total
    })
    const saved = (await readFile(save)).reduce((lines, byte) => (byte === 10 ? lines + 1 : lines), 0)
    if (saved !== total) throw new Error(`${saved} of ${total} rows are saved`)
    return measured
  })

/** A server in a process of its own. */
export interface Server {
  readonly origin: string
  readonly pid: number
  readonly close: () => Promise<void>
}

/** Starts Node, and gives what it says on standard output as soon as that matches; SIGTERM ends it. */
export const startServer = async (args: ReadonlyArray<string>, says: RegExp, cwd?: string): Promise<Server> => {
  // Its log is written, and read by nobody.
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "ignore"] })
  const ended = once(child, "exit")
  let said = ""
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    const [, origin] = says.exec(said) ?? []
    if (origin === undefined || child.pid === undefined) continue
    child.stdout.resume()
    return {
      origin,
      pid: child.pid,
      close: async () => {
        child.kill("SIGTERM")
        await ended
      }
    }
  }
  throw new Error(`${args.join(" ")} ended: ${said}`)
}

/** Uses a running `serve` in front of the endpoint. */
export const withService = <A>(
  url: string,
  use: (service: Server) => Promise<A>,
  requestLog: "none" | "json" = "none"
): Promise<A> =>
  withFolder(async (folder) => {
    const config = join(folder, "config.json")
    await writeConfig(config, { endpoints: [endpointConfig(url, { concurrency: 1_024, queueCapacity: 4_096 })] })
    const args = [PROGRAM, "serve", "--config", config, "--port", "0", "--grace", "1s", "--request-log", requestLog]
    const service = await startServer(args, /serves on (http:\S+?),/, folder)
    try {
      return await use(service)
    } finally {
      await service.close()
    }
  })
