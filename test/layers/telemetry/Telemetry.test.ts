import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted, Stream } from "effect"
import type { TelemetryConfig } from "../../../src/domain/config/ServerConfig.ts"
import { Problem } from "../../../src/domain/server/Problem.ts"
import type { RequestRecord } from "../../../src/domain/server/RequestRecord.ts"
import * as DispatchedGenAiClient from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import * as Telemetry from "../../../src/layers/telemetry/Telemetry.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { Jobs } from "../../../src/services/Jobs.ts"
import { ServerTelemetry } from "../../../src/services/ServerTelemetry.ts"
import { config, endpoint } from "../../support/Config.ts"
import { parse, valueOf } from "../../support/PrometheusParser.ts"
import { record } from "../../support/Records.ts"
import { FakeTransport, ok, status } from "../genai/FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "the secret of the prompt" }] }

const settings = (overrides: Partial<TelemetryConfig> = {}): TelemetryConfig => ({
  otlpUrl: undefined,
  otlpHeaders: { "x-key": Redacted.make("collector-key") },
  serviceName: "test-service",
  sampleRatio: 1,
  ...overrides
})

const east = endpoint({ name: "east" })
const west = endpoint({ name: "west", kind: "openai" })

/** Telemetry and the client that it watches. */
const layers = (telemetry: TelemetryConfig, transport = new FakeTransport(() => ok())) =>
  Layer.provideMerge(
    Telemetry.layer({ config: telemetry, requestLog: "none" }),
    Layer.provide(
      DispatchedGenAiClient.layer(config([east, west], { retry: { baseMs: 1, factor: 1, capMs: 1 } })),
      transport.layer
    )
  )

/** What the collector was sent, per path. */
interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what must be in it
  readonly body: any
}

/** A collector on a port of its own; `answer` gives its status, or leaves the client without an answer. */
const collector = (answer: () => number | "hang" = () => 200) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const received: Array<Received> = []
      const server = createServer(async (request, response) => {
        received.push({ path: request.url ?? "", headers: request.headers, body: await json(request) })
        const code = answer()
        if (code !== "hang") response.writeHead(code, { "content-type": "application/json" }).end("{}")
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      return { received, server, url }
    }),
    ({ server }) =>
      Effect.promise(
        () =>
          new Promise((resolve) => {
            server.close(resolve)
            server.closeAllConnections()
          })
      )
  )

/** A value as OTLP has it in JSON. */
const plain = (value: Record<string, unknown>): unknown => {
  const [[kind, inner]] = Object.entries(value) as [
    [string, { readonly values: ReadonlyArray<Record<string, unknown>> }]
  ]
  return kind === "arrayValue" ? inner.values.map(plain) : inner
}

const attributesOf = (one: { readonly attributes: ReadonlyArray<{ readonly key: string; readonly value: object }> }) =>
  Object.fromEntries(one.attributes.map(({ key, value }) => [key, plain(value as Record<string, unknown>)]))

const spansOf = (received: ReadonlyArray<Received>) =>
  received
    .filter(({ path }) => path === "/v1/traces")
    .flatMap(({ body }) => body.resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans)

/** What the edge does with a request, in short. */
const serve = Effect.fnUntraced(function* (one: RequestRecord, isStreamed = false) {
  const telemetry = yield* ServerTelemetry
  const client = yield* GenAiClient
  telemetry.begun(one)
  const work = isStreamed
    ? Effect.asVoid(Stream.runDrain(client.stream(request)))
    : Effect.asVoid(client.generate(request))
  yield* Effect.ignore(telemetry.traced(one, work))
  telemetry.ended(one)
})

