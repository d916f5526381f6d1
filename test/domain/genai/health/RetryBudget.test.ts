import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { RetryBudget } from "../../../../src/domain/genai/health/RetryBudget.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

describe("the retry budget", () => {
  it("allows a burst at once, then no more than the floor", () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 10 }, 5, 0)
    for (let count = 0; count < 5; count++) assert.isTrue(budget.tryTake(0))
    assert.isFalse(budget.tryTake(0))
    assert.strictEqual(budget.delayMs(0), 100)
    assert.isTrue(budget.tryTake(100))
    assert.isFalse(budget.tryTake(100))
  })

  it("grows with the requests", () => {
    const budget = new RetryBudget({ ratio: 0.25, minPerSecond: 0 }, 1, 0)
    assert.isTrue(budget.tryTake(0))
    for (let count = 0; count < 3; count++) budget.onRequest()
    assert.isFalse(budget.tryTake(0))
    assert.strictEqual(budget.delayMs(0), Number.POSITIVE_INFINITY)
    budget.onRequest()
    assert.isTrue(budget.tryTake(0))
  })

  const step = Schema.Literals(["request", "retry", "retry", "wait"])

  it.prop(
    "never allows more than burst + ratio * requests + floor * seconds",
    [Schema.Array(step).check(Schema.isMaxLength(500))],
    ([steps]) => {
      const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 3 }, 4, 0)
      let now = 0
      let requests = 0
      let retries = 0
      for (const what of steps) {
        if (what === "wait") now += 50
        else if (what === "request") {
          requests++
          budget.onRequest()
        } else if (budget.tryTake(now)) retries++
        else assert.isAbove(budget.delayMs(now), 0)
        assert.isAtMost(retries, 4 + 0.2 * requests + (3 * now) / 1000 + 1e-6)
      }
    },
    { arbitrary: listsUpTo(500) }
  )
})
