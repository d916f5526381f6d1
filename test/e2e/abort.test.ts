/** Who gives up upstream work: an endpoint must see that its client has gone. */
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { DispatchedGenAiClient, GenAiClient, Http1Transport, SandboxServer } from "../../src/index.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }

const until = (sandbox: Sandbox["Service"], holds: (stats: { inflight: number; aborted: number }) => boolean) =>
  Effect.gen(function* () {
    while (!holds(yield* sandbox.stats)) yield* Effect.sleep("5 millis")
  }).pipe(Effect.timeout("10 seconds"))

const client = (url: string) =>
  DispatchedGenAiClient.layerConfig({ flags: { endpoints: [`${url},model=m`] } }).pipe(
    Layer.provide([Http1Transport.layer, NodeFileSystem.layer])
  )

describe("a request that nobody waits for any more", () => {
  it.live("is aborted at the endpoint when its callers are interrupted", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:1h" })
      yield* Effect.gen(function* () {
        const { generate, stats } = yield* GenAiClient
        const callers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(generate(request)))
        yield* until(sandbox, ({ inflight }) => inflight === 20)
        yield* Fiber.interruptAll(callers)
        yield* until(sandbox, ({ aborted }) => aborted === 20)
        const [endpoint] = yield* stats
        assert.deepInclude(endpoint, { sent: 20, aborted: 20, inflight: 0, queueLen: 0 })
      }).pipe(Effect.provide(client(sandbox.url)))
      assert.strictEqual((yield* sandbox.stats).inflight, 0)
    })
  )

  it.live("is aborted at the endpoint when its deadline passes", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:1h" })
      yield* Effect.gen(function* () {
        const { generate } = yield* GenAiClient
        const error = yield* Effect.flip(generate(request, { deadline: "200 millis" }))
        assert.strictEqual(error.reason._tag, "DeadlineExceeded")
        yield* until(sandbox, ({ aborted }) => aborted === 1)
      }).pipe(Effect.provide(client(sandbox.url)))
    })
  )
})
