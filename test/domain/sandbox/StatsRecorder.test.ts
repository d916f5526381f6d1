import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SandboxStats } from "../../../src/domain/sandbox/SandboxStats.ts"
import { StatsRecorder } from "../../../src/domain/sandbox/StatsRecorder.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

describe("StatsRecorder", () => {
  it("starts with nothing", () => {
    const stats = new StatsRecorder().snapshot()
    assert.strictEqual(stats.received, 0)
    assert.isNull(stats.firstArrivalMs)
    assert.deepStrictEqual(stats.perSecond, [])
  })

  it.prop(
    "counts every arrival once among answered, aborted, cut, reset and in flight",
    [Schema.Array(Schema.Literals(["arrive", "answer", "abort", "cut", "reset"]))],
    ([steps]) => {
      const recorder = new StatsRecorder()
      let open = 0
      let most = 0
      steps.forEach((step, time) => {
        if (step === "arrive") {
          recorder.arrive(time, time, "none")
          open += 1
        } else if (open > 0) {
          open -= 1
          if (step === "answer") recorder.answer(time % 2 === 0 ? 200 : 429)
          else if (step === "abort") recorder.abort()
          else if (step === "cut") recorder.cutOff()
          else {
            recorder.fault("reset")
            recorder.reset()
          }
        }
        most = Math.max(most, open)
      })
      const stats = recorder.snapshot()
      const answered = Object.values(stats.answered).reduce((sum, count) => sum + count, 0)
      assert.strictEqual(
        stats.received,
        answered + stats.aborted + stats.cut + (stats.faults["reset"] ?? 0) + stats.inflight
      )
      assert.strictEqual(stats.inflight, open)
      assert.strictEqual(stats.maxInflight, most)
    },
    { arbitrary: listsUpTo(100) }
  )

  it("counts calendar seconds and the fullest sliding second apart", () => {
    const recorder = new StatsRecorder()
    // 4 in the second half of one calendar second, 4 in the first half of the next.
    const arrivals = [500, 600, 700, 800, 1000, 1100, 1200, 1499, 1500, 2600]
    for (const time of arrivals) recorder.arrive(time, 1_700_000_000_000 + time, "none")
    const stats = recorder.snapshot()
    assert.deepStrictEqual(stats.perSecond, [
      [1_700_000_000, 4],
      [1_700_000_001, 5],
      [1_700_000_002, 1]
    ])
    assert.strictEqual(stats.maxPerSlidingSecond, 8)
    assert.strictEqual(stats.firstArrivalMs, 1_700_000_000_500)
    assert.strictEqual(stats.lastArrivalMs, 1_700_000_002_600)
  })

  it("keeps the last 3,600 seconds and 1,000 keys, and loses no count of keys", () => {
    const recorder = new StatsRecorder()
    for (let second = 0; second < 5000; second++) recorder.arrive(second * 1000, second * 1000, `key ${second}`)
    recorder.arrive(5_000_000, 5_000_000, "key 7")
    const { perKey, perSecond, received } = recorder.snapshot()
    assert.strictEqual(received, 5001)
    assert.strictEqual(perSecond.length, 3600)
    assert.deepStrictEqual(perSecond[0], [1401, 1])
    assert.deepStrictEqual(perSecond.at(-1), [5000, 1])
    assert.strictEqual(perKey["key 7"], 2)
    assert.strictEqual(perKey["other"], 4000)
    assert.strictEqual(Object.keys(perKey).length, 1001)
  })

  it("keeps the arrivals of the last five minutes by tenths of a second", () => {
    const recorder = new StatsRecorder()
    for (const unix of [1000, 1099, 1100, 300_999, 301_000, 301_150]) recorder.arrive(unix, unix, "none")
    // The first two tenths are five minutes before the last, or more.
    assert.deepStrictEqual(recorder.snapshot().perTenth, [
      [300_900, 1],
      [301_000, 1],
      [301_100, 1]
    ])
  })

  it("counts tokens by calendar minute, and the most in any 60 s", () => {
    const recorder = new StatsRecorder()
    const answer = (promptTokens: number, completionTokens: number) => ({
      text: "",
      cut: false,
      promptTokens,
      completionTokens
    })
    // Unix time 600,000 begins a minute.
    recorder.tokens(answer(10, 1), 0, 630_000)
    recorder.tokens(answer(20, 2), 31_000, 661_000)
    recorder.tokens(answer(5, 100), 60_000, 690_000)
    const stats = recorder.snapshot()
    assert.deepStrictEqual(stats.tokensPerMinute, [
      [600, 10, 1],
      [660, 25, 102]
    ])
    assert.deepStrictEqual(stats.maxTokensPerSlidingMinute, { input: 30, output: 102, total: 127 })
    assert.deepStrictEqual([stats.promptTokens, stats.completionTokens], [35, 103])
  })

  it("goes on counting when the wall clock is set back", () => {
    const recorder = new StatsRecorder()
    for (const unix of [10_000, 9000, 11_000]) recorder.arrive(unix, unix, "none")
    assert.deepStrictEqual(recorder.snapshot().perSecond, [
      [10, 2],
      [11, 1]
    ])
  })

  it("gives snapshots that its schema describes and that stay as they were", () => {
    const recorder = new StatsRecorder()
    recorder.arrive(0, 0, "none")
    const before = recorder.snapshot()
    recorder.arrive(1, 1, "none")
    recorder.answer(200)
    assert.strictEqual(before.received, 1)
    assert.deepStrictEqual(before.perSecond, [[0, 1]])
    const stats = recorder.snapshot()
    const throughJson: unknown = JSON.parse(JSON.stringify(stats))
    assert.deepStrictEqual(Schema.decodeUnknownSync(SandboxStats)(throughJson), stats)
  })
})
