import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { settleControl } from "../../../src/domain/sandbox/Control.ts"

const complaint = (input: unknown) => Result.getOrThrow(Result.flip(settleControl(input))).message

describe("settleControl", () => {
  it("reads durations as text", () => {
    assert.deepStrictEqual(Result.getOrThrow(settleControl({ mode: "429", retryAfter: "3s", for: "10s" })), {
      mode: "429",
      retryAfter: 3000,
      for: 10_000
    })
    assert.deepStrictEqual(Result.getOrThrow(settleControl({ mode: "up" })), { mode: "up" })
  })

  it("says what is wrong", () => {
    assert.match(complaint({ mode: "down" }), /^mode: .*"refuse"/)
    assert.match(complaint({ mode: "hang", for: "10" }), /^for: 10 has no unit/)
    assert.match(complaint({ mode: "hang", for: "0s" }), /^for: must be above 0/)
    assert.match(complaint({ mode: "refuse", retryAfter: "1s" }), /retryAfter needs mode 429/)
    assert.match(complaint({ mode: "up", fro: "1s" }), /^fro: /)
    assert.isNotEmpty(complaint(undefined))
    assert.isNotEmpty(complaint({}))
  })
})
