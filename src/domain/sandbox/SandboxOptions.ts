/** The settings of a sandbox server. With none given it answers everything at once and never fails. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import { DurationText } from "../config/DurationText.ts"
import { FailureMix, formatFailureMix, parseFailureMix } from "./FailureMix.ts"
import { hint } from "./Hint.ts"
import { formatLatency, Latency, parseLatency } from "./Latency.ts"
import { SandboxError } from "./SandboxError.ts"

/** A value that users write as text. */
const written = <S extends Schema.Constraint>(
  schema: S,
  parse: (text: string) => Result.Result<S["Encoded"], string>,
  format: (value: S["Encoded"]) => string
) =>
  Schema.String.pipe(
    Schema.decodeTo(schema, {
      decode: SchemaGetter.transformEffect((text: string) =>
        Effect.fromResult(Result.mapError(parse(text), (message) => new SchemaIssue.InvalidValue({ message })))
      ),
      encode: SchemaGetter.transform(format)
    })
  )

const whole = (minimum: number, maximum: number) =>
  Schema.Finite.check(
    Schema.makeFilter(
      (value: number) =>
        (Number.isInteger(value) && value >= minimum && value <= maximum) ||
        `must be a whole number from ${minimum} to ${maximum}, not ${value}`
    )
  )

const Text = Schema.String.check(Schema.makeFilter((text: string) => text !== "" || "must not be empty"))

/** The model that a sandbox without `models` says it has. */
export const ANY_MODEL = "sandbox"

export const SandboxOptions = Schema.Struct({
  /** TCP port; 0 means any free one. Default: 0. */
  port: whole(0, 65_535).pipe(Schema.withDecodingDefaultType(Effect.succeed(0))),
  /** Address to listen on. Default: `127.0.0.1`, this machine only. */
  host: Text.pipe(Schema.withDecodingDefaultType(Effect.succeed("127.0.0.1"))),
  /** Decides all chance. Default: 1. */
  seed: whole(0, Number.MAX_SAFE_INTEGER).pipe(Schema.withDecodingDefaultType(Effect.succeed(1))),
  /** How long answers take; see `parseLatency`. Default: `fixed:0ms`. */
  latency: written(Latency, parseLatency, formatLatency).pipe(
    Schema.withDecodingDefaultType(Effect.succeed<Latency>({ _tag: "fixed", ms: 0 }))
  ),
  /** Failures to make up and their shares; see `parseFailureMix`. Default: none. */
  failures: written(FailureMix, parseFailureMix, formatFailureMix).pipe(
    Schema.withDecodingDefaultType(Effect.succeed<FailureMix>([]))
  ),
  /** What made-up failures `429-retry-after` ask to wait: milliseconds, written as a duration. Default: `1s`. */
  retryAfter: DurationText.pipe(Schema.withDecodingDefaultType(Effect.succeed(1000))),
  /** Most requests admitted in any second; above it they get a 429. Default: no limit. */
  requestsPerSecond: Schema.optional(whole(1, 10_000_000)),
  /** Most requests admitted in any minute; above it they get a 429. Default: no limit. */
  requestsPerMinute: Schema.optional(whole(1, 10_000_000)),
  /** The API keys that are accepted. Default: any key, and none. */
  apiKeys: Schema.optional(Schema.Array(Schema.Redacted(Text))),
  /** Mean length of the answers in tokens (about four characters each). Default: 64. */
  answerTokens: whole(1, 1_000_000).pipe(Schema.withDecodingDefaultType(Effect.succeed(64))),
  /** How many pieces the text of a streamed answer is cut into; fewer when it is shorter. Default: 8. */
  streamChunks: whole(1, 10_000).pipe(Schema.withDecodingDefaultType(Effect.succeed(8))),
  /**
   * Time from each piece of a streamed answer to the next, the first of which then comes after the latency:
   * milliseconds, written as a duration. Default: the pieces are spread evenly over the latency, so that the last one
   * comes when an answer in one piece would.
   */
  chunkDelay: Schema.optional(DurationText),
  /** The models there are; others get a 404. Default: any model. */
  models: Schema.optional(Schema.NonEmptyArray(Text)),
  /** Most requests worked on at once; above it they get a 503. Default: no limit. */
  maxConcurrency: Schema.optional(whole(1, 10_000_000))
})

/** Settled settings, every default filled in. */
export type SandboxOptions = typeof SandboxOptions.Type
/** Settings as they are written: all optional, durations, latency and failures as text. */
export type SandboxInput = typeof SandboxOptions.Encoded

const decode = Schema.decodeUnknownResult(SandboxOptions, { onExcessProperty: "error" })
const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()
const FIELDS: ReadonlyArray<string> = Object.keys(SandboxOptions.fields)

/**
 * Checks settings and fills in the defaults. The error names the first wrong setting, by the name that `nameOf` gives
 * for its field (command line flags have names of their own).
 */
export function settleOptions(
  input: SandboxInput,
  nameOf: (field: string) => string = (field) => field
): Result.Result<SandboxOptions, SandboxError> {
  return Result.mapError(decode(input), (error) => {
    const issue = toIssues(error.issue).issues[0]
    const field = String(issue?.path?.[0] ?? "")
    const message = FIELDS.includes(field)
      ? `${nameOf(field)}: ${issue?.message}`
      : `The sandbox has no setting "${field}"${hint(field, FIELDS)}`
    return new SandboxError({ reason: "InvalidOption", message })
  })
}
