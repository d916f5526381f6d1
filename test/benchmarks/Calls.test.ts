import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Call, pacing } from "../../benchmarks/support/Calls.ts"
import { requestReader } from "../../benchmarks/support/RequestReader.ts"
import { fullest, leastWithin } from "../../benchmarks/support/Windows.ts"

/** Calls at 100 a second for 10 s, each of which takes 50 ms at the endpoint. */
const even = (change: (call: Call, at: number) => Call = (call) => call): ReadonlyArray<Call> =>
  Array.from({ length: 1_001 }, (_, at) =>
    change({ sentAt: 5_000 + at * 10, endedAt: 5_050 + at * 10, tookMs: 50 }, at)
  )

const figuresOf = (calls: ReadonlyArray<Call>, limit = 100) => {
  const figures = pacing(calls, limit)
  return (name: string) => figures[name] ?? Number.NaN
}

describe("windows", () => {
  const times = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 })))

  it.prop("hold as many as counting says", [times], ([unsorted]) => {
    const all = unsorted.toSorted((a, b) => a - b)
    const within = (start: number) => all.filter((time) => time >= start && time < start + 50).length
    const { count, from } = fullest(all, 50)
    assert.strictEqual(count, Math.max(0, ...all.map(within)))
    if (all.length > 0) assert.strictEqual(within(from), count)
    const least = leastWithin(all, 50)
    for (const start of all) {
      const after = all.filter((time) => time > start && time <= start + 50).length
      if (start + 50 < (all.at(-1) ?? 0)) assert.isAtMost(least, after)
    }
  })
})

describe("the pacing of calls", () => {
  it("is without fault when they are even", () => {
    const figure = figuresOf(even())
    assert.strictEqual(figure("sent"), 1_001)
    assert.closeTo(figure("rateOfLimit"), 1, 1e-9)
    assert.strictEqual(figure("fullestSecondOfLimit"), 1)
    assert.strictEqual(figure("emptiestSecondOfLimit"), 1)
    for (const name of ["p99LateMs", "p50AddedMs", "p99AddedMs", "mostAddedMs"]) {
      assert.closeTo(figure(name), 0, 1e-6, name)
    }
  })

  it("shows a burst in one second, wherever it starts, though the rate is kept", () => {
    const figure = figuresOf(even((call, at) => (at >= 555 && at < 560 ? { ...call, sentAt: 5_000 + 5_550 } : call)))
    assert.strictEqual(figure("fullestSecondOfLimit"), 1.04)
    assert.closeTo(figure("fullestSecondStartsAtMs"), 4_560, 1e-6)
    assert.closeTo(figure("rateOfLimit"), 1, 1e-9)
  })

  it("counts a pause of the client against every call that it held up", () => {
    // Half a second in which nothing is sent; what was due then follows at once.
    const held = (call: Call, at: number) => {
      const sentAt = Math.max(call.sentAt, at >= 500 && at < 550 ? 10_500 : 0)
      return { ...call, sentAt, endedAt: sentAt + 50 }
    }
    const figure = figuresOf(even(held))
    assert.closeTo(figure("mostAddedMs"), 500, 1e-6)
    assert.isAbove(figure("p99AddedMs"), 300)
    assert.isAbove(figure("p99LateMs"), 300)
    assert.closeTo(figure("emptiestSecondOfLimit"), 0.5, 0.02)
  })

  it("counts what comes after the endpoint's time as added, and no part of the endpoint's", () => {
    const figure = figuresOf(even((call) => ({ ...call, tookMs: 50, endedAt: call.sentAt + 57 })))
    assert.closeTo(figure("p50AddedMs"), 7, 1e-6)
    const slow = figuresOf(even((call) => ({ ...call, tookMs: 400, endedAt: call.sentAt + 401 })))
    assert.closeTo(slow("p99AddedMs"), 1, 1e-6)
  })

  it("is not judged by the first two seconds as far as delay goes, and is as far as the rate does", () => {
    const figure = figuresOf(even((call, at) => (at < 100 ? { ...call, endedAt: call.endedAt + 900 } : call)))
    assert.closeTo(figure("mostAddedMs"), 0, 1e-6)
    assert.isBelow(figuresOf(even((call, at) => (at === 0 ? { ...call, sentAt: 4_000 } : call)))("rateOfLimit"), 0.92)
  })
})

describe("an endpoint's reader", () => {
  const request = (body: string) => `POST /v1 HTTP/1.1\r\nhost: h\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  it.prop(
    "tells each request once, wherever what comes is cut",
    [Schema.Array(Schema.String.check(Schema.isPattern(/^[a-z\r\n]{0,9}$/))), Schema.Array(Schema.Int)],
    ([bodies, cuts]) => {
      const all = Buffer.from(bodies.map(request).join(""))
      const places = cuts.map((cut) => Math.abs(cut) % (all.length + 1)).sort((a, b) => a - b)
      let told = 0
      const read = requestReader((head) => {
        assert.match(head, /^POST \/v1 /)
        told++
      })
      for (const [at, start] of [0, ...places].entries()) read(all.subarray(start, places[at] ?? all.length))
      assert.strictEqual(told, bodies.length)
    }
  )
})
