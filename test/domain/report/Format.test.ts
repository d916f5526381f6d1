import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../../src/domain/report/Format.ts"

describe("Format", () => {
  it("groups the digits of counts", () => {
    assert.deepStrictEqual([0, 999, 1234, 1_234_567].map(Format.count), ["0", "999", "1,234", "1,234,567"])
  })

  it("shortens large figures", () => {
    assert.deepStrictEqual([7, 999, 51_230, 1_250_000].map(Format.compact), ["7", "999", "51.2K", "1.3M"])
  })

  it("gives small rates a decimal and large ones none", () => {
    assert.deepStrictEqual([undefined, 0, 9.84, 99.94, 99.96, 412.3, 10_000].map(Format.rate), [
      "-",
      "0.0",
      "9.8",
      "99.9",
      "100",
      "412",
      "10,000"
    ])
  })

  it("shows money to the cent, and what is less than one by its leading digits", () => {
    assert.deepStrictEqual([0, 0.0000042, 0.00042, 0.0123, 0.99, 1, 1234.567].map(Format.money), [
      "0",
      "0.0000042",
      "0.00042",
      "0.0123",
      "0.9900",
      "1.00",
      "1,234.57"
    ])
  })

  it("never calls a run done that is not", () => {
    assert.deepStrictEqual([0, 0.6179, 0.9999, 1].map(Format.progress), ["0.0%", "61.7%", "99.9%", "100%"])
  })

  it("rounds shares to the nearest tenth", () => {
    assert.deepStrictEqual([0.6179, 0.3821, 1].map(Format.percent), ["61.8%", "38.2%", "100%"])
  })

  it("writes durations in the two units that matter", () => {
    assert.deepStrictEqual([0, 400, 12_345, 59_949, 59_951, 62_000, 3_599_600, 7_500_000].map(Format.duration), [
      "0.0s",
      "0.4s",
      "12.3s",
      "59.9s",
      "1m 00s",
      "1m 02s",
      "1h 00m",
      "2h 05m"
    ])
  })

  it("writes times to come as a clock, rounded up", () => {
    assert.deepStrictEqual([0, 11_001, 725_000, 3_725_000].map(Format.clock), ["0:00", "0:12", "12:05", "1:02:05"])
  })

  it("writes latencies with three digits", () => {
    assert.deepStrictEqual([undefined, 0, 182, 999.4, 999.6, 1200, 12_345, 125_000].map(Format.latency), [
      "-",
      "0ms",
      "182ms",
      "999ms",
      "1.00s",
      "1.20s",
      "12.3s",
      "2m 05s"
    ])
  })

  it("tallies the largest count first and leaves out zeros", () => {
    assert.strictEqual(Format.tally({ TimedOut: 4, RateLimited: 1200, NotFound: 0 }), "1,200 RateLimited, 4 TimedOut")
  })

  it("chooses singular and plural", () => {
    assert.deepStrictEqual(
      [Format.plural(1, "row"), Format.plural(2, "row"), Format.plural(2, "retry", "retries")],
      ["1 row", "2 rows", "2 retries"]
    )
  })
})
