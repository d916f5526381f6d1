import { assert, describe, it } from "@effect/vitest"
import { read, requestsPerMinute, spentForMs } from "../../../src/domain/providers/RateLimitHeaders.ts"

const NOW = Date.UTC(2026, 0, 5, 12)
const openAi = (limit: string, remaining: string, reset: string) => ({
  "x-ratelimit-limit-requests": limit,
  "x-ratelimit-remaining-requests": remaining,
  "x-ratelimit-reset-requests": reset
})
const learned = (headers: Record<string, string>) => {
  const status = read(headers, NOW)
  return status && requestsPerMinute(status)
}

describe("rate limit headers", () => {
  it("are read as OpenAI writes them, resets as Go durations", () => {
    for (const [text, ms] of [
      ["1s", 1_000],
      ["6m0s", 360_000],
      ["12ms", 12],
      ["1h2m3.5s", 3_723_500],
      ["1.2µs", 1]
    ] as const) {
      assert.deepStrictEqual(
        read(openAi("60", "59", text), NOW)?.requests,
        { limit: 60, remaining: 59, resetMs: ms },
        text
      )
    }
  })

  it("are read as Azure writes them: whole seconds, with 0 and -1 for nothing", () => {
    assert.strictEqual(read(openAi("60", "59", "30"), NOW)?.requests.resetMs, 30_000)
    assert.isUndefined(read(openAi("60", "59", "0"), NOW)?.requests.resetMs)
    assert.deepStrictEqual(read(openAi("-1", "-1", "-1"), NOW)?.requests, {
      limit: undefined,
      remaining: undefined,
      resetMs: undefined
    })
  })

  it("are read as Anthropic writes them, resets as times", () => {
    const status = read(
      {
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-01-05T12:00:01Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-01-05T12:00:30.250Z"
      },
      NOW
    )
    assert.deepStrictEqual(status?.requests, { limit: 50, remaining: 49, resetMs: 1_000 })
    assert.strictEqual(spentForMs(status), 30_250)
  })

  it("are absent when there are none", () => {
    assert.isUndefined(read({ "content-type": "application/json" }, NOW))
  })

  it("tell how long what is spent stays spent: the longest", () => {
    const tokens = { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7s" }
    assert.strictEqual(spentForMs(read({ ...openAi("60", "0", "2s"), ...tokens }, NOW)), 7_000)
    assert.isUndefined(spentForMs(read(openAi("60", "1", "2s"), NOW)))
    assert.isUndefined(spentForMs(read(openAi("60", "0", "-1"), NOW)))
  })

  it("tell a limit per minute once enough of it is used, and of no other period", () => {
    assert.strictEqual(learned(openAi("3000", "2400", "12s")), 3_000, "a bucket that fills in a minute")
    assert.strictEqual(learned(openAi("3000", "2400", "59.9s")), 3_000, "a window of a minute")
    assert.strictEqual(learned(openAi("3000", "2400", "-1")), 3_000, "Azure")
    assert.isUndefined(learned(openAi("3000", "2999", "20ms")), "too little used to tell")
    assert.isUndefined(learned(openAi("60", "30", "1s")), "a limit per second")
    assert.isUndefined(learned(openAi("14400", "10000", "7h20m")), "a limit per day")
  })
})
