/** What a running sandbox can be told to do: be down in some way, for some time. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { DurationText, PositiveDurationText } from "../config/DurationText.ts"
import { SandboxError } from "./SandboxError.ts"

/**
 * How calls to a model are met. What is under way when the mode changes ends as it would have, except with `dead`.
 *
 * - `up`: as the settings say;
 * - `refuse`: status 503 at once;
 * - `hang`: taken and never answered, also not when the mode changes again;
 * - `429`: refused as by a rate limit, at once, with the hint `retryAfter` where there is one (and the format has such);
 * - `dead`: every connection is reset, and every new one at once; `POST /control` cannot be reached any more, so that
 *   only `for` or the service ends it.
 */
export const SandboxMode = Schema.Literals(["up", "refuse", "hang", "429", "dead"])
export type SandboxMode = typeof SandboxMode.Type

/** The body of `POST /control`. */
export const SandboxControl = Schema.Struct({
  mode: SandboxMode,
  /** What mode `429` asks to wait, in milliseconds, written as a duration. Default: no hint. */
  retryAfter: Schema.optional(DurationText),
  /** After so long the mode is `up` again, in milliseconds, written as a duration. Default: until told otherwise. */
  for: Schema.optional(PositiveDurationText)
}).check(
  Schema.makeFilter(
    (control) => control.retryAfter === undefined || control.mode === "429" || "retryAfter needs mode 429"
  )
)
export type SandboxControl = typeof SandboxControl.Type
/** As it is written: durations as text. */
export type SandboxControlInput = typeof SandboxControl.Encoded

const decode = Schema.decodeUnknownResult(SandboxControl, { onExcessProperty: "error" })
const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** Checks an order. The error names what is wrong first. */
export const settleControl = (input: unknown): Result.Result<SandboxControl, SandboxError> =>
  Result.mapError(decode(input), (error) => {
    const issue = toIssues(error.issue).issues[0]
    const field = issue?.path?.[0]
    const message = `${field === undefined ? "" : `${String(field)}: `}${issue?.message}`
    return new SandboxError({ reason: "InvalidOption", message })
  })
