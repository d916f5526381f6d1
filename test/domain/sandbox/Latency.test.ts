import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { formatLatency, type Latency, parseLatency, sampleLatency } from "../../../src/domain/sandbox/Latency.ts"
import { Prng } from "../../../src/domain/sandbox/Prng.ts"

const parsed = (text: string) => Result.getOrThrow(parseLatency(text))
const complaint = (text: string) => {
  const result = parseLatency(text)
  assert.isTrue(Result.isFailure(result), text)
  return Result.isFailure(result) ? result.failure : ""
}

/** Sorted samples, one from the stream of each request. */
const samples = (text: string, count = 50_000) => {
  const latency = parsed(text)
  return Float64Array.from({ length: count }, (_, stream) => sampleLatency(latency, new Prng(9, stream))).sort()
}
const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length

describe("parseLatency", () => {
  it("reads the four distributions", () => {
    assert.deepStrictEqual(parsed("fixed:50ms"), { _tag: "fixed", ms: 50 })
    assert.deepStrictEqual(parsed("uniform:50ms-0.5s"), { _tag: "uniform", minMs: 50, maxMs: 500 })
    assert.deepStrictEqual(parsed(" normal: 200ms , 50ms "), { _tag: "normal", meanMs: 200, deviationMs: 50 })
    assert.deepStrictEqual(parsed("lognormal:1m,0.5"), { _tag: "lognormal", medianMs: 60_000, sigma: 0.5 })
  })

  it("says what is wrong in one sentence", () => {
    assert.strictEqual(complaint("unifrom:1ms-2ms"), '"unifrom" is no distribution; did you mean "uniform"?')
    assert.include(complaint("50ms"), "known: fixed:50ms, uniform:50ms-500ms")
    assert.include(complaint("fixed:50"), "50ms")
    assert.include(complaint("uniform:50ms"), 'as in "uniform:50ms-500ms"')
    assert.include(complaint("uniform:2s-1s"), "must not be longer")
    assert.include(complaint("lognormal:1s,wide"), '"wide" is no sigma')
    assert.include(complaint("normal:1s,-5ms"), "negative")
    for (const text of ["", "fixed", "fixed:", "normal:,", "lognormal:1s", "lognormal:1s,-1", "lognormal:1s,", ":"]) {
      complaint(text)
    }
  })

  const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 500_000_000 }))
  const Sigma = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 10 }))

  it.prop("reads what formatLatency writes", [Millis, Millis, Sigma], ([first, second, sigma]) => {
    const latencies: ReadonlyArray<Latency> = [
      { _tag: "fixed", ms: first },
      { _tag: "uniform", minMs: Math.min(first, second), maxMs: Math.max(first, second) },
      { _tag: "normal", meanMs: first, deviationMs: second },
      // What was -0 comes back as 0.
      { _tag: "lognormal", medianMs: first, sigma: sigma + 0 }
    ]
    for (const latency of latencies) assert.deepStrictEqual(parsed(formatLatency(latency)), latency)
  })
})

describe("sampleLatency", () => {
  it("is always the same when fixed", () => {
    assert.deepStrictEqual([...new Set(samples("fixed:50ms", 100))], [50])
  })

  it("spreads evenly between the bounds when uniform", () => {
    const values = samples("uniform:50ms-500ms")
    assert.isAtLeast(values[0]!, 50)
    assert.isAtMost(values.at(-1)!, 500)
    assert.approximately(mean(values), 275, 3)
    assert.approximately(values[values.length / 4]!, 162.5, 4)
  })

  it("has the mean and deviation when normal, and nothing below 0", () => {
    const values = samples("normal:200ms,50ms")
    assert.approximately(mean(values), 200, 1)
    assert.approximately(Math.sqrt(mean(values.map((value) => (value - 200) ** 2))), 50, 1)
    assert.strictEqual(samples("normal:10ms,50ms")[0], 0)
  })

  it("has the median and the long tail when lognormal", () => {
    const values = samples("lognormal:200ms,0.5")
    assert.approximately(values[values.length / 2]!, 200, 3)
    // 1.6449 deviations above the mean of the logarithm lie 95 %.
    assert.approximately(values[values.length * 0.95]!, 200 * Math.exp(0.5 * 1.6449), 8)
  })

  it("never exceeds what a timer can wait for", () => {
    assert.isAtMost(samples("lognormal:576h,10", 1000).at(-1)!, 2 ** 31 - 1)
  })
})
