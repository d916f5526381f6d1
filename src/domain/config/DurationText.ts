/** Durations as people write them in flags and files: a number and a unit, `250ms`, `5s`, `10m`, `1h`. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { quote } from "./Secrets.ts"

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
type Unit = keyof typeof unitMs

const isUnit = (text: string): text is Unit => Object.hasOwn(unitMs, text)

const grammar = /^(-?)(\d+(?:\.\d+)?|\.\d+)([a-z]*)$/

/** The longest duration, 24 days, in milliseconds: timers of the platform overflow soon after. */
export const maxDurationMs = 576 * unitMs.h

/** Microseconds are the finest step: below it decimal text and binary numbers drift apart. */
const toMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000

/** Milliseconds from text such as `1.5s`, or what is wrong with it and how to write it. */
export const parseDuration = (text: string): Result.Result<number, string> => {
  const [, sign, amount, unit] = grammar.exec(text.trim()) ?? []
  if (amount === undefined || unit === undefined || (unit !== "" && !isUnit(unit))) {
    return Result.fail(`${quote(text)} is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h`)
  }
  if (sign === "-") return Result.fail("must not be negative; write it without the minus, such as 5s")
  if (unit === "") {
    const examples = (["ms", "s", "m", "h"] as const).map((unit) => `${amount}${unit}`)
    return Result.fail(`${amount} has no unit; write ${examples.slice(0, 3).join(", ")} or ${examples[3]}`)
  }
  const ms = toMicroseconds(Number(amount) * unitMs[unit])
  return ms <= maxDurationMs ? Result.succeed(ms) : Result.fail(`must be at most 576h (24 days), got ${quote(text)}`)
}

/** Text for milliseconds, in the largest unit that needs no fraction: 90000 is `90s`, 600000 is `10m`. */
export const formatDuration = (ms: number): string => {
  const rounded = toMicroseconds(ms)
  if (rounded === 0) return "0ms"
  const unit = (["h", "m", "s"] as const).find((unit) => rounded % unitMs[unit] === 0) ?? "ms"
  return `${rounded / unitMs[unit]}${unit}`
}

/**
 * A duration in a file: text on the outside, milliseconds inside, from 0 to 24 days.
 *
 * Bare numbers are taken in only to be refused with the right form: whether `600` means seconds or milliseconds is a
 * guess that has cost many an outage.
 */
// @effect-diagnostics-next-line schemaNumber:off
export const DurationText = Schema.Union([Schema.String, Schema.Number])
  .annotate({ expected: "a duration such as 250ms, 5s, 10m or 1h" })
  .pipe(
    Schema.decodeTo(
      Schema.Finite,
      SchemaTransformation.transformEffect({
        decode: (written: string | number) =>
          Effect.fromResult(
            Result.mapError(parseDuration(String(written)), (message) => new SchemaIssue.InvalidValue({ message }))
          ),
        encode: (ms: number): Effect.Effect<string | number, SchemaIssue.Issue> => Effect.succeed(formatDuration(ms))
      })
    )
  )

/** A `DurationText` above 0. */
export const PositiveDurationText = DurationText.check(
  Schema.makeFilter((ms: number) => ms > 0 || "must be above 0, such as 5s")
)
