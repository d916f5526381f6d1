import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { EndpointConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { YOUNG_MS } from "../../../src/layers/credentials/TokenCache.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { keyFileOf, makeServers } from "../credentials/GoogleServers.ts"
import { type Answer, FakeTransport, ok, status } from "./FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }

const generated: Answer = Effect.succeed({
  status: 200,
  headers: {},
  body: JSON.stringify({ candidates: [{ content: { parts: [{ text: "hello" }] }, finishReason: "STOP" }] })
})

const authorization = ({ headers }: WireRequest) => headers[headers.indexOf("authorization") + 1]

/** A client of these endpoints, with a key file for `vertex` that leads to a stand-in of Google's token endpoint. */
const setUp = Effect.fnUntraced(function* (
  answer: (endpoint: string, send: number, request: WireRequest) => Answer,
  others: ReadonlyArray<EndpointConfig> = []
) {
  const servers = yield* makeServers
  const keyFile = yield* keyFileOf(servers.key())
  const transport = new FakeTransport(answer)
  const vertex = endpoint({ name: "vertex", kind: "vertex", keyFile })
  const settings = config([vertex, ...others], { retry: { baseMs: 1, factor: 1, capMs: 1 } })
  const context = yield* Layer.build(Layer.provide(layer(settings), transport.layer))
  return {
    servers,
    transport,
    generate: yield* Effect.provide(GenAiClient, context).pipe(Effect.map((client) => client.generate(request)))
  }
})

/** Runs an effect that waits for real servers while the clock goes on slowly. */
const inTime = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(effect)
  while (fiber.pollUnsafe() === undefined) {
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    yield* TestClock.adjust(1)
  }
  return yield* Fiber.join(fiber)
})

const run = <A, E>(what: string, test: Effect.Effect<A, E, Effect.Services<ReturnType<typeof setUp>>>) =>
  it.live(what, () => Effect.provide(test, NodeServices.layer))

describe("a client with endpoints on Vertex AI", () => {
  run(
    "sends all requests with one access token",
    Effect.gen(function* () {
      const sent: Array<string | undefined> = []
      const { servers, generate } = yield* setUp((_name, _send, request) => {
        sent.push(authorization(request))
        return generated
      })
      const answers = yield* Effect.all(
        Array.from({ length: 1_000 }, () => generate),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(answers.map(({ text, attempts }) => `${text} ${attempts}`)), new Set(["hello 1"]))
      assert.deepStrictEqual(new Set(sent), new Set(["Bearer key-1"]))
      assert.strictEqual(servers.asked.length, 1)
    })
  )

  run(
    "fails with what is wrong with the credentials, and sends nothing",
    Effect.gen(function* () {
      const { servers, transport, generate } = yield* setUp(() => generated)
      servers.instead.key.push({ status: 400, body: { error: "invalid_grant" } })
      const error = yield* Effect.flip(generate)
      assert.deepInclude(error.reason, { _tag: "Unauthorized", status: 400 })
      assert.include(error.message, "invalid_grant")
      assert.include(error.message, '"vertex"')
      assert.strictEqual(transport.sent.length, 0)
    })
  )

  run(
    "goes elsewhere when there are no credentials",
    Effect.gen(function* () {
      const { servers, transport, generate } = yield* setUp(() => ok(), [endpoint({ name: "other" })])
      servers.instead.key.push({ status: 400, body: { error: "invalid_grant" } })
      for (let i = 0; i < 3; i++) assert.strictEqual((yield* generate).endpoint, "other")
      assert.deepStrictEqual(transport.sent, ["other", "other", "other"])
      assert.strictEqual(servers.asked.length, 1)
    })
  )

  run(
    "does not renew a token that is refused when it is new: the account is what is refused",
    Effect.gen(function* () {
      const { servers, transport, generate } = yield* setUp(() => status(401))
      const error = yield* Effect.flip(generate)
      assert.deepInclude(error.reason, { _tag: "Unauthorized", status: 401 })
      assert.strictEqual(transport.sent.length, 1)
      assert.strictEqual(servers.asked.length, 1)
    })
  )

  it.effect("renews a token that is refused later, and sends the request again", () =>
    Effect.gen(function* () {
      const { transport, generate } = yield* setUp((_name, send, request) => {
        assert.strictEqual(authorization(request), send < 3 ? "Bearer key-1" : "Bearer key-2")
        return send === 2 ? status(401, {}, { code: 401, message: "Request had invalid credentials." }) : generated
      })
      yield* inTime(generate)
      yield* TestClock.adjust(YOUNG_MS)
      const { text, attempts } = yield* inTime(generate)
      assert.deepStrictEqual({ text, attempts }, { text: "hello", attempts: 2 })
      assert.strictEqual(transport.sent.length, 3)
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
