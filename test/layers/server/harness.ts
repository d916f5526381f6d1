/** The service on a real socket, in front of a sandbox or of a client that the test writes. */
import { once } from "node:events"
import { connect } from "node:net"
import { Effect, Schedule, Stream } from "effect"
import { Agent, type Dispatcher, request } from "undici"
import type { DispatcherConfig, EndpointConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { ServerConfig } from "../../../src/domain/config/ServerConfig.ts"
import type { SandboxInput } from "../../../src/domain/sandbox/SandboxOptions.ts"
import { Problem } from "../../../src/domain/server/Problem.ts"
import type { RequestRecord } from "../../../src/domain/server/RequestRecord.ts"
import * as DispatchedGenAiClient from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import * as SandboxServer from "../../../src/layers/sandbox/SandboxServer.ts"
import * as HttpService from "../../../src/layers/server/HttpService.ts"
import * as NoTelemetry from "../../../src/layers/server/NoTelemetry.ts"
import * as Http1Transport from "../../../src/layers/transport/Http1Transport.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { Jobs } from "../../../src/services/Jobs.ts"
import { ServerTelemetry } from "../../../src/services/ServerTelemetry.ts"
import { Transport } from "../../../src/services/Transport.ts"
import { config, endpoint } from "../../support/Config.ts"

const none = Effect.fail(new Problem({ kind: "NotFound", message: "There are no jobs here." }))

/** The service's jobs are tested elsewhere. */
const noJobs = Jobs.of({
  submit: () => none,
  get: () => none,
  list: () => none,
  cancel: () => none,
  events: () => {
    throw new Error("no jobs here")
  },
  counts: none,
  isUsable: Effect.succeed(true),
  drain: () => Effect.void
})

export const serverConfig = (overrides: Partial<ServerConfig> = {}): ServerConfig => ({
  host: "127.0.0.1",
  port: 0,
  apiKeys: [],
  maxBodyBytes: 100_000,
  graceMs: 1_000,
  requestLog: "none",
  jobs: { store: { kind: "memory" }, ttlMs: 60_000, maxPending: 100, concurrency: 10, instance: "test" },
  webhooks: { secret: undefined, allowPrivate: false, maxAttempts: 1 },
  models: new Map(),
  telemetry: { otlpUrl: undefined, otlpHeaders: {}, serviceName: "test", sampleRatio: 0 },
  ...overrides
})

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

export interface StartOptions {
  readonly server?: Partial<ServerConfig>
  readonly dispatcher?: Partial<DispatcherConfig>
  readonly endpoints?: ReadonlyArray<EndpointConfig>
  readonly timeouts?: HttpService.HttpServiceOptions["timeouts"]
}

/** Starts the service for a client, and something to call it with. */
export const serve = Effect.fnUntraced(function* (client: GenAiClient["Service"], options: StartOptions = {}) {
  const records: Array<RequestRecord> = []
  let begun = 0
  const telemetry = ServerTelemetry.of({
    ...NoTelemetry.make,
    begun: () => {
      begun += 1
    },
    ended: (record) => {
      records.push({ ...record })
    }
  })
  const service = yield* HttpService.make({
    server: serverConfig(options.server),
    dispatcher: config(options.endpoints ?? [endpoint({ name: "east" })], options.dispatcher),
    timeouts: options.timeouts
  }).pipe(
    Effect.provideService(GenAiClient, client),
    Effect.provideService(Jobs, noJobs),
    Effect.provideService(ServerTelemetry, telemetry)
  )
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent({ connections: 256, pipelining: 1 })),
    (agent) => Effect.promise(() => agent.destroy())
  )
  /** Interruption aborts the request. */
  const send = (path: string, options: Partial<Pick<Dispatcher.RequestOptions, "method" | "headers" | "body">> = {}) =>
    Effect.promise(async (signal): Promise<Answer> => {
      const response = await request(new URL(path, service.url), { ...options, dispatcher: agent, signal })
      return { status: response.statusCode, headers: response.headers, body: await response.body.text() }
    })
  const chat = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
  /** Waits until what is measured satisfies the predicate. */
  const until = <A>(measure: Effect.Effect<A>, predicate: (value: A) => boolean) =>
    Effect.repeat(measure, { until: predicate, schedule: Schedule.spaced("2 millis") })
  return { service, agent, send, chat, records, begun: () => begun, until, url: service.url, port: service.port }
})

/** The whole way: service, client, transport, sandbox. */
export const start = Effect.fnUntraced(function* (
  sandboxInput: SandboxInput = {},
  options: StartOptions & { readonly endpoint?: Partial<EndpointConfig> } = {}
) {
  const sandbox = yield* SandboxServer.make(sandboxInput)
  const endpoints = options.endpoints ?? [
    endpoint({ name: "east", baseUrl: new URL(sandbox.url), ...options.endpoint })
  ]
  const client = yield* DispatchedGenAiClient.make(config(endpoints, options.dispatcher)).pipe(
    Effect.provideService(Transport, yield* Http1Transport.make())
  )
  const served = yield* serve(client, { ...options, endpoints })
  return { ...served, sandbox, client }
})

export const ask = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  model: "test-model",
  messages: [{ role: "user", content: text }],
  ...more
})

/** A client that answers as the test says. */
export const fakeClient = (parts: Partial<GenAiClient["Service"]>): GenAiClient["Service"] =>
  GenAiClient.of({
    generate: () => Effect.die(new Error("generate is not expected")),
    stream: () => Stream.die(new Error("stream is not expected")),
    stats: Effect.succeed([]),
    drain: () => Effect.succeed(true),
    ...parts
  })

/** Sends bytes as they are. `received` is what has come back; the promise ends with the connection. */
export const rawConnection = Effect.fnUntraced(function* (port: number) {
  const socket = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = connect(port, "127.0.0.1")
      await once(socket, "connect")
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )
  let received = ""
  socket.setEncoding("utf8")
  const onData = (text: string) => {
    received += text
  }
  socket.on("data", onData)
  socket.on("error", () => {})
  return {
    socket,
    send: (text: string | Buffer) => Effect.sync(() => void socket.write(text)),
    received: Effect.sync(() => received),
    /** All that came until the server closed the connection. */
    closed: Effect.callback<string>((resume) => {
      const done = () => resume(Effect.sync(() => received))
      if (socket.closed) done()
      else socket.once("close", done)
    }),
    /** Waits until it has come. */
    until: (pattern: RegExp) =>
      Effect.callback<string>((resume) => {
        const check = () => {
          if (!pattern.test(received)) return
          socket.off("data", check)
          resume(Effect.succeed(received))
        }
        socket.on("data", check)
        check()
        return Effect.sync(() => socket.off("data", check))
      })
  }
})

/** A whole request as bytes. */
export const rawChat = (body: string, headers: ReadonlyArray<string> = []): string =>
  [
    "POST /v1/chat/completions HTTP/1.1",
    "host: localhost",
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    ...headers,
    "",
    body
  ].join("\r\n")
