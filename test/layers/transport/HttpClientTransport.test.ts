import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Tracer } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as HttpClientTransport from "../../../src/layers/transport/HttpClientTransport.ts"
import { conformance, request, send, type Traits } from "./conformance.ts"
import { streamingConformance } from "./streaming.ts"

for (const [name, client] of [
  ["undici", NodeHttpClient.layerUndici],
  ["fetch", NodeHttpClient.layerFetch]
] as const) {
  const traits: Traits = {
    layer: Layer.provide(HttpClientTransport.layer, client),
    smallBodies: Layer.provide(HttpClientTransport.layerOptions({ maxBodyBytes: 1_000 }), client),
    connecting: "firstByte",
    abortsConnecting: false
  }
  conformance(`HttpClient over ${name}`, traits)
  streamingConformance(`HttpClient over ${name}`, traits)
}

describe("HttpClientTransport", () => {
  const echo = HttpClient.make((received, url) =>
    Effect.sync(() =>
      HttpClientResponse.fromWeb(
        received,
        new Response(`${received.method} ${url.pathname}${url.search} ${received.headers["x-key"]}`)
      )
    )
  )
  const layer = Layer.provide(HttpClientTransport.layer, Layer.succeed(HttpClient.HttpClient, echo))

  it.effect("works over a fake client", () =>
    Effect.gen(function* () {
      const answer = yield* send(request("http://fake", { path: "/a?b=c", headers: ["X-Key", "k"] }))
      assert.strictEqual(answer.body, "POST /a?b=c k")
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes no spans of its own", () =>
    Effect.gen(function* () {
      const spans: Array<string> = []
      const tracer = Tracer.make({
        span(options) {
          spans.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* send(request("http://fake")).pipe(Effect.withSpan("caller"), Effect.withTracer(tracer))
      assert.deepStrictEqual(spans, ["caller"])
    }).pipe(Effect.provide(layer))
  )
})
