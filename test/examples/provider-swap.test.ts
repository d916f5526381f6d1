/** An app's code stays as it is while its models are swapped by layer injection. */
import { NodeFileSystem, NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import {
  DispatchedGenAiClient,
  GenAiClient,
  GenAiError,
  Http1Transport,
  HttpClientTransport,
  RateLimited,
  Sandbox,
  SandboxServer,
  type Transport
} from "../../src/index.ts"

/** The app: it knows the service, and nothing of where answers come from. */
const headline = (text: string) =>
  Effect.gen(function* () {
    const client = yield* GenAiClient
    const answer = yield* client.generate({ messages: [{ role: "user", content: `A headline for: ${text}` }] })
    return `# ${answer.text}`
  }).pipe(
    Effect.catchReason("GenAiError", "RateLimited", (reason) => Effect.succeed(`later: ${reason.retryAfterMs} ms`))
  )

const unused = Effect.die("not used here")

const scripted = (generate: GenAiClient["Service"]["generate"]) =>
  Layer.succeed(GenAiClient, {
    generate,
    stream: () => Stream.die("not used here"),
    stats: unused,
    drain: () => unused
  })

const overHttp = <E, R>(transport: Layer.Layer<Transport, E, R>) =>
  Layer.unwrap(
    Effect.map(Sandbox, ({ url }) => DispatchedGenAiClient.layerConfig({ flags: { endpoints: [`${url},model=m`] } }))
  ).pipe(Layer.provide([transport, NodeFileSystem.layer]), Layer.provideMerge(SandboxServer.layer({ seed: 7 })))

describe("swapping the provider", () => {
  it.effect("for one that answers from a script", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* headline("x"), "# Scripted")
    }).pipe(
      Effect.provide(
        scripted(() =>
          Effect.succeed({
            text: "Scripted",
            finishReason: "stop",
            model: "script",
            usage: undefined,
            endpoint: "script",
            attempts: 1,
            latencyMs: 0
          })
        )
      )
    )
  )

  it.effect("for one that is out of tokens", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* headline("x"), "later: 1500 ms")
    }).pipe(
      Effect.provide(
        scripted(() =>
          Effect.fail(
            new GenAiError({
              message: "busy",
              reason: new RateLimited({ status: 429, retryAfterMs: 1500 }),
              attempts: 1
            })
          )
        )
      )
    )
  )

  it.live("for a real endpoint, by either transport, with the same answer", () =>
    Effect.gen(function* () {
      const answer = Effect.gen(function* () {
        const text = yield* headline("the tides")
        assert.strictEqual((yield* (yield* Sandbox).stats).received, 1)
        return text
      })
      const http1 = yield* Effect.provide(answer, overHttp(Http1Transport.layer))
      const httpClient = yield* Effect.provide(
        answer,
        overHttp(HttpClientTransport.layer.pipe(Layer.provide(NodeHttpClient.layerUndici)))
      )
      assert.match(http1, /^# \w+/)
      assert.strictEqual(http1, httpClient)
    })
  )
})
