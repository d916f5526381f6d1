/**
 * `_dispatcher`: what this tool adds to a line in a provider's format.
 *
 * The name is reserved: in an input line it is nobody else's, and no part of the row.
 */
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"
import { isObject, type JsonObject } from "../JsonText.ts"
import type { FormatName, InvalidRow, Row } from "./Row.ts"
import { INVALID_ROW, type RowFailure } from "./RowFailure.ts"

/** The name of the member that has our marks. */
export const MARKS = "_dispatcher"

/** Which row a line is of. */
export interface RowMark {
  readonly index: number
  readonly hash: string
}

const HASH = /^[0-9a-f]{16}$/

/** Reads `index` and `hash`, wherever they stand; `undefined` when they are not there. */
export const rowMark = ({ hash, index }: JsonObject): RowMark | undefined =>
  typeof index === "number" && Number.isSafeInteger(index) && index >= 0 && typeof hash === "string" && HASH.test(hash)
    ? { index, hash }
    : undefined

/** Our marks on a line, when it has any. */
export const marksOf = (line: JsonObject): JsonObject | undefined => {
  const marks = line[MARKS]
  return isObject(marks) && rowMark(marks) !== undefined ? marks : undefined
}

/**
 * The row in a line of an input, which may be a line of an earlier run's errors file: without our marks, and as it first
 * was when it had to be written in another format than its own.
 */
export const inputOf = (line: JsonObject): JsonObject => {
  const marks = marksOf(line)
  if (marks === undefined) return line
  if (isObject(marks["row"])) return marks["row"]
  const { [MARKS]: _marks, ...row } = line
  return row
}

/** A line that was no row. */
export interface NoRow {
  readonly error: string
  readonly raw: string
}

/**
 * What an earlier run said of a line that was no row, when this is what it left in its errors file; `undefined` for any other
 * line. Where any object is a row our words about it would be sent otherwise.
 */
export const noRowOf = (line: JsonObject): NoRow | undefined => {
  const marks = marksOf(line) ?? line
  const { raw, reason } = marks
  if (reason !== INVALID_ROW || typeof raw !== "string" || rowMark(marks) === undefined) return undefined
  const error = isObject(line["error"]) ? line["error"]["message"] : line["error"]
  return { raw, error: typeof error === "string" ? error : "the line was no row" }
}

/** Our marks for a row with an answer. */
export const savedMarks = (row: Row, answer: GenAiAnswer): JsonObject => ({
  index: row.index,
  hash: row.hash,
  attempts: answer.attempts,
  endpoint: answer.endpoint,
  latency_ms: Math.round(answer.latencyMs)
})

/** Our marks for a row that failed; with the whole row when the line is in another format than the row. */
export const failedMarks = (row: Row, failure: RowFailure, format: FormatName): JsonObject => ({
  index: row.index,
  hash: row.hash,
  line: row.index + 1,
  attempts: failure.attempts,
  endpoint: failure.endpoint,
  reason: failure.reason,
  row: row.format === format ? undefined : row.source
})

/** Our marks for a line that cannot be read: with its text. */
export const invalidMarks = (row: InvalidRow): JsonObject => ({
  index: row.index,
  hash: row.hash,
  line: row.index + 1,
  attempts: 0,
  reason: INVALID_ROW,
  raw: row.raw
})

/** What a line in a provider's format calls its row: its own name, or the number of its line. */
export const nameOf = (row: Row | InvalidRow): string => String(row.id ?? `line-${row.index + 1}`)
