/** Sizes as people write them in files: a number and a unit of bytes, `512KiB`, `10MiB`. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { quote } from "./Secrets.ts"

const unitBytes = { b: 1, kib: 1024, mib: 1_048_576 } as const
const unitNames = { b: "b", kib: "KiB", mib: "MiB" } as const satisfies Record<Unit, string>
type Unit = keyof typeof unitBytes

const isUnit = (text: string): text is Unit => Object.hasOwn(unitBytes, text)

const grammar = /^(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-z]*)$/

/** Powers of ten, as in `10MB`, are near enough to be meant and far enough to be another number. */
const tens = /^(?<unit>[km])b?$/i

/** Bytes from text such as `10MiB`, rounded down, or what is wrong with it and how to write it. */
export const parseSize = (text: string): Result.Result<number, string> => {
  const [, amount, written = ""] = grammar.exec(text.trim()) ?? []
  const unit = written.toLowerCase()
  if (amount === undefined) {
    return Result.fail(`${quote(text)} is not a size; write a number and a unit, such as 512KiB or 10MiB`)
  }
  if (unit === "") return Result.fail(`${amount} has no unit; write ${amount}b, ${amount}KiB or ${amount}MiB`)
  if (isUnit(unit)) return Result.succeed(Math.floor(Number(amount) * unitBytes[unit]))
  const near = tens.exec(unit)?.groups?.["unit"]
  return near === undefined
    ? Result.fail(`${quote(text)} is not a size; its unit must be b, KiB or MiB`)
    : Result.fail(`${quote(text)} is not a size; did you mean ${amount}${near.toUpperCase()}iB?`)
}

/** Text for bytes, in the largest unit that needs no fraction: 10485760 is `10MiB`. */
export const formatSize = (bytes: number): string => {
  const unit = (["mib", "kib"] as const).find((unit) => bytes > 0 && bytes % unitBytes[unit] === 0) ?? "b"
  return `${bytes / unitBytes[unit]}${unitNames[unit]}`
}

/** A size in a file: text on the outside, bytes inside. Bare numbers are taken in only to be refused with the right form. */
// @effect-diagnostics-next-line schemaNumber:off
export const SizeText = Schema.Union([Schema.String, Schema.Number])
  .annotate({ expected: "a size such as 512KiB or 10MiB" })
  .pipe(
    Schema.decodeTo(
      Schema.Finite,
      SchemaTransformation.transformEffect({
        decode: (written: string | number) =>
          Effect.fromResult(
            Result.mapError(parseSize(String(written)), (message) => new SchemaIssue.InvalidValue({ message }))
          ),
        encode: (bytes: number): Effect.Effect<string | number, SchemaIssue.Issue> => Effect.succeed(formatSize(bytes))
      })
    )
  )
