import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import { type SandboxInput, settleOptions } from "../../../src/domain/sandbox/SandboxOptions.ts"

const complaint = (input: SandboxInput, nameOf?: (field: string) => string) => {
  const error = Result.getOrThrow(Result.flip(settleOptions(input, nameOf)))
  assert.strictEqual(error._tag, "SandboxError")
  assert.strictEqual(error.reason, "InvalidOption")
  return error.message
}

describe("settleOptions", () => {
  it("answers at once and never fails unless told otherwise", () => {
    assert.deepStrictEqual(Result.getOrThrow(settleOptions({})), {
      port: 0,
      host: "127.0.0.1",
      seed: 1,
      latency: { _tag: "fixed", ms: 0 },
      failures: [],
      retryAfter: 1000,
      answerTokens: 64,
      streamChunks: 8
    })
  })

  it("reads what is written as text", () => {
    const options = Result.getOrThrow(
      settleOptions({ latency: "fixed:50ms", failures: "500=0.5", retryAfter: "1.5s", requestsPerMinute: 60 })
    )
    assert.deepStrictEqual(options.latency, { _tag: "fixed", ms: 50 })
    assert.deepStrictEqual(options.failures, [{ name: "500", share: 0.5 }])
    assert.strictEqual(options.retryAfter, 1500)
    assert.strictEqual(options.requestsPerMinute, 60)
  })

  it("names the wrong setting and what is wrong with it", () => {
    assert.strictEqual(complaint({ port: 65_536 }), "port: must be a whole number from 0 to 65535, not 65536")
    assert.strictEqual(complaint({ seed: 0.5 }), `seed: must be a whole number from 0 to ${2 ** 53 - 1}, not 0.5`)
    assert.strictEqual(complaint({ answerTokens: 0 }), "answerTokens: must be a whole number from 1 to 1000000, not 0")
    assert.strictEqual(
      complaint({ latency: "lognormla:1s,1" }),
      'latency: "lognormla" is no distribution; did you mean "lognormal"?'
    )
    assert.strictEqual(complaint({ failures: "rest=0.1" }), 'failures: "rest" is no failure; did you mean "reset"?')
    assert.match(complaint({ retryAfter: "soon" }), /^retryAfter: "soon" is not a duration/)
    for (const field of ["requestsPerSecond", "requestsPerMinute", "maxConcurrency"] as const) {
      assert.match(complaint({ [field]: 0 }), new RegExp(`^${field}: must be a whole number from 1 `))
    }
  })

  it("uses the caller's names for settings", () => {
    assert.match(
      complaint({ answerTokens: -1 }, () => "--answer-tokens"),
      /^--answer-tokens: /
    )
  })

  it("refuses settings that it does not know, naming the nearest", () => {
    const misspelt = { latncy: "fixed:1ms" } as SandboxInput
    assert.strictEqual(complaint(misspelt), 'The sandbox has no setting "latncy"; did you mean "latency"?')
  })

  it("never shows an API key", () => {
    const input = { apiKeys: [Redacted.make("sk-secret-1"), Redacted.make("")], port: -1 }
    assert.notInclude(complaint(input), "secret")
    assert.notInclude(
      JSON.stringify(Result.getOrThrow(settleOptions({ apiKeys: [Redacted.make("sk-secret-1")] }))),
      "secret"
    )
  })
})
