import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SpentReports } from "../../../../src/layers/batch/processes/SpentReports.ts"
import type { Amounts } from "../../../../src/layers/genai/Spending.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

const INFINITY = Number.POSITIVE_INFINITY
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const made = (upTo: Amounts) => {
  const told: Array<Amounts> = []
  return { told, reports: new SpentReports(upTo, (amounts) => told.push(amounts)) }
}

describe("reports of what was spent", () => {
  it("wait for results while most of the allowance is left, and are made at once when it runs out", () => {
    const { reports, told } = made({ cost: INFINITY, tokens: 1000 })
    for (let tokens = 1; tokens <= 1003; tokens++) reports.spent({ cost: 0, tokens })
    assert.deepStrictEqual(
      told.map(({ tokens }) => tokens),
      [500, 750, 875, 938, 969, 985, 993, 997, 999, 1000, 1001, 1002, 1003]
    )
  })

  it("go with results when there is something new", () => {
    const { reports, told } = made({ cost: 10, tokens: INFINITY })
    reports.flush()
    reports.spent({ cost: 1, tokens: 5 })
    reports.spent({ cost: 2, tokens: 9 })
    assert.deepStrictEqual(told, [])
    reports.flush()
    reports.flush()
    assert.deepStrictEqual(told, [{ cost: 2, tokens: 9 }])
  })

  it("wait again once more is allowed", () => {
    const { reports, told } = made({ cost: 10, tokens: INFINITY })
    reports.spent({ cost: 10, tokens: 1 })
    reports.allow({ cost: 20, tokens: INFINITY })
    reports.spent({ cost: 14, tokens: 2 })
    assert.deepStrictEqual(told, [{ cost: 10, tokens: 1 }])
    reports.spent({ cost: 15, tokens: 3 })
    assert.deepStrictEqual(told[1], { cost: 15, tokens: 3 })
    reports.spent({ cost: 16, tokens: 4 })
    assert.lengthOf(told, 2)
    reports.allow({ cost: 15.5, tokens: INFINITY })
    assert.deepStrictEqual(told[2], { cost: 16, tokens: 4 }, "it is spent already")
  })

  it.prop(
    "are never behind by half of what was left of a limit, and not at all once it is reached",
    [
      Schema.Array(Schema.Struct({ cost: between(0, 30), tokens: between(0, 30), more: between(0, 9) })).check(
        Schema.isMaxLength(100)
      )
    ],
    ([steps]) => {
      let upTo = { cost: 100, tokens: 100 }
      let spent = { cost: 0, tokens: 0 }
      const { reports, told } = made(upTo)
      for (const { cost, more, tokens } of steps) {
        if (more === 0) {
          const { cost, tokens } = told.at(-1) ?? { cost: 0, tokens: 0 }
          upTo = { cost: cost + 100, tokens: tokens + 30 }
          reports.allow(upTo)
        }
        spent = { cost: spent.cost + cost, tokens: spent.tokens + tokens }
        reports.spent(spent)
        const known = told.at(-1) ?? { cost: 0, tokens: 0 }
        for (const limit of ["cost", "tokens"] as const) {
          const untold = spent[limit] - known[limit]
          assert.isTrue(untold === 0 || untold < upTo[limit] - known[limit], `${limit}: ${untold} untold`)
          assert.isTrue(untold === 0 || spent[limit] < upTo[limit], `${limit} is reached`)
        }
      }
    },
    { arbitrary: listsUpTo(100) }
  )
})
