import { assert, describe, it } from "@effect/vitest"
import { addCosts, costOf, totalOf } from "../../../src/domain/genai/Prices.ts"

const tokens = { inputTokens: 3_000_000, cachedInputTokens: 1_000_000, outputTokens: 500_000 }

describe("costs", () => {
  it("are counted per million tokens, cached ones at their own price", () => {
    const cost = costOf({ input: 2, cachedInput: 0.5, output: 8 }, tokens)
    assert.deepStrictEqual(cost, { input: 4, cachedInput: 0.5, output: 4 })
    assert.strictEqual(totalOf(cost), 8.5)
  })

  it("are the full price for cached tokens that have none of their own", () => {
    assert.strictEqual(totalOf(costOf({ input: 2, output: 8 }, tokens)), 10)
  })

  it("are never negative, even when more tokens come from the cache than were read", () => {
    const odd = { inputTokens: 10, cachedInputTokens: 1_000_000, outputTokens: 0 }
    assert.deepStrictEqual(costOf({ input: 1_000_000, output: 0 }, odd), { input: 0, cachedInput: 10, output: 0 })
  })

  it("add up part by part, and to nothing when there are none", () => {
    assert.isUndefined(addCosts([]))
    assert.deepStrictEqual(
      addCosts([
        { input: 1, cachedInput: 2, output: 3 },
        { input: 10, cachedInput: 20, output: 30 }
      ]),
      { input: 11, cachedInput: 22, output: 33 }
    )
  })
})
