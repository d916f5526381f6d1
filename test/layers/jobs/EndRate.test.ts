import { assert, describe, it } from "@effect/vitest"
import { EndRate } from "../../../src/layers/jobs/EndRate.ts"

describe("EndRate", () => {
  it("says when the next job ends at the rate of the time that jobs ran, not of the idle time before", () => {
    const rate = new EndRate()
    rate.begin(1_000)
    rate.add(1_100)
    rate.begin(1_000_000)
    for (let second = 1; second <= 10; second++) rate.add(1_000_000 + second * 1_000)
    assert.strictEqual(rate.retryAfterMs(1_020_000), 2_000)
  })

  it("goes on counting when one job follows another", () => {
    const rate = new EndRate()
    rate.begin(0)
    for (let job = 1; job <= 3; job++) {
      rate.add(job * 10_000)
      rate.begin(job * 10_000 + 10)
    }
    assert.strictEqual(rate.retryAfterMs(30_010), Math.ceil(30_010 / 3))
  })

  it("waits as long again as was waited when none has ended yet; from a second to a minute", () => {
    const rate = new EndRate()
    rate.begin(0)
    assert.strictEqual(rate.retryAfterMs(0), 1_000)
    assert.strictEqual(rate.retryAfterMs(20_000), 20_000)
    assert.strictEqual(rate.retryAfterMs(500_000), 60_000)
  })

  it("forgets what ended more than a minute ago", () => {
    const rate = new EndRate()
    rate.begin(0)
    for (let job = 0; job < 1_000; job++) rate.add(500)
    assert.strictEqual(rate.retryAfterMs(30_000), 1_000)
    assert.strictEqual(rate.retryAfterMs(90_000), 60_000)
  })
})
