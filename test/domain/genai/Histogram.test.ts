import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Histogram } from "../../../src/domain/genai/Histogram.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const of = (values: Iterable<number>): Histogram => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

/** The definition: the smallest value that a share `q` of the values do not exceed. */
const exact = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1]!

describe("Histogram", () => {
  it("has no quantiles without values", () => {
    const empty = new Histogram()
    assert.deepStrictEqual([empty.count, empty.max, empty.quantile(0.5)], [0, 0, undefined])
  })

  it("is exact for whole values up to 255", () => {
    const values = Array.from({ length: 256 }, (_, i) => i)
    const histogram = of(values)
    for (let q = 0; q <= 1; q += 1 / 64) assert.strictEqual(histogram.quantile(q), exact(values, q))
  })

  it("knows the largest value exactly, and never names a larger quantile", () => {
    const histogram = of([3, 123_457])
    assert.deepStrictEqual(
      [histogram.max, histogram.quantile(1), histogram.quantile(0.99)],
      [123_457, 123_457, 123_457]
    )
  })

  it("rounds up to whole units", () => {
    assert.strictEqual(of([0.2]).quantile(1), 1)
    assert.strictEqual(of([12.01]).quantile(1), 13)
  })

  it("counts negative values as 0, and those beyond its range at its end", () => {
    assert.strictEqual(of([-5]).quantile(1), 0)
    assert.strictEqual(of([2 ** 50]).quantile(0.5), 2 ** 40)
    assert.strictEqual(of([Number.POSITIVE_INFINITY]).max, 2 ** 40)
  })

  it("does not count what is not a number", () => {
    const histogram = of([7, Number.NaN])
    assert.deepStrictEqual([histogram.count, histogram.quantile(1)], [1, 7])
  })

  it("keeps neighbours of every power of two apart as its layout says", () => {
    for (let power = 8; power <= 40; power++) {
      const below = 2 ** power - 1
      const histogram = of([below, 2 ** power])
      assert.strictEqual(histogram.quantile(0.5), below, `2^${power} - 1`)
    }
  })

  it("takes quantiles beyond 0 and 1 for the ends", () => {
    const histogram = of([10, 20, 30])
    assert.deepStrictEqual([histogram.quantile(-1), histogram.quantile(2)], [10, 30])
  })

  const Value = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 40 }))
  const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  it.prop(
    "is never below the true quantile, and less than 1 % above it",
    [Schema.NonEmptyArray(Value), Share],
    ([values, q]) => {
      const truth = exact(values, q)
      const found = of(values).quantile(q)!
      assert.isAtLeast(found, truth)
      assert.isAtMost(found, truth * 1.01)
    },
    { arbitrary: listsUpTo(200) }
  )

  it.prop(
    "counts every value once, in any order",
    [Schema.Array(Value)],
    ([values]) => {
      const histogram = of(values)
      assert.strictEqual(histogram.count, values.length)
      assert.strictEqual(histogram.max, Math.max(0, ...values))
      assert.strictEqual(of(values.toReversed()).quantile(0.9), histogram.quantile(0.9))
    },
    { arbitrary: listsUpTo(200) }
  )

  it("counts the values up to each bound, all of them at the largest and beyond", () => {
    const histogram = of([0, 5, 5, 100, 250, 10_000])
    assert.deepStrictEqual(histogram.countsUpTo([0, 4, 5, 100, 250, 9_000, 10_000, 20_000]), [1, 1, 3, 4, 5, 5, 6, 6])
    assert.deepStrictEqual(of([]).countsUpTo([1, 2]), [0, 0])
  })

  it.prop(
    "never counts more than there are up to a bound, nor fewer than are 1 % below it",
    [
      Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))),
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 }))
    ],
    ([values, bound]) => {
      const [count] = of(values).countsUpTo([bound])
      assert.isAtMost(count!, values.filter((value) => value <= bound).length)
      assert.isAtLeast(count!, values.filter((value) => value <= 0.99 * bound).length)
    },
    { arbitrary: listsUpTo(200) }
  )

  it("knows the sum of what it counted", () => {
    assert.strictEqual(of([1, 2.5, -4, 1_000_001]).sum, 1_000_005)
  })
})