describe("metrics", () => {
  it.live("are one valid text of requests, endpoints, jobs and the process", () =>
    Effect.gen(function* () {
      yield* serve(record())
      const telemetry = yield* ServerTelemetry
      const text = yield* telemetry.prometheus
      const families = parse(text)
      assert.strictEqual(
        valueOf(families, "genai_dispatcher_http_requests_total", { route: "openai.chat", status: "200" }),
        1
      )
      assert.strictEqual(valueOf(families, "genai_dispatcher_endpoint_successes_total", { endpoint: "east" }), 1)
      assert.strictEqual(valueOf(families, "genai_dispatcher_endpoint_wait_seconds_count", { endpoint: "east" }), 1)
      assert.strictEqual(valueOf(families, "genai_dispatcher_jobs", { status: "Pending" }), 3)
      assert.strictEqual(valueOf(families, "genai_dispatcher_jobs_store_up"), 1)
      for (const name of ["process_cpu_seconds_total", "process_resident_memory_bytes", "nodejs_heap_used_bytes"]) {
        assert.isAbove(valueOf(families, name) ?? 0, 0, name)
      }
      assert.isAtLeast(valueOf(families, "nodejs_eventloop_lag_p99_seconds") ?? -1, 0)
      assert.notInclude(text, "secret")
    }).pipe(Effect.provide(Layer.provideMerge(layers(settings()), jobsLayer(Effect.succeed(someJobs)))))
  )

  it.live("count the jobs of a store where none can be kept, and say so", () =>
    Effect.gen(function* () {
      const families = parse(yield* (yield* ServerTelemetry).prometheus)
      assert.strictEqual(valueOf(families, "genai_dispatcher_jobs_store_up"), 0)
      assert.strictEqual(valueOf(families, "genai_dispatcher_jobs", { status: "Pending" }), 3)
    }).pipe(Effect.provide(Layer.provideMerge(layers(settings()), jobsLayer(Effect.succeed(someJobs), false))))
  )

  it.live("are told also when the store of the jobs is down", () =>
    Effect.gen(function* () {
      const families = parse(yield* (yield* ServerTelemetry).prometheus)
      assert.strictEqual(valueOf(families, "genai_dispatcher_jobs_store_up"), 0)
      assert.isFalse(families.has("genai_dispatcher_jobs"))
    }).pipe(
      Effect.provide(
        Layer.provideMerge(
          layers(settings()),
          jobsLayer(Effect.fail(new Problem({ kind: "Internal", message: "the store is down" })))
        )
      )
    )
  )

  it.live("count retries", () =>
    Effect.gen(function* () {
      yield* serve(record())
      const families = parse(yield* (yield* ServerTelemetry).prometheus)
      const sum = (name: string) => families.get(name)!.samples.reduce((total, { value }) => total + value, 0)
      assert.strictEqual(sum("genai_dispatcher_endpoint_sends_total"), 3)
      assert.strictEqual(sum("genai_dispatcher_endpoint_retries_total"), 2)
      assert.strictEqual(sum("genai_dispatcher_endpoint_failures_total"), 2)
    }).pipe(Effect.provide(layers(settings(), new FakeTransport((_, send) => (send < 3 ? status(500) : ok())))))
  )
})

const someJobs = { Pending: 3, Running: 1, Completed: 0, Failed: 0, Cancelled: 0 }

const jobsLayer = (counts: Jobs["Service"]["counts"], isUsable = true): Layer.Layer<Jobs> =>
  Layer.mock(Jobs)({ counts, isUsable: Effect.succeed(isUsable) })

