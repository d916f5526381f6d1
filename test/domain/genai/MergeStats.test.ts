import { deserialize, serialize } from "node:v8"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Histogram } from "../../../src/domain/genai/Histogram.ts"
import * as MergeStats from "../../../src/domain/genai/MergeStats.ts"
import { endpoint } from "../report/Fixtures.ts"

const of = (values: Iterable<number>): Histogram => {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

describe("figures of several processes", () => {
  it.prop(
    "have the quantiles that one process would have had",
    { one: Schema.Array(Schema.Finite), other: Schema.Array(Schema.Finite) },
    ({ one, other }) => {
      const counts = [one, other].map((values) => MergeStats.countsOf({ ...endpoint("east"), latency: of(values) }))
      const { latency, wait } = MergeStats.merge(counts)
      const all = of([...one, ...other])
      assert.deepStrictEqual([latency.count, latency.max], [all.count, all.max])
      assert.approximately(latency.sum, all.sum, Math.abs(all.sum) * 1e-9)
      for (const q of [0, 0.1, 0.5, 0.95, 0.99, 1]) assert.strictEqual(latency.quantile(q), all.quantile(q))
      assert.strictEqual(wait.count, 0)
    }
  )

  it("add up, and survive the way between processes", () => {
    const east = endpoint("east", {
      ...{ sent: 10, succeeded: 6, inflight: 1, queueLen: 2, aborted: 1, retries: 3, failures: { NotFound: 2 } },
      ...{ inputTokens: 5, cachedInputTokens: 1, outputTokens: 7, unmetered: 1, state: "cooling" },
      cost: { input: 1, cachedInput: 0.5, output: 2 }
    })
    const counts = MergeStats.countsOf(east)
    const merged = MergeStats.merge([
      MergeStats.unused(east),
      deserialize(serialize(counts)),
      { ...counts, failures: { NotFound: 1, Overloaded: 4 }, state: "disabled" }
    ])
    assert.deepInclude(merged, {
      ...{ name: "east", state: "up", sent: 20, succeeded: 12, inflight: 2, queueLen: 4, aborted: 2, retries: 6 },
      ...{ inputTokens: 10, cachedInputTokens: 2, outputTokens: 14, unmetered: 2 },
      failures: { NotFound: 3, Overloaded: 4 },
      cost: { input: 2, cachedInput: 1, output: 4 }
    })
    assert.strictEqual(MergeStats.merge([{ ...counts, state: "open" }, counts]).state, "cooling")
  })

  it("count what a process had in flight at its end as cut off, so that every send is accounted for", () => {
    const counts = MergeStats.ended(
      MergeStats.countsOf(
        endpoint("east", { sent: 9, succeeded: 4, failures: { NotFound: 2 }, inflight: 3, aborted: 0 })
      )
    )
    assert.deepInclude(counts, { inflight: 0, aborted: 3, queueLen: 0, sent: 9 })
  })

  it("take the state of an endpoint from processes that live", () => {
    const up = MergeStats.ended(MergeStats.countsOf(endpoint("east", { sent: 9, state: "up" })))
    const open = MergeStats.countsOf(endpoint("east", { sent: 1, state: "open", opensInMs: 500 }))
    assert.deepInclude(MergeStats.merge([up, open]), { state: "open", opensInMs: 500, sent: 10 })
  })
})
