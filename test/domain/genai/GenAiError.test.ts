import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
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
  type RetryAdvice,
  ServerError,
  TimedOut,
  Unauthorized
} from "../../../src/domain/genai/GenAiError.ts"

const failed = (reason: GenAiErrorReason) => new GenAiError({ message: "no answer", reason, attempts: 2 })

describe("GenAiError", () => {
  it("advises for every reason whether and where to try again", () => {
    const advice: ReadonlyArray<readonly [GenAiErrorReason, RetryAdvice]> = [
      [new RateLimited({ status: 429 }), "anywhere"],
      [new Overloaded({ status: 503 }), "anywhere"],
      [new ServerError({ status: 500 }), "anywhere"],
      [new ConnectionFailed({ code: "ECONNRESET" }), "anywhere"],
      [new TimedOut({ phase: "idle", limitMs: 1 }), "anywhere"],
      [new InvalidAnswer({ status: 200 }), "anywhere"],
      [new QuotaExhausted({ status: 429 }), "elsewhere"],
      [new Unauthorized({ status: 401 }), "elsewhere"],
      [new NotFound({ status: 404 }), "elsewhere"],
      [new InvalidRequest({}), "never"],
      [new DeadlineExceeded({ deadlineMs: 1 }), "never"],
      [new Rejected({ cause: "Draining" }), "never"],
      [new Rejected({ cause: "TooLarge" }), "elsewhere"]
    ]
    for (const [reason, retry] of advice) assert.strictEqual(reason.retry, retry, reason._tag)
  })

  it("passes on the provider's hint, when there is one", () => {
    assert.strictEqual(failed(new RateLimited({ status: 429, retryAfterMs: 1_500 })).retryAfterMs, 1_500)
    assert.isUndefined(failed(new RateLimited({ status: 429 })).retryAfterMs)
    assert.isUndefined(failed(new Unauthorized({ status: 401 })).retryAfterMs)
  })

  it("survives being written as JSON and read again", () => {
    const error = failed(new RateLimited({ status: 429, retryAfterMs: 1_500 }))
    const codec = Schema.toCodecJson(GenAiError)
    const json = JSON.stringify(Schema.encodeSync(codec)(error))
    const read = Schema.decodeSync(codec)(JSON.parse(json))
    assert.instanceOf(read, GenAiError)
    assert.deepStrictEqual([read.message, read.attempts, read.retryAfterMs], ["no answer", 2, 1_500])
    assert.strictEqual(read.reason.retry, "anywhere")
  })
})
