/** What a request costs in each transport, next to undici's bare `dispatch`, against the same server. */
import { setDefaultCACertificates } from "node:tls"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import type { WireRequest } from "../src/domain/providers/Wire.ts"
import * as Http1Transport from "../src/layers/transport/Http1Transport.ts"
import * as HttpClientTransport from "../src/layers/transport/HttpClientTransport.ts"
import { Transport } from "../src/services/Transport.ts"
import { bareAnswers } from "./support/Bare.ts"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"
import { type Nginx, startNginx } from "./support/nginx.ts"

/** What the requests go over. */
interface Line {
  readonly connections: number
  readonly isSecure: boolean
}

const LINES: ReadonlyArray<Line> = [
  { connections: 64, isSecure: false },
  { connections: 256, isSecure: false },
  { connections: 64, isSecure: true }
]

const wire = (url: string): WireRequest & { readonly body: string } => {
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
type Way = (url: string, requests: number, connections: number) => Promise<number>

/** The floor: one client for each place, answers put together as text, nothing else. */
const bare: Way = (url, requests, connections) => {
  const request = wire(url)
  return bareAnswers(request.origin, requests, connections, () => request)
}

const transport =
  (layer: Layer.Layer<Transport>): Way =>
  (url, requests, connections) =>
    Effect.gen(function* () {
      const { send } = yield* Transport
      const request = wire(url)
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
const OURS = "Http1Transport"

/** The slower send fewer, and not over every line. */
const WAYS: Readonly<Record<string, { readonly way: Way; readonly requests: number; readonly isPlain?: true }>> = {
  [BARE]: { way: bare, requests: 100_000 },
  [OURS]: { way: transport(Http1Transport.layer), requests: 100_000 },
  "HttpClientTransport over undici": {
    way: transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerUndici)),
    requests: 20_000,
    isPlain: true
  },
  "HttpClientTransport over fetch": {
    way: transport(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerFetch)),
    requests: 20_000,
    isPlain: true
  }
}

const lineOf = ({ connections, isSecure }: Line) => `${connections} connections${isSecure ? ", TLS" : ""}`
const nameOf = (way: string, line: Line) => `${way}, ${lineOf(line)}`

const cases = LINES.flatMap((line) =>
  Object.entries(WAYS)
    .filter(([, { isPlain }]) => isPlain === undefined || !line.isSecure)
    .map(
      ([name, { requests, way }]): Case<Nginx["context"]> => ({
        name: nameOf(name, line),
        group: lineOf(line),
        isBaseline: name === BARE,
        run: async ({ context, quick }) => {
          setDefaultCACertificates([context.certificate])
          const url = line.isSecure ? context.secureUrl : context.url
          // The first are for the compiler.
          await way(url, quick ? 200 : 5_000, line.connections)
          const count = quick ? 2_000 : requests
          return measure(async () => {
            const done = await way(url, count, line.connections)
            if (done !== count) throw new Error(`${done} of ${count} are answered`)
            return done
          })
        }
      })
    )
)

export const benchmark: Benchmark<Nginx["context"]> = {
  name: "transport",
  workload:
    "100,000 requests (20,000 through HttpClient) over 64 and 256 keep-alive connections to nginx, and over 64 with TLS, after " +
    "5,000 to warm up",
  operation: "request",
  setup: startNginx,
  cases,
  targets: LINES.map((line) => ({
    claim: `over ${lineOf(line)} at least the rate of bare undici`,
    figure: (summary) => summary.ratio(nameOf(OURS, line), nameOf(BARE, line)),
    atLeast: 1
  }))
}
