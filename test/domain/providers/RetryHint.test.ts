import { assert, describe, it } from "@effect/vitest"
import { fromHeaders, fromMessage } from "../../../src/domain/providers/RetryHint.ts"

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)
const hint = (headers: Record<string, string>) => fromHeaders(headers, NOW)

describe("a hint of how long to wait", () => {
  it("is read from retry-after in seconds", () => {
    assert.strictEqual(hint({ "retry-after": "30" }), 30_000)
    assert.strictEqual(hint({ "retry-after": " 0 " }), 0)
    assert.strictEqual(hint({ "retry-after": "1.5" }), 1_500)
  })

  it("is read from retry-after as an HTTP date in each of its three forms", () => {
    for (const date of [
      "Mon, 05 Jan 2026 12:01:00 GMT",
      "Monday, 05-Jan-26 12:01:00 GMT",
      "Mon Jan  5 12:01:00 2026"
    ]) {
      assert.strictEqual(hint({ "retry-after": date }), 60_000, date)
    }
  })

  it("is 0 for a date that has passed", () => {
    assert.strictEqual(hint({ "retry-after": "Mon, 05 Jan 2026 11:59:00 GMT" }), 0)
  })

  it("comes from retry-after-ms first", () => {
    assert.strictEqual(hint({ "retry-after-ms": "1200", "retry-after": "30" }), 1_200)
    assert.strictEqual(hint({ "retry-after-ms": "soon", "retry-after": "30" }), 30_000)
  })

  it("is absent when there is none that can be understood", () => {
    assert.isUndefined(hint({}))
    for (const value of ["", "-1", "soon", "1e3", "0x10", "NaN", "Infinity", "2026-01-05", "Mon, never"]) {
      assert.isUndefined(hint({ "retry-after": value }), value)
    }
  })

  it("is read from the words of a message", () => {
    for (const [message, ms] of [
      ["Rate limit reached for x. Limit: 3, Used 3, Requested 1. Please try again in 20s. Visit ...", 20_000],
      ["Please try again in 6m0s.", 360_000],
      ["Please try again in 12ms.", 12],
      ["Please retry in 44.097740004s.", 44_098],
      ["please retry in 900.2ms.", 901],
      ["Please retry after 26 seconds.", 26_000],
      ["Please retry after 1 second.", 1_000],
      ["Try again in 2 minutes", 120_000],
      ["Try again in 1 hour", 3_600_000]
    ] as const) {
      assert.strictEqual(fromMessage(message), ms, message)
    }
  })

  it("is not read from words that name no time", () => {
    for (const message of [
      "",
      "Please retry later.",
      "try again in a moment",
      "retry in 5 days",
      "in 20s",
      "retry after 7"
    ]) {
      assert.isUndefined(fromMessage(message), message)
    }
  })
})
