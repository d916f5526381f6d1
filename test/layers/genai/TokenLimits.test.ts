/** Token limits over answers of unknown length, on a test clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { EndpointConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { FakeTransport } from "./FakeTransport.ts"

const LIMIT = 60_000
const LONGEST = 900
const PROMPT = 30

describe("a limit of 60,000 tokens a minute", () => {
  it.effect("is kept and used over three minutes of answers of unknown length", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.testClockWith(Effect.succeed)
      const answers: Array<{ readonly at: number; readonly tokens: number }> = []
      const transport = new FakeTransport((_, send) =>
        Effect.suspend(() => {
          const written = 100 + ((send * 7919) % (LONGEST - 100))
          answers.push({ at: clock.currentTimeMillisUnsafe(), tokens: written + PROMPT })
          return Effect.succeed({
            status: 200,
            headers: {},
            body: JSON.stringify({
              choices: [{ message: { content: "x" }, finish_reason: "stop" }],
              usage: { prompt_tokens: PROMPT, completion_tokens: written, total_tokens: written + PROMPT }
            })
          })
        }).pipe(Effect.delay("700 millis"))
      )
      const limited = endpoint({ name: "east", limits: { tokensPerMinute: LIMIT } })
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        const messages = [{ role: "user" as const, content: "Write as much as you like about the sea." }]
        const calls = yield* Effect.forEach(Array.from({ length: 700 }), () =>
          Effect.forkChild(client.generate({ messages }))
        )
        for (let tick = 0; tick < 1_800; tick++) yield* TestClock.adjust("100 millis")
        yield* Fiber.interruptAll(calls)
      }).pipe(Effect.provide(layer(config([limited])).pipe(Layer.provide(transport.layer))))

      for (const { at } of answers) {
        const minute = answers.filter((answer) => answer.at >= at && answer.at < at + 60_000)
        const tokens = minute.reduce((sum, answer) => sum + answer.tokens, 0)
        assert.isAtMost(tokens, LIMIT + LONGEST + PROMPT, "over by no more than one answer")
      }
      const used = answers.reduce((sum, answer) => sum + answer.tokens, 0)
      assert.isAtLeast(used, 0.95 * 3 * LIMIT)
    })
  )

  it.effect("does not hold long prompts up after a short one with tools", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport((_, __, { body }) => answer(body.includes("tools") ? 5_000 : 2_500))
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        const ask = (content: string, extra: Record<string, unknown>) =>
          client.generate({ messages: [{ role: "user", content }], maxTokens: 100, extra })
        const tools = [{ type: "function", function: { name: "f", description: "x".repeat(20_000) } }]
        yield* ask("hi", { tools })
        const long = yield* Effect.forEach(Array.from({ length: 5 }), () =>
          Effect.forkChild(ask("word ".repeat(2_000), {}))
        )
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual(
          long.map((fiber) => fiber.pollUnsafe()?._tag),
          long.map(() => "Success" as const)
        )
      }).pipe(Effect.provide(clientOf(transport, [endpoint({ name: "east", limits: { tokensPerMinute: LIMIT } })])))
    })
  )

  it.effect("counts the tools of the endpoint's own parameters before they have been sent", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport(() => Effect.delay(answer(25_000), "5 seconds"))
      const parameters = { tools: [{ type: "function", function: { name: "f", description: "x".repeat(100_000) } }] }
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        const messages = [{ role: "user" as const, content: "hi" }]
        yield* Effect.forEach(Array.from({ length: 5 }), () =>
          Effect.forkChild(client.generate({ messages, maxTokens: 100 }))
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(transport.sent.length, 1)
      }).pipe(
        Effect.provide(
          clientOf(transport, [endpoint({ name: "east", parameters, limits: { inputTokensPerMinute: LIMIT } })])
        )
      )
    })
  )
})

describe("the share of a token limit", () => {
  const share = { ...endpoint({ name: "east" }), limits: { tokensPerMinute: 1_875 } }
  const request = (maxTokens: number): GenAiRequest => ({ messages: [{ role: "user", content: "hi" }], maxTokens })

  it.effect("never lets processes send more than the limit at once, however large requests may be", () =>
    Effect.gen(function* () {
      let tokens = 0
      const transport = new FakeTransport((_, __, { body }) => {
        tokens += 7 + (JSON.parse(body) as { max_tokens: number }).max_tokens
        return Effect.never
      })
      for (let process = 0; process < 16; process++) {
        yield* Effect.gen(function* () {
          const client = yield* GenAiClient
          for (const maxTokens of [5_000, 1_800, 5_000]) {
            yield* Effect.forkChild(Effect.exit(client.generate(request(maxTokens))))
          }
          yield* TestClock.adjust("1 second")
        }).pipe(Effect.provide(clientOf(transport, [share], 16)))
      }
      assert.strictEqual(transport.sent.length, 16)
      assert.isAtMost(tokens, 16 * share.limits.tokensPerMinute)
    })
  )

  it.effect.each([
    ["generate", (client: GenAiClient["Service"]) => client.generate(request(5_000))],
    ["stream", (client: GenAiClient["Service"]) => Stream.runDrain(client.stream(request(5_000)))]
  ] as const)("refuses what may be larger, and says what to do about it: %s", ([, ask]) =>
    Effect.gen(function* () {
      const transport = new FakeTransport(() => answer(1_000))
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        const asked = yield* Effect.forkChild(Effect.flip(Effect.asVoid(ask(client))))
        yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(asked)
        assert.deepInclude(error.reason, { _tag: "Rejected", cause: "TooLarge" })
        assert.deepStrictEqual(
          [error.message, error.attempts],
          [
            'the request may take 5017 tokens: use --processes 5 or fewer, since each of 16 processes has 1875 of 30000 tokensPerMinute (endpoint "east")',
            0
          ]
        )
        assert.deepStrictEqual(transport.sent, [])
      }).pipe(Effect.provide(clientOf(transport, [share], 16)))
    })
  )

  it.effect("leaves what may be larger to endpoints that have room for it", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport(() => answer(1_000))
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        const asked = yield* Effect.forEach(Array.from({ length: 4 }), () =>
          Effect.forkChild(client.generate(request(5_000)))
        )
        yield* TestClock.adjust("10 seconds")
        assert.deepStrictEqual(
          (yield* Effect.forEach(asked, Fiber.join)).map((answer) => answer.endpoint),
          ["west", "west", "west", "west"]
        )
      }).pipe(Effect.provide(clientOf(transport, [share, endpoint({ name: "west" })], 16)))
    })
  )

  it.effect("does not stop those that come after an answer that was larger than anybody thought", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport((_, send) => answer(send === 1 ? 4_000 : 100))
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        for (let minute = 0; minute < 3; minute++) {
          yield* Effect.forkChild(client.generate(request(500)))
          yield* TestClock.adjust("4 minutes")
        }
        assert.strictEqual(transport.sent.length, 3)
      }).pipe(Effect.provide(clientOf(transport, [share], 16)))
    })
  )

  it.effect("is of the whole limit where there is one process: what may be larger goes alone", () =>
    Effect.gen(function* () {
      const transport = new FakeTransport(() => answer(1_000))
      yield* Effect.gen(function* () {
        const client = yield* GenAiClient
        for (let call = 0; call < 2; call++) yield* Effect.forkChild(client.generate(request(5_000)))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(transport.sent.length, 1)
        yield* TestClock.adjust("4 minutes")
        assert.strictEqual(transport.sent.length, 2)
      }).pipe(Effect.provide(clientOf(transport, [share])))
    })
  )
})

const clientOf = (transport: FakeTransport, endpoints: ReadonlyArray<EndpointConfig>, processes = 1) =>
  layer(config(endpoints, { processes })).pipe(Layer.provide(transport.layer))

const answer = (promptTokens: number) =>
  Effect.succeed({
    status: 200,
    headers: {},
    body: JSON.stringify({
      choices: [{ message: { content: "x" }, finish_reason: "stop" }],
      usage: { prompt_tokens: promptTokens, completion_tokens: 100, total_tokens: promptTokens + 100 }
    })
  })
