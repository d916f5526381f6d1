import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Spending } from "../../../src/layers/genai/Spending.ts"

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

  it("without a limit is never over", () => {
    const spending = new Spending({})
    spending.add(prices, { inputTokens: 1e9, outputTokens: 1e9 })
    assert.isFalse(spending.isSpent)
  })
})
