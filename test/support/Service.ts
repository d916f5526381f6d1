/** The service and the sandbox as processes of their own, and bare connections to them. */
import { readFileSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { Effect } from "effect"
import { Agent, request } from "undici"
import type { SandboxStats } from "../../src/domain/sandbox/SandboxStats.ts"
import { type Started, type StartOptions, saysBeforeEnd, start } from "./Cli.ts"
import { temporaryFolder } from "./TemporaryFolder.ts"

export { until } from "./Cli.ts"

export interface Running extends Started {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string
  readonly port: number
  readonly pid: number
}

const running = Effect.fnUntraced(function* (started: Started, words: RegExp) {
  const [, url = ""] = yield* saysBeforeEnd(started, words)
  const running: Running = { ...started, url, port: Number(new URL(url).port), pid: started.child.pid ?? 0 }
  return running
})

export const startSandbox = (args: ReadonlyArray<string>) =>
  Effect.flatMap(start(["sandbox", "--port", "0", ...args]), (started) =>
    running(started, /listening on (http:\/\/[^/\s]+)/)
  )

/** Starts the service on any free port, and waits for its start screen. */
export const serve = (args: ReadonlyArray<string>, options: StartOptions) =>
  Effect.flatMap(start(["serve", "--port", "0", "--request-log", "none", ...args], options), (started) =>
    running(started, /serves on (http:\S+?),[\s\S]*Ctrl-C/)
  )

export interface ServiceOptions {
  /** The folder that it works in: the file of jobs is there. */
  readonly folder: (name: string) => string
  /** The sandbox behind it. Default: none, the endpoints are in `config`. */
  readonly sandbox?: string
  /** Fields of the endpoint. */
  readonly endpoint?: Readonly<Record<string, unknown>>
  /** Sections of the config file. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly args?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** The config file's name. Default: dispatcher.json */
  readonly name?: string
}

/** Starts the service with a config file. */
export const startService = (options: ServiceOptions) =>
  Effect.suspend(() => {
    const { args = [], env = {}, folder, name = "dispatcher.json", sandbox } = options
    const endpoint = { name: "east", kind: "openai", baseUrl: `${sandbox}/v1`, model: "m", ...options.endpoint }
    // JSON is YAML.
    writeFileSync(folder(name), JSON.stringify({ endpoints: [endpoint], ...options.config }))
    return serve(["--config", folder(name), ...args], { cwd: folder(""), env })
  })

/** A service in a folder of its own, before a sandbox of its own; `again` starts another with all that, once it has ended. */
export const serviceBefore = Effect.fnUntraced(function* (
  sandboxArgs: ReadonlyArray<string>,
  options: Omit<ServiceOptions, "folder" | "sandbox"> = {}
) {
  const folder = yield* temporaryFolder
  const sandbox = yield* startSandbox(sandboxArgs)
  const again = startService({ ...options, folder, sandbox: sandbox.url })
  return { folder, sandbox, service: yield* again, again }
})

/** Connections enough for any test, and answers that may take their time. */
const agent = new Agent({ connections: 64, pipelining: 1, headersTimeout: 120_000 })

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

export const send = (
  url: string,
  options: { readonly method?: "DELETE" | "GET" | "POST"; readonly body?: unknown; readonly agent?: Agent } = {}
): Effect.Effect<Answer> =>
  Effect.promise(async (signal) => {
    const response = await request(url, {
      method: options.method ?? (options.body === undefined ? "GET" : "POST"),
      headers: options.body === undefined ? {} : { "content-type": "application/json" },
      body: options.body === undefined ? null : JSON.stringify(options.body),
      dispatcher: options.agent ?? agent,
      signal
    })
    return { status: response.statusCode, headers: response.headers, body: await response.body.text() }
  })

const json = <A>(url: string): Effect.Effect<A> => Effect.map(send(url), ({ body }): A => JSON.parse(body))

export const sandboxStats = (sandbox: Running) => json<SandboxStats>(`${sandbox.url}/stats`)

/** What the service says of its first endpoint. */
export const worker = (service: Running) =>
  Effect.map(
    json<
      ReadonlyArray<{
        readonly inflight: number
        readonly queue_len: number
        readonly aborted: number
        readonly sent: number
        readonly completed: number
      }>
    >(`${service.url}/metrics`),
    (workers) => workers[0]!
  )

/** Requests that the service is working on, besides the one that asks. */
export const requestsInFlight = (service: Running) =>
  Effect.map(send(`${service.url}/metrics/prometheus`), ({ body }) => {
    const counts = [...body.matchAll(/^genai_dispatcher_http_requests_in_flight(?:\{[^}]*\})? (\d+)$/gm)]
    if (counts.length === 0) throw new Error(`no requests in flight in:\n${body}`)
    return counts.reduce((sum, [, count]) => sum + Number(count), 0) - 1
  })

/** Memory that the process holds now, in bytes (`VmRSS` of proc(5)). */
export const memoryOf = ({ pid }: Running): number => {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  if (found === null) throw new Error("the process is gone")
  return Number(found[1]) * 1024
}

/** A connection of which the test decides every byte; gone with the scope. */
export const connection = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<Socket, Error>((resume) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true })
      socket.once("error", (error) => resume(Effect.fail(error)))
      socket.once("connect", () => {
        socket.on("error", () => {})
        resume(Effect.succeed(socket))
      })
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A whole request as bytes. */
export const bytesOf = (path: string, body: unknown, headers: ReadonlyArray<string> = []): string => {
  const text = JSON.stringify(body)
  return [
    `POST ${path} HTTP/1.1`,
    "host: localhost",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(text)}`,
    ...headers,
    "",
    text
  ].join("\r\n")
}
