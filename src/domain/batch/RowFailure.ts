/** Why a row has no answer. */
import type { GenAiError } from "../genai/GenAiError.ts"

/** The reason of rows that were not sent because they cannot be read. */
export const INVALID_ROW = "InvalidRow"

/** The reason of rows whose call ended in a bug: no typed error came. */
export const DEFECT = "Defect"

/** Why a row failed, as its line says it. */
export interface RowFailure {
  /** The `_tag` of the error's reason, or `Defect`. */
  readonly reason: string
  /** The HTTP status behind it, when there was one. */
  readonly status: number | undefined
  /** A sentence for people. */
  readonly error: string
  /** The endpoint that failed last, when one was reached. */
  readonly endpoint: string | undefined
  /** How often the row was sent; `null` when nobody knows. */
  readonly attempts: number | null
}

/** A typed error, as a line says it. */
export const rowFailure = ({ attempts, endpoint, message, reason }: GenAiError): RowFailure => ({
  reason: reason._tag,
  status: "status" in reason ? reason.status : undefined,
  error: message,
  endpoint,
  attempts
})
