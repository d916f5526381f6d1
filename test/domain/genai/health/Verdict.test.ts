import { assert, describe, it } from "@effect/vitest"
import {
  ConnectionFailed,
  type GenAiErrorReason,
  InvalidAnswer,
  InvalidRequest,
  NotFound,
  Overloaded,
  QuotaExhausted,
  RateLimited,
  ServerError,
  TimedOut,
  Unauthorized
} from "../../../../src/domain/genai/GenAiError.ts"
import { nextPacificMidnight, type Verdict, verdictOf } from "../../../../src/domain/genai/health/Verdict.ts"

const NOW = Date.UTC(2026, 0, 5, 12)

describe("the verdict on a failure", () => {
  const cases: ReadonlyArray<readonly [string, GenAiErrorReason, Verdict]> = [
    [
      "a rate limit with a hint cools",
      new RateLimited({ status: 429, retryAfterMs: 1_500, hint: "body" }),
      { retry: "anywhere", sign: "neutral", cool: { forMs: 1_500, hint: "body" } }
    ],
    [
      "an overload with a hint cools",
      new Overloaded({ status: 503, retryAfterMs: 9, hint: "retry-after-ms" }),
      { retry: "anywhere", sign: "neutral", cool: { forMs: 9, hint: "retry-after-ms" } }
    ],
    [
      "a rate limit without one is congestion",
      new RateLimited({ status: 429 }),
      { retry: "anywhere", sign: "congestion" }
    ],
    [
      "a hint of no time is none",
      new RateLimited({ status: 429, retryAfterMs: 0, hint: "retry-after" }),
      { retry: "anywhere", sign: "congestion" }
    ],
    [
      "an overload without a hint is congestion",
      new Overloaded({ status: 529 }),
      { retry: "anywhere", sign: "congestion" }
    ],
    ["a server's error is its fault", new ServerError({ status: 500 }), { retry: "anywhere", sign: "fault" }],
    ["a broken connection is a fault", new ConnectionFailed({ code: "X" }), { retry: "anywhere", sign: "fault" }],
    ["garbage is a fault", new InvalidAnswer({ status: 200 }), { retry: "anywhere", sign: "fault" }],
    [
      "no connection in time is a fault",
      new TimedOut({ phase: "connect", limitMs: 1 }),
      { retry: "anywhere", sign: "fault" }
    ],
    [
      "a slow answer is congestion",
      new TimedOut({ phase: "firstByte", limitMs: 1 }),
      { retry: "anywhere", sign: "congestion" }
    ],
    [
      "a dead key disables",
      new Unauthorized({ status: 401 }),
      { retry: "elsewhere", sign: "neutral", disable: { cause: "credential" } }
    ],
    [
      "a spent quota disables",
      new QuotaExhausted({ status: 429 }),
      { retry: "elsewhere", sign: "neutral", disable: { cause: "quota" } }
    ],
    [
      "a spent quota per day disables until the provider's next day",
      new QuotaExhausted({ status: 429, period: "day" }),
      { retry: "elsewhere", sign: "neutral", disable: { cause: "quota", untilMs: Date.UTC(2026, 0, 6, 8) } }
    ],
    ["what is not there concerns nobody else", new NotFound({ status: 404 }), { retry: "elsewhere", sign: "neutral" }],
    ["a wrong request concerns nobody else", new InvalidRequest({ status: 422 }), { retry: "never", sign: "neutral" }]
  ]
  for (const [name, reason, verdict] of cases) {
    it(name, () => assert.deepStrictEqual(verdictOf(reason, NOW), verdict))
  }

  it("knows when the Pacific day begins, summer and winter", () => {
    const at = (text: string) => new Date(nextPacificMidnight(Date.parse(text))).toISOString()
    assert.strictEqual(at("2026-07-01T06:59:59Z"), "2026-07-01T07:00:00.000Z")
    assert.strictEqual(at("2026-07-01T07:00:00Z"), "2026-07-02T07:00:00.000Z")
    assert.strictEqual(at("2026-01-05T12:00:00Z"), "2026-01-06T08:00:00.000Z")
    assert.strictEqual(at("2026-03-08T09:00:00Z"), "2026-03-09T07:00:00.000Z", "the day of the change to summer time")
  })
})
