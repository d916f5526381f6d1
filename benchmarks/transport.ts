/** What a request costs in each transport, next to undici's bare `dispatch`, against the same server. */
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { Client } from "undici"
import type { WireRequest } from "../src/domain/providers/Wire.ts"
import * as HttpClientTransport from "../src/layers/transport/HttpClientTransport.ts"
import * as UndiciTransport from "../src/layers/transport/UndiciTransport.ts"
import { Transport } from "../src/services/Transport.ts"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"
import { startNginx } from "./support/nginx.ts"

interface Context {
  readonly url: string
}

const REQUESTS = 100_000
const QUICK_REQUESTS = 2_000
const CONNECTIONS = [64, 256]

const wire = (url: string): WireRequest => {
  const { origin, pathname } = new URL(`${url}/chat/completions`)
  return {
    method: "POST",
    origin,
    path: pathname,
    headers: ["content-type", "application/json", "accept", "application/json", "authorization", "Bearer k"],
    body: JSON.stringify({ model: "model-1", messages: [{ role: "user", content: "word ".repeat(50) }] }),
    timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 }
  }
}

/** Sends so many and gives how many were answered. */
type Way = (request: WireRequest, requests: number, connections: number) => Promise<number>

/** The floor: one client for each place, answers put together as text, nothing else. */
const bare: Way = async ({ body, headers, method, origin, path }, requests, connections) => {
  let left = requests
  let done = 0
  const one = (client: Client) =>
    new Promise<void>((resolve, reject) => {
      const chunks: Array<Buffer> = []
      client.dispatch(
        { method, path, headers: [...headers], body },
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
      while (left-- > 0) await one(client)
      await client.close()
    })
  )
  return done
}

const transport =
  (layer: Layer.Layer<Transport>): Way =>
  (request, requests, connections) =>
    Effect.gen(function* () {
      const { send } = yield* Transport
      let left = requests
      let done = 0
      const place = Effect.whileLoop({
        while: () => left-- > 0,
        body: () => send(request),
        step: ({ body }) => {
          if (body.includes("choices")) done++
        }
      })
      yield* Effect.all(
        Array.from({ length: connections }, () => place),
        { concurrency: "unbounded", discard: true }
      )
      return done
    }).pipe(Effect.provide(layer), Effect.runPromise)

const BARE = "undici dispatch, bare"
const OURS = "UndiciTransport"
const WAYS: Readonly<Record<string, Way>> = {
  [BARE]: bare,
  [OURS]: transport(UndiciTransport.layer),
  "HttpClientTransport over undici": transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerUndici)),
  "HttpClientTransport over fetch": transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerFetch))
}

const nameOf = (way: string, connections: number) => `${way}, ${connections} connections`

const cases = CONNECTIONS.flatMap((connections) =>
  Object.entries(WAYS).map(
    ([name, way]): Case<Context> => ({
      name: nameOf(name, connections),
      group: `${connections} connections`,
      isBaseline: name === BARE,
      run: ({ context, quick }) => {
        const requests = quick ? QUICK_REQUESTS : REQUESTS
        return measure(async () => {
          const done = await way(wire(context.url), requests, connections)
          if (done !== requests) throw new Error(`${done} of ${requests} are answered`)
          return done
        })
      }
    })
  )
)

export const benchmark: Benchmark<Context> = {
  name: "transport",
  workload: "100,000 requests over 64 and 256 keep-alive connections to nginx",
  operation: "request",
  setup: async () => {
    const nginx = await startNginx()
    return { context: { url: nginx.plainUrl }, close: nginx.close }
  },
  cases,
  targets: [
    {
      claim: "with 64 connections at least 0.8 x the rate of bare undici",
      figure: (summary) => summary.ratio(nameOf(OURS, 64), nameOf(BARE, 64)),
      atLeast: 0.8
    }
  ]
}
