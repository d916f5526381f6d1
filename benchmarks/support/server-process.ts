/**
 * A server to be measured, in a process of its own: `service` passes requests on to the endpoint at the URL, `bare` is
 * node:http that reads a request and answers it by itself. Says its port on standard output; ends with its standard input.
 *
 *     node benchmarks/support/server-process.ts service|bare URL
 */
import { createServer } from "node:http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import type { DispatcherConfig } from "../../src/domain/config/DispatcherConfig.ts"
import type { ServerConfig } from "../../src/domain/config/ServerConfig.ts"
import { Problem } from "../../src/domain/server/Problem.ts"
import * as DispatchedGenAiClient from "../../src/layers/genai/DispatchedGenAiClient.ts"
import * as HttpService from "../../src/layers/server/HttpService.ts"
import * as NoTelemetry from "../../src/layers/server/NoTelemetry.ts"
import * as UndiciTransport from "../../src/layers/transport/UndiciTransport.ts"
import { HttpService as Service } from "../../src/services/HttpService.ts"
import { Jobs } from "../../src/services/Jobs.ts"
import { config, endpoint } from "../../test/support/Config.ts"

const dispatcher = (url: URL): DispatcherConfig =>
  config([endpoint({ name: "east", baseUrl: url, model: "model-1", concurrency: 1024, queueCapacity: 4096 })])

const server: ServerConfig = {
  host: "127.0.0.1",
  port: 0,
  apiKeys: [],
  maxBodyBytes: 10_485_760,
  graceMs: 1_000,
  requestLog: "none",
  jobs: { store: { kind: "memory" }, ttlMs: 60_000, maxPending: 100, concurrency: 10, instance: "benchmark" },
  webhooks: { secret: undefined, allowPrivate: false, maxAttempts: 1 },
  models: new Map(),
  telemetry: { otlpUrl: undefined, otlpHeaders: {}, serviceName: "benchmark", sampleRatio: 0 }
}

const none = Effect.fail(new Problem({ kind: "NotFound", message: "There are no jobs here." }))
const noJobs = Layer.succeed(Jobs, {
  submit: () => none,
  get: () => none,
  list: () => none,
  cancel: () => none,
  events: () => Stream.unwrap(none),
  counts: none,
  drain: () => Effect.void
})

const service = (url: URL): Promise<number> => {
  const parts = dispatcher(url)
  const client = Layer.provide(DispatchedGenAiClient.layer(parts), UndiciTransport.layer)
  const layer = Layer.provide(HttpService.layer({ server, dispatcher: parts }), [client, noJobs, NoTelemetry.layer])
  return new Promise((resolve, reject) => {
    const running = Effect.flatMap(Service, ({ port }) => {
      resolve(port)
      return Effect.never
    })
    Effect.runFork(Effect.provide(running, Layer.mergeAll(layer, Logger.layer([])))).addObserver(reject)
  })
}

const ANSWER = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "model-1",
  choices: [{ index: 0, message: { role: "assistant", content: "word ".repeat(60) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 20, completion_tokens: 60, total_tokens: 80 }
})

const bare = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        response.writeHead(200, ["content-type", "application/json", "content-length", String(ANSWER.length)])
        response.end(ANSWER)
      })
    })
    server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  })

const [how, url] = process.argv.slice(2)
const port = await (how === "service" ? service(new URL(String(url))) : bare())
process.stdout.write(`${port}\n`)
process.stdin.on("end", () => process.exit(0)).resume()
