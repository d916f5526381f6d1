import { assert, describe, it } from "@effect/vitest"
import {
  ConnectionFailed,
  DeadlineExceeded,
  GenAiError,
  type GenAiErrorReason,
  InvalidAnswer,
  InvalidRequest,
  NotFound,
  Overloaded,
  QuotaExhausted,
  RateLimited,
  Rejected,
  ServerError,
  TimedOut,
  Unauthorized
} from "../../../src/domain/genai/GenAiError.ts"
import { fromGenAiError } from "../../../src/domain/server/FromGenAiError.ts"

const problemOf = (reason: GenAiErrorReason) =>
  fromGenAiError(new GenAiError({ reason, message: "a sentence", endpoint: "east", attempts: 2 }))

describe("what a client is told of a request that got no answer", () => {
  it("is a problem by its reason, with the hint", () => {
    const cases: ReadonlyArray<readonly [GenAiErrorReason, status: number, kind: string, code: string, hint?: number]> =
      [
        [new RateLimited({ status: 429, retryAfterMs: 1_500, hint: "body" }), 429, "RateLimited", "RateLimited", 1_500],
        [new RateLimited({ status: 429 }), 429, "RateLimited", "RateLimited"],
        [new QuotaExhausted({ status: 429, period: "day" }), 429, "RateLimited", "insufficient_quota"],
        [new Overloaded({ status: 529, retryAfterMs: 10, hint: "retry-after" }), 503, "Overloaded", "Overloaded", 10],
        [new ServerError({ status: 500 }), 502, "UpstreamFailed", "ServerError"],
        [new ConnectionFailed({ code: "ECONNRESET" }), 502, "UpstreamFailed", "ConnectionFailed"],
        [new InvalidAnswer({ status: 200 }), 502, "UpstreamFailed", "InvalidAnswer"],
        [new Unauthorized({ status: 401 }), 502, "UpstreamFailed", "Unauthorized"],
        [new NotFound({ status: 404 }), 502, "UpstreamFailed", "NotFound"],
        [new InvalidRequest({ status: 400 }), 400, "InvalidRequest", "InvalidRequest"],
        [new InvalidRequest({}), 400, "InvalidRequest", "InvalidRequest"],
        [new InvalidRequest({ status: 413 }), 413, "TooLarge", "InvalidRequest"],
        [new InvalidRequest({ status: 422 }), 422, "Unprocessable", "InvalidRequest"],
        [new TimedOut({ phase: "idle", limitMs: 5 }), 504, "TimedOut", "TimedOut"],
        [new DeadlineExceeded({ deadlineMs: 5 }), 504, "TimedOut", "DeadlineExceeded"],
        [new Rejected({ cause: "QueueFull" }), 503, "Overloaded", "Rejected"],
        [new Rejected({ cause: "Draining" }), 503, "Draining", "Rejected"],
        [new Rejected({ cause: "BudgetSpent" }), 503, "Overloaded", "Rejected"],
        [new Rejected({ cause: "NoEndpoint" }), 502, "UpstreamFailed", "Rejected"],
        [new Rejected({ cause: "TooLarge" }), 413, "TooLarge", "Rejected"]
      ]
    for (const [reason, status, kind, code, hint] of cases) {
      const problem = problemOf(reason)
      assert.deepStrictEqual(
        [problem.status, problem.kind, problem.code, problem.retryAfterMs],
        [status, kind, code, hint],
        reason._tag
      )
    }
  })

  it("is the error's sentence, except where it would be read as said of the client's own key or model", () => {
    assert.strictEqual(problemOf(new TimedOut({ phase: "idle", limitMs: 5 })).message, "a sentence")
    for (const reason of [new Unauthorized({ status: 401 }), new NotFound({ status: 404 })]) {
      const { message } = problemOf(reason)
      assert.notInclude(message, "a sentence")
      assert.include(message, "east")
      assert.include(message, "the service's")
    }
  })
})