describe("traces", () => {
  it.live("tell each request, and each attempt within it, without a word of contents", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      const transport = new FakeTransport((_, send) =>
        send === 1 ? status(500, {}, { message: "secret words" }) : ok()
      )
      yield* serve(record({ id: "r-1", attempts: 2 })).pipe(
        Effect.provide(layers(settings({ otlpUrl: url }), transport))
      )
      const spans = spansOf(received)
      assert.lengthOf(spans, 3)
      const server = spans.find(({ kind }) => kind === 2)!
      const [failed, answered] = spans.filter(({ kind }) => kind === 3)
      assert.strictEqual(server.name, "POST openai.chat")
      assert.deepInclude(attributesOf(server), {
        "http.response.status_code": 200,
        "genai_dispatcher.request_id": "r-1",
        "gen_ai.request.model": "fast",
        "gen_ai.response.model": "model-0613",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12
      })
      assert.strictEqual(answered.name, "chat test-model")
      assert.deepInclude(attributesOf(answered), {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "test-model",
        "gen_ai.response.model": "test-model-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "west.test",
        "server.port": 80,
        "genai_dispatcher.attempt": 2
      })
      assert.deepInclude(attributesOf(failed), { "error.type": "ServerError", "http.response.status_code": 500 })
      assert.strictEqual(failed.status.code, 2)
      for (const attempt of [failed, answered]) {
        assert.strictEqual(attempt.traceId, server.traceId)
        assert.strictEqual(attempt.parentSpanId, server.spanId)
      }
      assert.isUndefined(server.parentSpanId)
      const [sent] = received
      assert.strictEqual(sent!.headers["x-key"], "collector-key")
      assert.deepInclude(attributesOf(sent!.body.resourceSpans[0].resource), { "service.name": "test-service" })
      assert.notInclude(JSON.stringify(received), "secret")
    })
  )

  it.live("have streamed attempts too", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      const events = [
        { model: "m-1", choices: [{ delta: { content: "hello" } }] },
        { model: "m-1", choices: [{ delta: {}, finish_reason: "length" }] }
      ]
      const body = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`
      const transport = new FakeTransport(() =>
        Effect.succeed({ status: 200, headers: { "content-type": "text/event-stream" }, body })
      )
      yield* serve(record(), true).pipe(Effect.provide(layers(settings({ otlpUrl: url }), transport)))
      const attempt = spansOf(received).find(({ kind }) => kind === 3)!
      assert.deepInclude(attributesOf(attempt), {
        "gen_ai.response.model": "m-1",
        "gen_ai.response.finish_reasons": ["length"]
      })
    })
  )

  it.live("go on where the client's trace is, and are recorded when that is", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
      yield* Effect.gen(function* () {
        yield* serve(record({ traceparent: `00-${traceId}-00f067aa0ba902b7-01` }))
        yield* serve(record({ id: "unrecorded", traceparent: `00-${traceId}-00f067aa0ba902b8-00` }))
      }).pipe(Effect.provide(layers(settings({ otlpUrl: url, sampleRatio: 0.5 }))))
      const servers = spansOf(received).filter(({ kind }) => kind === 2)
      assert.deepStrictEqual(
        servers.map((span) => [span.traceId, span.parentSpanId]),
        [[traceId, "00f067aa0ba902b7"]]
      )
    })
  )

  it.live("are a share of the requests, and none when that is 0", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      const many = Effect.forEach(Array.from({ length: 400 }), () => serve(record()), { discard: true })
      yield* many.pipe(Effect.provide(layers(settings({ otlpUrl: url, sampleRatio: 0.25 }))))
      const count = spansOf(received).filter(({ kind }) => kind === 2).length
      // Six standard deviations: wrong once in 500 million runs.
      assert.isTrue(count > 48 && count < 152, `${count} of 400`)
      received.length = 0
      yield* many.pipe(Effect.provide(layers(settings({ otlpUrl: url, sampleRatio: 0 }))))
      assert.lengthOf(received, 0)
    })
  )

  it.live("end as interrupted when the client has gone, and as failed when the service has", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      yield* Effect.gen(function* () {
        yield* serve(record({ id: "gone", status: 499, isAborted: true }))
        yield* serve(record({ id: "failed", status: 503, problem: "Overloaded" }))
        yield* serve(record({ id: "wrong", status: 400, problem: "InvalidRequest" }))
      }).pipe(Effect.provide(layers(settings({ otlpUrl: url }))))
      const codes = spansOf(received)
        .filter(({ kind }) => kind === 2)
        .map((span) => [
          attributesOf(span)["genai_dispatcher.request_id"],
          span.status.code,
          attributesOf(span)["error.type"]
        ])
      assert.deepStrictEqual(codes, [
        ["gone", 0, undefined],
        ["failed", 2, "Overloaded"],
        ["wrong", 1, "InvalidRequest"]
      ])
    })
  )

  it.live("without a collector, the work is the work itself", () =>
    Effect.gen(function* () {
      const telemetry = yield* ServerTelemetry
      const work = Effect.succeed(1)
      assert.strictEqual(telemetry.traced(record(), work), work)
    }).pipe(Effect.provide(layers(settings())))
  )

  it.live("are lost, not the requests, when the collector is down; that is said once", () =>
    Effect.gen(function* () {
      const down = yield* Effect.scoped(Effect.map(collector(), ({ url }) => url))
      const said: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel === "Warn" || logLevel === "Error") said.push(String(message))
      })
      const telemetry = settings({ otlpUrl: down })
      let served = 0
      yield* Effect.forEach(Array.from({ length: 1_500 }), () => Effect.map(serve(record()), () => served++), {
        discard: true
      }).pipe(Effect.provide(Layer.provide(layers(telemetry), Logger.layer([logger]))))
      assert.strictEqual(served, 1_500)
      assert.lengthOf(said, 1)
      assert.include(said[0], "ECONNREFUSED")
      assert.notInclude(said[0], "collector-key")
    })
  )
})

describe("a collector that does not answer", () => {
  it.live("gets no more than a few exports at once, and requests go on untraced", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector(() => "hang")
      let served = 0
      const one = Effect.map(Effect.andThen(serve(record()), Effect.yieldNow), () => served++)
      yield* Effect.forEach(Array.from({ length: 3_000 }), () => one, { discard: true }).pipe(
        Effect.provide(layers(settings({ otlpUrl: url })))
      )
      assert.strictEqual(served, 3_000)
      // 512 spans each, and what was under way when the last began.
      assert.isAtMost(received.length, 4)
    })
  )
})

describe("logs", () => {
  it.live("go to the collector as well", () =>
    Effect.gen(function* () {
      const { received, url } = yield* collector()
      yield* Effect.logWarning("endpoint east rests").pipe(
        Effect.provide(Telemetry.layerLogger(settings({ otlpUrl: url })))
      )
      const sent = received[0]!
      assert.strictEqual(sent.path, "/v1/logs")
      const [log] = sent.body.resourceLogs[0].scopeLogs[0].logRecords
      assert.deepInclude(log, { severityText: "Warn", body: { stringValue: "endpoint east rests" } })
    })
  )
})
