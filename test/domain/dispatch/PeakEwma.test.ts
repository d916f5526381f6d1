import { assert, describe, it } from "@effect/vitest"
import { PeakEwma } from "../../../src/domain/dispatch/PeakEwma.ts"

describe("PeakEwma", () => {
  it("believes a slow answer at once, and quick ones slowly", () => {
    const latency = new PeakEwma(10_000)
    latency.observe(100, 0)
    latency.observe(900, 1)
    assert.strictEqual(latency.read(1), 900)
    latency.observe(100, 2)
    assert.isAbove(latency.read(2), 890)
    for (let now = 1_000; now <= 60_000; now += 1_000) latency.observe(100, now)
    assert.approximately(latency.read(60_000), 100, 10)
  })

  it("forgets while there is no news, so that a worker that was slow is tried again", () => {
    const latency = new PeakEwma(10_000)
    latency.observe(1_000, 0)
    assert.approximately(latency.read(10_000), 368, 1)
    assert.isBelow(latency.read(60_000), 3)
  })

  it("knows nothing at first", () => {
    assert.strictEqual(new PeakEwma().read(5), 0)
  })
})
