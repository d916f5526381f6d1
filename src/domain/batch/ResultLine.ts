/**
 * The lines of the two result files.
 *
 * Every line names its row by `index` and `hash`: the files are also the journal that a later run resumes from. A line
 * of the errors file holds the whole row, so that the file can be run again as an input.
 */
import type { GenAiError } from "../genai/GenAiError.ts"
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"
import type { InvalidRow, Row } from "./Row.ts"
import { isObject } from "./RowText.ts"

/** The reason of rows that were not sent because they cannot be read. */
export const INVALID_ROW = "InvalidRow"

/** The reason of rows whose call ended in a bug: no typed error came. */
export const DEFECT = "Defect"

/** Why a row failed, as its line says it. */
export interface RowFailure {
  /** The `_tag` of the error's reason, or `Defect`. */
  readonly reason: string
  /** A sentence for people. */
  readonly error: string
  /** The endpoint that failed last, when one was reached. */
  readonly endpoint: string | undefined
  /** How often the row was sent; `null` when nobody knows. */
  readonly attempts: number | null
}

/** A typed error, as a line says it. */
export const rowFailure = (error: GenAiError): RowFailure => ({
  reason: error.reason._tag,
  error: error.message,
  endpoint: error.endpoint,
  attempts: error.attempts
})

/** The line for a row with an answer; what the provider did not report is `null`. */
export const savedLine = (row: Row, answer: GenAiAnswer): string =>
  JSON.stringify({
    response: answer.text,
    index: row.index,
    id: row.id,
    ...row.asked,
    endpoint: answer.endpoint,
    model: answer.model ?? row.request.model ?? null,
    usage:
      answer.usage === undefined
        ? null
        : {
            input_tokens: answer.usage.inputTokens ?? null,
            output_tokens: answer.usage.outputTokens ?? null,
            total_tokens: answer.usage.totalTokens ?? null
          },
    attempts: answer.attempts,
    latency_ms: Math.round(answer.latencyMs),
    finish_reason: answer.finishReason ?? null,
    metadata: row.metadata,
    hash: row.hash
  })

/** The line for a row without an answer. The fields of the failure replace the row's own of the same name. */
export const failedLine = (row: Row, failure: RowFailure): string =>
  JSON.stringify({
    ...row.source,
    error: failure.error,
    reason: failure.reason,
    endpoint: failure.endpoint,
    index: row.index,
    line: row.index + 1,
    attempts: failure.attempts,
    hash: row.hash
  })

/** The line for a row that cannot be read: run again as an input, it is an invalid row again. */
export const invalidLine = (row: InvalidRow): string =>
  JSON.stringify({
    input: null,
    id: row.id,
    error: row.error,
    reason: INVALID_ROW,
    index: row.index,
    line: row.index + 1,
    attempts: 0,
    raw: row.raw,
    hash: row.hash
  })

/** What a line of a result file says about its row. */
export interface ResultEntry {
  readonly index: number
  readonly hash: string
  /** The failure's reason; `undefined` in the save file. */
  readonly reason: string | undefined
}

/** Reads a line of a result file; `undefined` when it is none. */
export const readResultLine = (text: string): ResultEntry | undefined => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(json)) return undefined
  const { hash, index, reason } = json
  if (typeof index !== "number" || !Number.isSafeInteger(index) || index < 0) return undefined
  if (typeof hash !== "string" || !HASH.test(hash)) return undefined
  return { index, hash, reason: typeof reason === "string" ? reason : undefined }
}

const HASH = /^[0-9a-f]{16}$/
