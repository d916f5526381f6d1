/**
 * What a request costs in each transport, against undici's bare `dispatch`, on one server in a process of its own.
 *
 *     node benchmarks/transport.ts [requests] [concurrency]
 *
 * The figure to compare is CPU time per request of this process: it hardly depends on the server or on what else the
 * machine does. Each way is run three times in turn, and the best run counts.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Client } from "undici"
import type { WireRequest } from "../src/domain/providers/Wire.ts"
import * as HttpClientTransport from "../src/layers/transport/HttpClientTransport.ts"
import * as UndiciTransport from "../src/layers/transport/UndiciTransport.ts"
import { Transport } from "../src/services/Transport.ts"

const ANSWER = JSON.stringify({
  model: "model-1",
  choices: [{ index: 0, message: { role: "assistant", content: "word ".repeat(100) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 20, completion_tokens: 100, total_tokens: 120 }
})

const serve = () => {
  const server = Http.createServer((request, response) => {
    request.resume().on("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": ANSWER.length }).end(ANSWER)
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
  headers: ["content-type", "application/json", "accept", "application/json", "authorization", "Bearer k"],
  body: JSON.stringify({ model: "model-1", messages: [{ role: "user", content: "word ".repeat(50) }] }),
  timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 }
})

type Run = (origin: string, requests: number, concurrency: number) => Promise<void>

/** The floor: one client per place, answers put together as text, nothing else. */
const bareUndici: Run = async (origin, requests, concurrency) => {
  const { method, path, headers, body } = wire(origin)
  let left = requests
  const one = (client: Client) =>
    new Promise<string>((resolve, reject) => {
      const chunks: Array<Buffer> = []
      client.dispatch(
        { method, path, headers: [...headers], body },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData: (_, chunk) => void chunks.push(chunk),
          onResponseEnd: () => resolve(Buffer.concat(chunks).toString()),
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
}

const transport =
  (layer: Layer.Layer<Transport>): Run =>
  (origin, requests, concurrency) =>
    Effect.gen(function* () {
      const { send } = yield* Transport
      const request = wire(origin)
      let left = requests
      const place = Effect.whileLoop({ while: () => left-- > 0, body: () => send(request), step: () => {} })
      yield* Effect.all(
        Array.from({ length: concurrency }, () => place),
        { concurrency: "unbounded", discard: true }
      )
    }).pipe(Effect.provide(layer), Effect.runPromise)

const ways: Record<string, Run> = {
  "undici dispatch, bare": bareUndici,
  UndiciTransport: transport(UndiciTransport.layer),
  "HttpClientTransport over undici": transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerUndici)),
  "HttpClientTransport over fetch": transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerFetch))
}

const measure = async (run: Run, origin: string, requests: number, concurrency: number) => {
  const cpuBefore = process.cpuUsage()
  const startedAt = performance.now()
  await run(origin, requests, concurrency)
  const cpu = process.cpuUsage(cpuBefore)
  return {
    cpuMicros: (cpu.user + cpu.system) / requests,
    perSecond: (requests * 1_000) / (performance.now() - startedAt)
  }
}

const main = async () => {
  const requests = Number(process.argv[2] ?? 20_000)
  const concurrency = Number(process.argv[3] ?? 64)
  const server = fork(fileURLToPath(import.meta.url), ["--serve"])
  try {
    const origin = String((await once(server, "message"))[0])
    const best: Record<string, Awaited<ReturnType<typeof measure>>> = {}
    for (let round = 0; round < 3; round++) {
      for (const [name, run] of Object.entries(ways)) {
        const result = await measure(run, origin, requests, concurrency)
        if (result.cpuMicros < (best[name]?.cpuMicros ?? Number.POSITIVE_INFINITY)) best[name] = result
      }
    }
    const floor = Math.min(...Object.values(best).map(({ cpuMicros }) => cpuMicros))
    console.log(`${requests} requests, ${concurrency} at once`)
    for (const [name, { cpuMicros, perSecond }] of Object.entries(best)) {
      const ratio = (cpuMicros / floor).toFixed(2)
      console.log(`${name.padEnd(34)}${cpuMicros.toFixed(1)} us CPU  ${ratio}x  ${Math.round(perSecond)}/s`)
    }
  } finally {
    server.disconnect()
  }
}

if (process.argv[2] === "--serve") serve()
else await main()
