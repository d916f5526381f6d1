import { assert, describe, it } from "@effect/vitest"
import { LearnedLimit } from "../../../../src/domain/genai/health/LearnedLimit.ts"

describe("a learned limit", () => {
  it("is the one that answers tell", () => {
    const limit = new LearnedLimit()
    assert.isUndefined(limit.requestsPerMinute)
    assert.isTrue(limit.learn(600, 0))
    assert.isFalse(limit.learn(600, 10))
    assert.strictEqual(limit.requestsPerMinute, 600)
  })

  it("is the lowest of those that are told by turns", () => {
    const limit = new LearnedLimit()
    limit.learn(660, 0)
    assert.isTrue(limit.learn(600, 100), "lower: at once")
    for (let now = 200; now < 300_000; now += 100) {
      assert.isFalse(limit.learn(now % 200 === 0 ? 660 : 600, now))
      assert.strictEqual(limit.requestsPerMinute, 600)
    }
  })

  it("rises when nobody has told of the lower one for a minute", () => {
    const limit = new LearnedLimit()
    limit.learn(600, 1_000)
    assert.isFalse(limit.learn(900, 60_999))
    assert.isTrue(limit.learn(900, 61_000))
    assert.strictEqual(limit.requestsPerMinute, 900)
  })
})
