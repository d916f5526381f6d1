import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Spending } from "../../../src/layers/genai/Spending.ts"

describe("a budget of tokens", () => {
  it.effect.each(["here", "elsewhere"])("is spent once as many were used %s, and not before", (where) =>
    Effect.gen(function* () {
      const spending = new Spending({ maxTokensTotal: 10 })
      const use = (tokens: number) =>
        where === "here" ? spending.add(undefined, { outputTokens: tokens }) : spending.addAmounts({ cost: 0, tokens })
      use(9)
      assert.isFalse(spending.isSpent)
      use(1)
      assert.isTrue(spending.isSpent)
      assert.deepStrictEqual(yield* spending.awaitSpent, { limit: "maxTokensTotal", amount: 10 })
    })
  )
})
