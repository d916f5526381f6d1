import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { AdaptiveConcurrency } from "../../../../src/domain/genai/health/AdaptiveConcurrency.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

/** Answers one full round of sends, each after `latencyMs`; gives the time at its end. */
const round = (adaptive: AdaptiveConcurrency, now: number, latencyMs = 100): number => {
  const count = adaptive.concurrency
  for (let index = 0; index < count; index++) adaptive.answered(now, now + latencyMs, count)
  return now + latencyMs
}

describe("adaptive concurrency", () => {
  it("doubles per round until the first congestion", () => {
    const adaptive = new AdaptiveConcurrency(100)
    const seen: Array<number> = []
    for (let now = 0; seen.length < 4; ) {
      seen.push(adaptive.concurrency)
      now = round(adaptive, now)
    }
    assert.deepStrictEqual(seen, [16, 32, 64, 100])
  })

  it("falls by a factor on congestion, then grows by one per round", () => {
    const adaptive = new AdaptiveConcurrency(100)
    let now = round(adaptive, 0)
    adaptive.congested(now, now)
    assert.strictEqual(adaptive.concurrency, 22, "32 * 0.7")
    now = round(adaptive, now)
    now = round(adaptive, now)
    assert.isTrue(adaptive.concurrency >= 23 && adaptive.concurrency <= 24, String(adaptive.concurrency))
  })

  it("falls once per round trip, however many sends of it are refused", () => {
    const adaptive = new AdaptiveConcurrency(16)
    for (let index = 0; index < 16; index++) adaptive.congested(0, 100 + index)
    assert.strictEqual(adaptive.concurrency, 11)
    adaptive.congested(200, 300)
    assert.strictEqual(adaptive.concurrency, 7)
  })

  it("falls when answers take much longer than usual", () => {
    const adaptive = new AdaptiveConcurrency(32)
    let now = 0
    for (let count = 0; count < 10; count++) now = round(adaptive, now)
    assert.strictEqual(adaptive.concurrency, 32)
    now = round(adaptive, now, 1_000)
    assert.isBelow(adaptive.concurrency, 32)
  })

  it("does not grow on what is not used", () => {
    const adaptive = new AdaptiveConcurrency(100)
    for (let count = 0; count < 1_000; count++) adaptive.answered(count, count + 1, 1)
    assert.strictEqual(adaptive.concurrency, 16)
  })

  const step = Schema.Struct({
    isAnswer: Schema.Boolean,
    latencyMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 })),
    share: Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
  })

  it.prop(
    "stays a whole number from 1 to the limit, whatever happens",
    [Schema.Array(step).check(Schema.isMaxLength(300)), Schema.Literals([1, 3, 16, 1_000])],
    ([steps, limit]) => {
      const adaptive = new AdaptiveConcurrency(limit)
      let now = 0
      for (const { isAnswer, latencyMs, share } of steps) {
        now += 10
        if (isAnswer) adaptive.answered(now - latencyMs, now, Math.ceil(share * adaptive.concurrency))
        else adaptive.congested(now - latencyMs, now)
        assert.isTrue(Number.isInteger(adaptive.concurrency))
        assert.isTrue(adaptive.concurrency >= 1 && adaptive.concurrency <= limit)
      }
    },
    { arbitrary: listsUpTo(300) }
  )
})
