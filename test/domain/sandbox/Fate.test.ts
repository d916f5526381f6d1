import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { parseFailureMix } from "../../../src/domain/sandbox/FailureMix.ts"
import { type FateRules, fateOf } from "../../../src/domain/sandbox/Fate.ts"
import { parseLatency } from "../../../src/domain/sandbox/Latency.ts"

const rules = (seed: number, latency: string, failures: string): FateRules => ({
  seed,
  latency: Result.getOrThrow(parseLatency(latency)),
  failures: Result.getOrThrow(parseFailureMix(failures))
})
const MIX = "429=0.02,429-retry-after=0.02,500=0.02,503=0.01,529=0.01,reset=0.01,stall=0.005,truncated=0.01,html=0.01"
const fates = (given: FateRules, count = 500) => Array.from({ length: count }, (_, arrival) => fateOf(given, arrival))

describe("fateOf", () => {
  it("depends on the seed and the arrival's number only, whatever the order of asking", () => {
    const given = rules(42, "lognormal:200ms,0.5", MIX)
    const forwards = fates(given)
    const backwards = forwards.map((_, index) => fateOf(given, forwards.length - 1 - index)).reverse()
    assert.deepStrictEqual(backwards, forwards)
    assert.notDeepEqual(fates(rules(43, "lognormal:200ms,0.5", MIX)), forwards)
  })

  it("keeps the failures when the latency changes, and the latencies when the failures change", () => {
    const given = fates(rules(1, "uniform:1ms-9ms", MIX))
    assert.deepStrictEqual(
      fates(rules(1, "fixed:5ms", MIX)).map((fate) => fate.fault),
      given.map((fate) => fate.fault)
    )
    assert.deepStrictEqual(
      fates(rules(1, "uniform:1ms-9ms", "")).map((fate) => fate.latencyMs),
      given.map((fate) => fate.latencyMs)
    )
  })

  it("fails as often as the mix says", () => {
    const given = rules(1, "fixed:0ms", MIX)
    const counts = new Map<string, number>()
    const total = 200_000
    for (const { fault } of fates(given, total))
      if (fault !== undefined) counts.set(fault, (counts.get(fault) ?? 0) + 1)
    for (const { name, share } of given.failures) {
      // Five standard deviations of the binomial distribution.
      assert.approximately(counts.get(name) ?? 0, share * total, 5 * Math.sqrt(share * total), name)
    }
  })
})
