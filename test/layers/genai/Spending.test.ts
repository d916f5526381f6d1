import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { make } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { Spending } from "../../../src/layers/genai/Spending.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok } from "./FakeTransport.ts"

const prices = { input: 1_000_000, output: 2_000_000 }

describe("spending", () => {
  it.effect("is over once the cost reaches its limit, and not before", () =>
    Effect.gen(function* () {
      const spending = new Spending({ maxCost: 7 })
      spending.add(prices, { inputTokens: 2, outputTokens: 2 })
      assert.isFalse(spending.isSpent)
      spending.add(prices, { inputTokens: 1 })
      assert.isTrue(spending.isSpent)
      spending.add(prices, { inputTokens: 100 })
      assert.deepStrictEqual(yield* spending.awaitSpent, { limit: "maxCost", amount: 7 })
    })
  )

  it.effect("counts tokens read and written, of endpoints without prices too", () =>
    Effect.gen(function* () {
      const spending = new Spending({ maxTokensTotal: 5, maxCost: 1_000_000 })
      spending.add(undefined, { inputTokens: 2, outputTokens: 2, totalTokens: 100 })
      spending.add(undefined, undefined)
      assert.isFalse(spending.isSpent)
      spending.add(undefined, { outputTokens: 3 })
      assert.deepStrictEqual(yield* spending.awaitSpent, { limit: "maxTokensTotal", amount: 7 })
    })
  )

  it("refuses limits that would never be reached, or are reached already", () => {
    for (const limit of [0, -1, Number.NaN]) {
      assert.throws(() => new Spending({ maxCost: limit }), `maxCost: expected a number above 0, got ${limit}`)
      assert.throws(
        () => new Spending({ maxTokensTotal: limit }),
        `maxTokensTotal: expected a number above 0, got ${limit}`
      )
    }
  })

  it("without a limit is never over", () => {
    const spending = new Spending({})
    spending.add(prices, { inputTokens: 1e9, outputTokens: 1e9 })
    assert.isFalse(spending.isSpent)
  })
})

describeBothWays("a client whose budget is spent", () => {
  it.effect("sends nothing more, and counts what it has spent", () => {
    const transport = new FakeTransport(() => ok())
    return Effect.gen(function* () {
      // Each answer is 7 tokens read and 3 written: 13 by these prices.
      const spending = new Spending({ maxCost: 20 })
      const client = yield* make(config([endpoint({ name: "east", prices, concurrency: 1 })]), { spending })
      const request = { messages: [{ role: "user" as const, content: "hi" }] }
      // One at a time, so that the third waits while the second spends the rest.
      const results = yield* Effect.forEach([1, 2, 3, 4], () => Effect.result(client.generate(request)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        results.map((result) => (result._tag === "Success" ? "answered" : result.failure.reason._tag)),
        ["answered", "answered", "Rejected", "Rejected"]
      )
      const last = results[3]
      assert.isTrue(last?._tag === "Failure" && last.failure.attempts === 0)
      assert.lengthOf(transport.sent, 2)
      const [stats] = yield* client.stats
      assert.deepInclude(stats, {
        sent: 2,
        failures: {},
        cost: { input: 14, cachedInput: 0, output: 12 },
        unmetered: 0
      })
    }).pipe(Effect.provide(transport.layer))
  })

  it.effect("or that must be allowed more first, holds back what is queued, and sends it once it may", () => {
    const transport = new FakeTransport(() => ok())
    return Effect.gen(function* () {
      const spending = new Spending({})
      const told: Array<number> = []
      spending.onSpent = ({ tokens }) => told.push(tokens)
      spending.allow({ cost: Number.POSITIVE_INFINITY, tokens: 11 })
      const client = yield* make(config([endpoint({ name: "east", concurrency: 1 })]), { spending })
      let allowed = 0
      client.room?.watch(() => {
        allowed += client.room?.has() === true ? 1 : 0
      })
      const request = { messages: [{ role: "user" as const, content: "hi" }] }
      const calls = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4, 5], () => Effect.result(client.generate(request)), { concurrency: "unbounded" })
      )
      yield* TestClock.adjust("1 second")
      yield* settle
      // Each answer is 10 tokens.
      assert.deepStrictEqual([transport.sent.length, told, client.room?.has()], [2, [10, 20], false])
      const before = allowed
      spending.allow({ cost: Number.POSITIVE_INFINITY, tokens: 30 })
      assert.isAbove(allowed, before, "whoever waits for room is told")
      yield* TestClock.adjust("1 second")
      yield* settle
      assert.deepStrictEqual([transport.sent.length, told], [3, [10, 20, 30]])
      spending.exhaust({ limit: "maxTokensTotal", amount: 100 })
      const results = yield* Fiber.join(calls)
      assert.deepStrictEqual(
        results.map((result) => (result._tag === "Success" ? "answered" : result.failure.reason._tag)),
        ["answered", "answered", "answered", "Rejected", "Rejected"]
      )
      assert.lengthOf(transport.sent, 3)
    }).pipe(Effect.provide(transport.layer))
  })
})
