import { assert, describe, it } from "@effect/vitest"
import * as Failures from "../../../src/domain/providers/Failures.ts"

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)

describe("where a hint comes from", () => {
  const failures = Failures.make({ baseUrl: new URL("http://x.test"), model: undefined, parameters: {}, headers: {} })
  const reasonFor = (headers: Record<string, string>, complaint?: Failures.Complaint) =>
    failures.answered({ status: 429, headers, body: "" }, complaint, undefined, NOW).reason
  const spent = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s" }

  it("is kept: the body before the headers, an explicit wait before the limit's reset", () => {
    const all = { "retry-after-ms": "1200", "retry-after": "30", ...spent }
    assert.deepInclude(reasonFor(all, { retryAfterMs: 5 }), { retryAfterMs: 5, hint: "body" })
    assert.deepInclude(reasonFor(all), { retryAfterMs: 1_200, hint: "retry-after-ms" })
    assert.deepInclude(reasonFor({ "retry-after": "30", ...spent }), { retryAfterMs: 30_000, hint: "retry-after" })
    assert.deepInclude(reasonFor(spent), { retryAfterMs: 3_000, hint: "rate limit headers" })
    assert.notProperty(reasonFor({}), "retryAfterMs")
  })

  it("a quota per day is told apart from one that nothing but money mends", () => {
    assert.deepInclude(reasonFor({}, { type: "daily_quota" }), { _tag: "QuotaExhausted", period: "day" })
    assert.notProperty(reasonFor({}, { type: "insufficient_quota" }), "period")
  })
})
