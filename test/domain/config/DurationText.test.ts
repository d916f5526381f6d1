import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  DurationText,
  formatDuration,
  maxDurationMs,
  PositiveDurationText,
  parseDuration
} from "../../../src/domain/config/DurationText.ts"

const decode = Schema.decodeUnknownSync(DurationText)
const encode = Schema.encodeSync(DurationText)

const Between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const failure = (input: unknown): string => {
  const result = Schema.decodeUnknownResult(DurationText)(input)
  assert.isTrue(Result.isFailure(result))
  return Result.isFailure(result) ? result.failure.message : ""
}

describe("DurationText", () => {
  it.each([
    ["250ms", 250],
    ["5s", 5000],
    ["10m", 600_000],
    ["1h", 3_600_000],
    ["1.5s", 1500],
    [".5s", 500],
    [" 5s ", 5000],
    ["0s", 0],
    ["0.1ms", 0.1],
    ["576h", maxDurationMs]
  ])("reads %s as %d ms", (text, ms) => {
    assert.strictEqual(decode(text), ms)
  })

  it.each([
    [0, "0ms"],
    [250, "250ms"],
    [1500, "1500ms"],
    [5000, "5s"],
    [90_000, "90s"],
    [600_000, "10m"],
    [5_400_000, "90m"],
    [7_200_000, "2h"],
    [0.5, "0.5ms"],
    [1e-7, "0ms"]
  ])("writes %d ms as %s", (ms, text) => {
    assert.strictEqual(formatDuration(ms), text)
    assert.strictEqual(encode(ms), text)
  })

  it.prop(
    "comes back from its own text, whatever it is in microseconds",
    { ms: Between(0, maxDurationMs), micros: Between(0, 999) },
    ({ ms, micros }) => {
      for (const value of [ms, Math.min(maxDurationMs, ms + micros / 1000)]) {
        const text = encode(value)
        assert.isString(text)
        assert.closeTo(decode(text), value, 0.000_5)
        assert.strictEqual(encode(decode(text)), text)
      }
      assert.strictEqual(decode(encode(ms)), ms)
    }
  )

  it.prop(
    "means the amount in the unit",
    { amount: Between(0, 500), unit: Schema.Literals(["ms", "s", "m", "h"]) },
    ({ amount, unit }) => {
      const expected = amount * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]
      assert.deepStrictEqual(parseDuration(`${amount}${unit}`), Result.succeed(expected))
    }
  )

  it.each([
    [600, "600 has no unit; write 600ms, 600s, 600m or 600h"],
    ["600", "600 has no unit; write 600ms, 600s, 600m or 600h"],
    ["-5s", "must not be negative; write it without the minus, such as 5s"],
    [-5, "must not be negative; write it without the minus, such as 5s"],
    ["5 sec", '"5 sec" is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h'],
    ["5d", '"5d" is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h'],
    ["", '"" is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h'],
    [Number.NaN, '"NaN" is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h'],
    ["1e3s", '"1e3s" is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h'],
    ["577h", 'must be at most 576h (24 days), got "577h"'],
    ["sk-0123456789abcdef", "this text is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h"]
  ])("refuses %j and says how to write it", (input, message) => {
    assert.include(failure(input), message)
  })

  it("refuses zero where a duration must be above it", () => {
    assert.throws(() => Schema.decodeSync(PositiveDurationText)("0s"), "must be above 0, such as 5s")
    assert.strictEqual(Schema.decodeSync(PositiveDurationText)("1ms"), 1)
  })
})
