import { assert, describe, it } from "@effect/vitest"
import { estimate } from "../../../src/domain/report/Estimate.ts"

const prices = { input: 1_000_000, output: 2_000_000, cachedInput: 0 }
const asked = { rows: 10, textBytes: 4000, fixedTokens: 160, maxTokens: 300, open: 4 }
const east = { name: "east", weight: 3, countsTokens: true, maxTokens: undefined, prices }

describe("an estimate", () => {
  it("takes answers to be as long as the rows allow, and 500 tokens for those that do not say", () => {
    const [all] = estimate(asked, [east])
    assert.deepStrictEqual(all, {
      name: "east",
      weight: 3,
      rows: 10,
      inputTokens: 1160,
      outputTokens: 2300,
      cost: 1160 + 2 * 2300
    })
  })

  it("takes the endpoint's own limit for rows without one", () => {
    const [all] = estimate(asked, [{ ...east, maxTokens: 25 }])
    assert.strictEqual(all?.outputTokens, 400)
  })

  it("gives each endpoint its share by weight, and no tokens to those that count none", () => {
    const west = { ...east, name: "west", weight: 1, countsTokens: false }
    const parts = estimate({ ...asked, rows: 8 }, [east, west])
    assert.deepStrictEqual(
      parts.map(({ cost, inputTokens, rows }) => [rows, inputTokens, cost]),
      [
        [6, 870, 870 + 2 * 1725],
        [2, undefined, undefined]
      ]
    )
  })

  it("is nothing for no rows", () => {
    const [none] = estimate({ rows: 0, textBytes: 0, fixedTokens: 0, maxTokens: 0, open: 0 }, [east])
    assert.deepInclude(none, { rows: 0, inputTokens: 0, outputTokens: 0, cost: 0 })
  })
})
