/** What a format of rows is: one file each, pure. */
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { GenAiAnswer } from "../../genai/GenAiResponse.ts"
import type { JsonObject } from "../../JsonText.ts"
import type { Content, FormatName, InvalidRow, Row } from "../Row.ts"
import type { RowFailure } from "../RowFailure.ts"

export interface RowFormat {
  readonly name: FormatName
  /** Whether a row is written in this format, told by the fields that it has. */
  readonly recognises: (row: JsonObject) => boolean
  /** What the row asks for, or which field is wrong. */
  readonly read: (row: JsonObject) => Result.Result<Content, string>
  /** The row's name for itself, as far as it can be one. */
  readonly nameOf: (row: JsonObject) => Name | undefined
  /** What was asked in the source of a row that was read. */
  readonly askedIn: (source: JsonObject) => Asked
}

/** What was asked, as the row has it. */
export interface Asked {
  readonly input?: unknown
  readonly messages?: unknown
  readonly contents?: unknown
  readonly body?: unknown
}

/** How the lines of the result files are written. Each is one JSON object, without the line end. */
export interface ResultFormat {
  /** A row with its answer. `nowMs` is the time of the answer (Unix, milliseconds). */
  readonly saved: (row: Row, answer: GenAiAnswer, nowMs: number) => string
  /** A row that failed; read as an input, it asks for the same again. */
  readonly failed: (row: Row, failure: RowFailure) => string
  /** A line that could not be read; read as an input, it is an invalid row again. */
  readonly invalid: (row: InvalidRow) => string
}

/** A row's name for itself. */
export const Name = Schema.Union([Schema.String, Schema.Finite])
export type Name = typeof Name.Type
export const isName = (value: unknown): value is Name => typeof value === "string" || Number.isFinite(value)

/** No field is left out. */
export const NOTHING: ReadonlyArray<string> = []
