import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  drawFailure,
  FailureMix,
  FaultName,
  formatFailureMix,
  parseFailureMix
} from "../../../src/domain/sandbox/FailureMix.ts"

const complaint = (text: string) => Result.getOrThrow(Result.flip(parseFailureMix(text)))

const sum = (mix: FailureMix) => mix.reduce((total, entry) => total + entry.share, 0)

describe("parseFailureMix", () => {
  it("reads names and shares, with spaces and empty parts", () => {
    assert.deepStrictEqual(Result.getOrThrow(parseFailureMix("429=0.02, 429-retry-after = .5 ,,stall=1e-3")), [
      { name: "429", share: 0.02 },
      { name: "429-retry-after", share: 0.5 },
      { name: "stall", share: 0.001 }
    ])
    assert.deepStrictEqual(Result.getOrThrow(parseFailureMix("")), [])
  })

  it("names the nearest known name, or all of them", () => {
    assert.strictEqual(
      complaint("429-retryafter=0.1"),
      '"429-retryafter" is no failure; did you mean "429-retry-after"?'
    )
    assert.strictEqual(complaint("truncate=0.1"), '"truncate" is no failure; did you mean "truncated"?')
    assert.include(complaint("gremlins=0.1"), `known: ${FaultName.literals.join(", ")}`)
  })

  it("says which share is wrong", () => {
    for (const written of ["", "abc", "-0.1", "1.1", "NaN", "Infinity", "1%"]) {
      assert.include(complaint(`500=${written}`), `the share of "500" must be a number from 0 to 1`)
      assert.include(complaint(`500=${written}`), `not "${written}"`)
    }
    assert.include(complaint("500"), `as in "500=0.02"`)
    assert.strictEqual(complaint("500=0.1,500=0.2"), '"500" is there twice')
    assert.strictEqual(complaint("500=0.6,503=0.5"), "the shares add up to 1.1, and cannot be more than 1")
  })

  it("takes shares whose sum is 1 but for rounding", () => {
    const names = FaultName.literals.slice(0, 10)
    assert.isTrue(Result.isSuccess(parseFailureMix(names.map((name) => `${name}=0.1`).join(","))))
  })

  it.prop(
    "takes what formatFailureMix writes exactly when the shares fit and the names differ",
    [FailureMix],
    ([mix]) => {
      const result = parseFailureMix(formatFailureMix(mix))
      const valid = new Set(mix.map((entry) => entry.name)).size === mix.length && sum(mix) <= 1 + 1e-9
      assert.strictEqual(Result.isSuccess(result), valid)
      // What was -0 comes back as 0.
      const positive = mix.map(({ name, share }) => ({ name, share: share + 0 }))
      if (Result.isSuccess(result)) assert.deepStrictEqual(result.success, positive)
    }
  )

  it.prop("gives a valid mix or a sentence for any text, and never throws", [Schema.String], ([text]) => {
    const result = parseFailureMix(text)
    if (Result.isSuccess(result)) assert.isTrue(Schema.is(FailureMix)(result.success))
    else assert.isAbove(result.failure.length, 0)
  })
})

describe("drawFailure", () => {
  const mix = Result.getOrThrow(parseFailureMix("429=0.1,reset=0.2,html=0.3"))

  it("gives each failure its share, and nothing the rest", () => {
    const counts = new Map<string, number>()
    for (let draw = 0; draw < 10_000; draw++) {
      const name = drawFailure(mix, (draw + 0.5) / 10_000) ?? "none"
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    assert.deepStrictEqual(Object.fromEntries(counts), { 429: 1000, reset: 2000, html: 3000, none: 4000 })
  })

  it("always fails when the shares are 1", () => {
    const always = Result.getOrThrow(parseFailureMix("500=1"))
    assert.strictEqual(drawFailure(always, 0), "500")
    assert.strictEqual(drawFailure(always, 1 - 2 ** -32), "500")
  })
})
