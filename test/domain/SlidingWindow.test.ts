import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SlidingWindow } from "../../src/domain/SlidingWindow.ts"
import { RateLimit } from "../../src/domain/sandbox/RateLimit.ts"
import { listsUpTo } from "../support/RandomLists.ts"

/** Gaps between events in milliseconds: some at once, some around the window, some after a pause. */
const Gaps = Schema.Array(Schema.Literals([0, 0, 0.25, 1, 3, 10, 100, 499, 500, 501, 999.5, 1000, 1001, 5000]))

const timesOf = (gaps: ReadonlyArray<number>): ReadonlyArray<number> => {
  let now = 1000
  return gaps.map((gap) => {
    now += gap
    return now
  })
}

describe("SlidingWindow", () => {
  it.prop(
    "counts what a filter over all events counts",
    [Gaps],
    ([gaps]) => {
      const window = new SlidingWindow(1000)
      const times = timesOf(gaps)
      times.forEach((now, index) => {
        const inside = times.slice(0, index).filter((time) => time + 1000 > now)
        assert.strictEqual(window.count(now), inside.length)
        assert.strictEqual(window.untilOldestLeaves(now), inside.length === 0 ? 0 : inside[0]! + 1000 - now)
        assert.strictEqual(window.untilEmpty(now), inside.length === 0 ? 0 : inside.at(-1)! + 1000 - now)
        window.add(now)
      })
    },
    { arbitrary: listsUpTo(100) }
  )

  it("holds as many events as come, also when it has wrapped around", () => {
    const window = new SlidingWindow(1000)
    for (let event = 0; event < 50; event++) window.add(event)
    assert.strictEqual(window.count(1020.5), 29)
    for (let event = 0; event < 10_000; event++) window.add(1021 + event / 100)
    assert.strictEqual(window.count(1121), 10_000)
    assert.strictEqual(window.count(2121), 0)
  })
})

describe("RateLimit", () => {
  it.prop(
    "never admits more than the limits in any window, and refuses only when a window is full",
    [Gaps],
    ([gaps]) => {
      const limit = RateLimit.make({ requestsPerSecond: 3, requestsPerMinute: 5 })!
      const admitted: Array<number> = []
      const within = (now: number, windowMs: number) => admitted.filter((time) => time + windowMs > now).length
      for (const now of timesOf(gaps)) {
        const full = within(now, 1000) >= 3 || within(now, 60_000) >= 5
        const verdict = limit.take(now)
        assert.strictEqual(verdict.admitted, !full)
        if (verdict.admitted) admitted.push(now)
        else
          assert.isTrue(within(now + verdict.retryAfterMs, 1000) < 3 && within(now + verdict.retryAfterMs, 60_000) < 5)
      }
    },
    { arbitrary: listsUpTo(100) }
  )

  it("tells the limit that is closest, what is left of it and when it is whole again", () => {
    const limit = RateLimit.make({ requestsPerSecond: 2, requestsPerMinute: 100 })!
    assert.deepStrictEqual(limit.take(0), {
      admitted: true,
      limit: 2,
      windowMs: 1000,
      remaining: 1,
      resetMs: 1000,
      retryAfterMs: 0
    })
    limit.take(400)
    assert.deepStrictEqual(limit.take(500), {
      admitted: false,
      limit: 2,
      windowMs: 1000,
      remaining: 0,
      resetMs: 900,
      retryAfterMs: 500
    })
  })

  it("tells the limit that makes one wait longest", () => {
    const limit = RateLimit.make({ requestsPerSecond: 1, requestsPerMinute: 1 })!
    limit.take(0)
    const verdict = limit.take(100)
    assert.strictEqual(verdict.windowMs, 60_000)
    assert.strictEqual(verdict.retryAfterMs, 59_900)
  })

  it("is not there when nothing is limited", () => {
    assert.isUndefined(RateLimit.make({ requestsPerSecond: undefined, requestsPerMinute: undefined }))
  })
})
