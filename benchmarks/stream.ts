/**
 * What an event of a streamed answer costs: undici's bare `dispatch` with the bytes thrown away, the transport alone, and
 * the whole client down to typed events; all against one server in a process of its own.
 *
 *     node benchmarks/stream.ts [streams] [events] [concurrency]
 *
 * The figure to compare is CPU time per event of this process. The server sends as fast as it is read, one event to a
 * chunk; real models send some hundred events a second per stream. Each way is run three times in turn, and the best run
 * counts.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"
import { Effect, Layer, Stream } from "effect"
import { Client } from "undici"
import { DispatchedGenAiClient, GenAiClient, Transport, UndiciTransport, type WireRequest } from "../src/index.ts"
import { config, endpoint } from "../test/support/Config.ts"

const chunkOf = (choices: ReadonlyArray<object>, usage: object | null) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "model-1", choices, usage })}\n\n`

const DELTA = chunkOf([{ index: 0, delta: { content: " word" }, finish_reason: null }], null)
const LAST = chunkOf([{ index: 0, delta: {}, finish_reason: "stop" }], null)
const USAGE = chunkOf([], { prompt_tokens: 20, completion_tokens: 100, total_tokens: 120 })

const serve = (events: number) => {
  const server = Http.createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      let left = events
      const write = (): void => {
        while (left-- > 0) if (!response.write(DELTA)) return void response.once("drain", write)
        response.end(`${LAST}${USAGE}data: [DONE]\n\n`)
      }
      write()
    })
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    process.send?.(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`)
  })
  process.on("disconnect", () => process.exit())
}

const wire = (origin: string): WireRequest => ({
  method: "POST",
  origin,
  path: "/v1/chat/completions",
  headers: ["content-type", "application/json"],
  body: JSON.stringify({ model: "model-1", stream: true, messages: [{ role: "user", content: "hi" }] }),
  timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 }
})

/** Reads so many streams, so many at once; gives the text deltas or, where nobody parses, the bytes that came. */
type Run = (origin: string, streams: number, concurrency: number) => Promise<number>

/** The floor: the bytes are counted and thrown away. */
const bareUndici: Run = async (origin, streams, concurrency) => {
  const { method, path, headers, body } = wire(origin)
  let left = streams
  let bytes = 0
  const one = (client: Client) =>
    new Promise<void>((resolve, reject) => {
      client.dispatch(
        { method, path, headers: [...headers], body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_, chunk) => {
            bytes += chunk.length
          },
          onResponseEnd: () => resolve(),
          onResponseError: (_, error) => reject(error)
        }
      )
    })
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      const client = new Client(origin, { allowH2: false, pipelining: 1 })
      while (left-- > 0) await one(client)
      await client.close()
    })
  )
  return bytes
}

const times = <E, R>(one: Effect.Effect<void, E, R>, streams: number, concurrency: number) => {
  let left = streams
  const place = Effect.whileLoop({ while: () => left-- > 0, body: () => one, step: () => {} })
  return Effect.all(
    Array.from({ length: concurrency }, () => place),
    { concurrency: "unbounded", discard: true }
  )
}

const transport: Run = (origin, streams, concurrency) =>
  Effect.gen(function* () {
    const { open } = yield* Transport
    let bytes = 0
    const one = Effect.scoped(
      Effect.flatMap(open(wire(origin)), ({ body }) =>
        Stream.runForEachArray(body, (chunks) =>
          Effect.sync(() => {
            for (const chunk of chunks) bytes += chunk.length
          })
        )
      )
    )
    yield* times(one, streams, concurrency)
    return bytes
  }).pipe(Effect.provide(UndiciTransport.layer), Effect.runPromise)

const client: Run = (origin, streams, concurrency) =>
  Effect.gen(function* () {
    const { stream } = yield* GenAiClient
    let deltas = 0
    const one = Stream.runForEachArray(stream({ messages: [{ role: "user", content: "hi" }] }), (events) =>
      Effect.sync(() => {
        for (const { _tag } of events) if (_tag === "TextDelta") deltas++
      })
    )
    yield* times(one, streams, concurrency)
    return deltas
  }).pipe(
    Effect.provide(
      DispatchedGenAiClient.layer(config([endpoint({ name: "bench", baseUrl: new URL(`${origin}/v1`) })])).pipe(
        Layer.provide(UndiciTransport.layer)
      )
    ),
    Effect.runPromise
  )

const ways: Record<string, Run> = {
  "undici dispatch, bare": bareUndici,
  "UndiciTransport.open": transport,
  "GenAiClient.stream": client
}

const main = async () => {
  const streams = Number(process.argv[2] ?? 200)
  const events = Number(process.argv[3] ?? 500)
  const concurrency = Number(process.argv[4] ?? 50)
  const total = streams * events
  const server = fork(fileURLToPath(import.meta.url), ["--serve", String(events)])
  try {
    const origin = String((await once(server, "message"))[0])
    const best: Record<string, { readonly cpuMicros: number; readonly perSecond: number }> = {}
    for (let round = 0; round < 3; round++) {
      for (const [name, run] of Object.entries(ways)) {
        const cpuBefore = process.cpuUsage()
        const startedAt = performance.now()
        const seen = await run(origin, streams, concurrency)
        const perSecond = (total * 1_000) / (performance.now() - startedAt)
        const cpu = process.cpuUsage(cpuBefore)
        const wanted = run === client ? total : streams * (events * DELTA.length + LAST.length + USAGE.length + 14)
        if (seen !== wanted) throw new Error(`${name} saw ${seen} instead of ${wanted}`)
        const cpuMicros = (cpu.user + cpu.system) / total
        if (cpuMicros < (best[name]?.cpuMicros ?? Number.POSITIVE_INFINITY)) best[name] = { cpuMicros, perSecond }
      }
    }
    console.log(`${streams} streams of ${events} events, ${concurrency} at once`)
    for (const [name, { cpuMicros, perSecond }] of Object.entries(best)) {
      console.log(`${name.padEnd(24)}${cpuMicros.toFixed(2)} us CPU per event  ${Math.round(perSecond)} events/s`)
    }
  } finally {
    server.disconnect()
  }
}

if (process.argv[2] === "--serve") serve(Number(process.argv[3]))
else await main()
