import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { checkBudget } from "../../../src/layers/cli/Budgets.ts"
import { config, endpoint } from "../../support/Config.ts"

const prices = { input: 1, output: 2 }
const east = endpoint({ name: "east", prices })
const west = endpoint({ name: "west" })
const hook = endpoint({ name: "hook", kind: "raw", prices })

describe("a budget", () => {
  it.effect("of money is refused while an endpoint has no prices", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(checkBudget({ maxCost: 5 }, config([east, west, endpoint({ name: "north" })])))
      assert.strictEqual(
        error.message,
        "--max-cost needs the prices of every endpoint; give west and north some in the config, per 1,000,000 tokens: prices: { input: 0.15, output: 0.60 }"
      )
    })
  )

  it.effect("is refused for endpoints that report no usage", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(checkBudget({ maxTokensTotal: 5 }, config([east, hook])))
      assert.strictEqual(
        error.message,
        "--max-tokens-total cannot be kept: endpoints of kind raw report no usage, such as hook."
      )
    })
  )

  it.effect("of tokens needs no prices, and none at all needs nothing", () =>
    Effect.gen(function* () {
      yield* checkBudget({ maxTokensTotal: 5 }, config([west]))
      yield* checkBudget({ maxCost: 5 }, config([east]))
      yield* checkBudget({}, config([hook, west]))
    })
  )
})
