/** Token limits over answers of unknown length, on a test clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { EndpointConfig } from "../../../src/domain/config/DispatcherConfig.ts"
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
