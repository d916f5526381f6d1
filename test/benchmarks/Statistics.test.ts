import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Benchmark, Measurement } from "../../benchmarks/support/Benchmark.ts"
import { plot } from "../../benchmarks/support/Plot.ts"
import { report } from "../../benchmarks/support/Report.ts"
import {
  caseResults,
  figuresOf,
  median,
  orderOf,
  type Result,
  spread,
  targetResult
} from "../../benchmarks/support/Statistics.ts"

/** A second's work at a rate. */
const at = (rate: number, figures?: Record<string, number>): Measurement => ({
  operations: rate,
  seconds: 1,
  cpuSeconds: 0.5,
  peakRssBytes: 2 * 1_048_576,
  figures
})

const never = (): Promise<Measurement> => Promise.reject(new Error("it is not run"))

const benchmark: Benchmark = {
  name: "some <&>",
  workload: "some work",
  operation: "job",
  cases: [
    { name: "other", isBaseline: true, run: never },
    { name: "ours", run: never },
    { name: "alone", group: "apart", run: never }
  ]
}

const rounds = new Map([
  // A machine that is twice as slow in the second round, and four times in the third.
  ["other", [at(100), at(50), at(25)]],
  ["ours", [at(200, { p99Ms: 3 }), at(100, { p99Ms: 9 }), at(75, { p99Ms: 4 })]],
  ["alone", [at(10), at(10), at(10)]]
])

const result = (overrides: Partial<Result> = {}): Result => ({
  name: benchmark.name,
  workload: benchmark.workload,
  operation: benchmark.operation,
  measure: "rate",
  repeats: 3,
  isQuick: false,
  machine: { cores: 2, memoryGb: 8, node: "v24.0.0", system: "linux" },
  date: "2026-01-01T00:00:00.000Z",
  cases: caseResults(benchmark, rounds),
  targets: [],
  tookSeconds: 9,
  charts: [{ title: "jobs per second", of: "perSecond" }],
  ...overrides
})

describe("figures", () => {
  it.prop(
    "have a median with as many values above as below",
    [Schema.NonEmptyArray(Schema.Finite.check(Schema.isBetween({ minimum: -1e6, maximum: 1e6 })))],
    ([values]) => {
      const middle = median(values)
      assert.isAtMost(values.filter((value) => value < middle).length, values.length / 2)
      assert.isAtMost(values.filter((value) => value > middle).length, values.length / 2)
      const { max, min } = spread(values)
      assert.isTrue(min <= middle && middle <= max)
    }
  )

  it("compare round by round, so that a slower machine changes no ratio", () => {
    const [other, ours, alone] = caseResults(benchmark, rounds)
    assert.deepStrictEqual(ours?.ratio, { median: 2, min: 2, max: 3 })
    assert.deepStrictEqual(other?.ratio, { median: 1, min: 1, max: 1 })
    assert.isUndefined(alone?.ratio, "no baseline in its group")
    assert.deepStrictEqual(ours?.perSecond, { median: 100, min: 75, max: 200 })
    assert.deepStrictEqual(ours?.figures, { p99Ms: { median: 4, min: 3, max: 9 } })
  })

  it("are held against targets, and refuse names that nobody knows", () => {
    const figures = figuresOf(rounds)
    const target = { claim: "twice", figure: () => figures.ratio("ours", "other"), atLeast: 2 }
    assert.isTrue(targetResult(target, figures).isMet)
    assert.isFalse(targetResult({ ...target, atLeast: 2.1 }, figures).isMet)
    assert.isFalse(targetResult({ claim: "", figure: () => Number.NaN, atMost: 1 }, figures).isMet)
    assert.strictEqual(figures.cpuMicros("alone"), 50_000)
    assert.strictEqual(figures.peakRssMb("alone"), 2)
    assert.throws(() => figures.rate("nobody"), /nobody/)
    assert.throws(() => figures.figure("alone", "p99Ms"), /p99Ms/)
  })

  it("come from rounds whose order alternates", () => {
    assert.deepStrictEqual(
      [0, 1, 2].map((round) => orderOf(["a", "b"], round).join("")),
      ["ab", "ba", "ab"]
    )
  })
})

describe("a report", () => {
  it("tells rates, ratios and targets", () => {
    const targets = [{ claim: "half", figure: 0.4, atLeast: 0.5, isMet: false }]
    const lines = report(result({ targets })).split("\n")
    assert.include(
      lines.find((line) => line.startsWith("ours ")),
      "100 (75.0 .. 200)"
    )
    assert.match(lines.find((line) => line.startsWith("ours ")) ?? "", /2\.00/)
    assert.include(lines, "MISSED half: 0.40 (at least 0.5)")
  })
})

describe("a plot", () => {
  it("is well formed, whatever things are called, and has a bar as long as each median", () => {
    const svg = plot(result())
    assert.notMatch(svg, /<&>/)
    assert.include(svg, "some &lt;&amp;&gt;")
    const open = [...svg.matchAll(/<(svg|text)\b/g)].length
    assert.strictEqual([...svg.matchAll(/<\/(svg|text)>/g)].length, open)
    const widths = [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width))
    assert.lengthOf(widths, 3)
    assert.closeTo(widths[1]! / widths[0]!, 2, 0.01)
    assert.notMatch(svg, /NaN|Infinity/)
  })

  it("shows in a chart of a figure the cases that have it, and its limit", () => {
    const svg = plot(result({ charts: [{ title: "p99, ms", of: "p99Ms", limit: 8 }] }))
    assert.lengthOf([...svg.matchAll(/<rect/g)], 1)
    assert.include(svg, "p99, ms")
    assert.match(svg, /stroke-dasharray/)
    const without = plot(result({ charts: [{ title: "rate", of: "perSecond", except: ["alone"] }] }))
    assert.notInclude(without, ">alone<")
    assert.include(without, "(2.00 x)", "the median of the ratios within rounds")
  })
})
