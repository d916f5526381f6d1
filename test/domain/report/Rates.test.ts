import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Rates from "../../../src/domain/report/Rates.ts"
import { shares } from "../../../src/domain/report/Shares.ts"

const Weights = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 }))).check(
  Schema.isBetweenLength(1, 8)
)
const Rows = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

const sample = (atMs: number, rows: number): Rates.Sample => ({ atMs, rows, sent: rows * 2, tokens: rows * 100 })

describe("Rates", () => {
  it("knows no rate before there are two moments", () => {
    assert.strictEqual(Rates.perSecond([], "rows"), undefined)
    assert.strictEqual(Rates.perSecond([sample(0, 0)], "rows"), undefined)
    assert.strictEqual(Rates.perSecond([sample(0, 0), sample(0, 5)], "rows"), undefined)
  })

  it("measures growth over the window only", () => {
    let window: Rates.RateWindow = []
    // 10 rows a second for 20 s, then 100 a second for 10 s.
    for (let second = 0; second <= 20; second++) window = Rates.push(window, sample(second * 1000, second * 10))
    for (let second = 1; second <= 10; second++) {
      window = Rates.push(window, sample(20_000 + second * 1000, 200 + second * 100))
    }
    assert.strictEqual(Rates.perSecond(window, "rows"), 100)
    assert.strictEqual(Rates.perSecond(window, "sent"), 200)
    assert.strictEqual(Rates.perSecond(window, "tokens"), 10_000)
    assert.strictEqual(window.length, 11)
  })

  it("keeps one sample from before the window, so that rare samples still give a rate", () => {
    const window = Rates.push(Rates.push([], sample(0, 0)), sample(60_000, 600))
    assert.strictEqual(Rates.perSecond(window, "rows"), 10)
  })

  it("tells the time left at the present rate", () => {
    const window = [sample(0, 0), sample(2000, 10)]
    assert.strictEqual(Rates.etaMs(window, 20), 4000)
    assert.strictEqual(Rates.etaMs(window, 0), 0)
    assert.strictEqual(Rates.etaMs([sample(0, 5), sample(2000, 5)], 20), undefined)
  })
})

describe("shares", () => {
  it("splits by weight and loses no row", () => {
    assert.deepStrictEqual(shares(2000, [3, 1]), [1500, 500])
    assert.deepStrictEqual(shares(10, [1, 1, 1]), [4, 3, 3])
    assert.deepStrictEqual(shares(1, [1, 5]), [0, 1])
    assert.deepStrictEqual(shares(0, [1, 5]), [0, 0])
  })

  it.prop(
    "parts add up and lie within one row of the exact share",
    { rows: Rows, weights: Weights },
    ({ rows, weights }) => {
      const parts = shares(rows, weights)
      const sum = weights.reduce((a, b) => a + b, 0)
      assert.strictEqual(
        parts.reduce((a, b) => a + b, 0),
        rows
      )
      parts.forEach((part, index) => {
        assert.isBelow(Math.abs(part - (rows * weights[index]!) / sum), 1 + 1e-6)
      })
    }
  )
})
