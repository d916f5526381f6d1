import { assert, describe, it } from "@effect/vitest"
import { hashText, Prng } from "../../../src/domain/sandbox/Prng.ts"

const draws = (random: Prng, count: number) => Array.from({ length: count }, () => random.uniform())

describe("Prng", () => {
  it("gives the same numbers for the same seed and stream, others for another seed or stream", () => {
    assert.deepStrictEqual(draws(new Prng(7, 3), 20), draws(new Prng(7, 3), 20))
    assert.notDeepEqual(draws(new Prng(7, 3), 20), draws(new Prng(8, 3), 20))
    assert.notDeepEqual(draws(new Prng(7, 3), 20), draws(new Prng(7, 4), 20))
  })

  it("uses all 53 bits of seed and stream", () => {
    assert.notDeepEqual(draws(new Prng(1, 0), 5), draws(new Prng(1 + 2 ** 40, 0), 5))
    assert.notDeepEqual(draws(new Prng(1, 1), 5), draws(new Prng(1, 1 + 2 ** 40), 5))
  })

  it("is uniform over [0, 1) within a stream, and in the first draw of neighbouring streams", () => {
    const within = draws(new Prng(1, 1), 100_000)
    const across = Array.from({ length: 100_000 }, (_, stream) => new Prng(1, stream).uniform())
    for (const values of [within, across]) {
      const buckets = new Array<number>(20).fill(0)
      for (const value of values) buckets[Math.floor(value * 20)]! += 1
      assert.isTrue(values.every((value) => value >= 0 && value < 1))
      // Chi-squared with 19 degrees of freedom: above 43.8 once in a thousand seeds.
      const chiSquared = buckets.reduce((sum, count) => sum + (count - 5000) ** 2 / 5000, 0)
      assert.isBelow(chiSquared, 43.8)
    }
  })

  it("has no correlation between neighbouring streams", () => {
    const values = Array.from({ length: 100_000 }, (_, stream) => new Prng(5, stream).uniform() - 0.5)
    const covariance = values.slice(1).reduce((sum, value, index) => sum + value * values[index]!, 0) / 99_999
    assert.isBelow(Math.abs(covariance * 12), 0.02)
  })

  it("draws from the standard normal distribution", () => {
    const random = new Prng(2, 2)
    const values = Array.from({ length: 100_000 }, () => random.normal())
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    assert.approximately(mean, 0, 0.02)
    assert.approximately(variance, 1, 0.03)
    assert.approximately(values.filter((value) => Math.abs(value) < 1).length / values.length, 0.6827, 0.01)
  })
})

describe("hashText", () => {
  it("is a safe integer that depends on every character and on what came before", () => {
    const hashes = ["", "a", "b", "ab", "ba", "a".repeat(1000)].map((text) => hashText(text))
    assert.strictEqual(new Set(hashes).size, hashes.length)
    assert.isTrue(hashes.every((hash) => Number.isSafeInteger(hash) && hash >= 0))
    assert.notStrictEqual(hashText("b", hashText("a")), hashText("a", hashText("b")))
  })
})
