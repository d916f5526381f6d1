/**
 * Result lines as the batch API of Gemini has them, with our marks in `_dispatcher`.
 *
 * A failure is an `error` with HTTP code and Google's name for it.
 *
 * @see https://ai.google.dev/gemini-api/docs/batch-api
 */
import type { GenAiAnswer } from "../../genai/GenAiResponse.ts"
import { isObject } from "../../JsonText.ts"
import { failedMarks, invalidMarks, MARKS, nameOf, savedMarks } from "../Marks.ts"
import type { RowFailure } from "../RowFailure.ts"
import type { ResultFormat } from "./RowFormat.ts"

export const gemini: ResultFormat = {
  saved: (row, answer) =>
    JSON.stringify({
      key: nameOf(row),
      response: isGenerated(answer.raw) ? answer.raw : generated(answer, row.request.model),
      [MARKS]: savedMarks(row, answer)
    }),

  failed: (row, failure) =>
    JSON.stringify({
      ...(row.format === "gemini" ? row.source : {}),
      key: nameOf(row),
      error: errorOf(failure),
      [MARKS]: failedMarks(row, failure, "gemini")
    }),

  invalid: (row) =>
    JSON.stringify({
      key: nameOf(row),
      error: { code: 400, message: row.error, status: "INVALID_ARGUMENT" },
      [MARKS]: invalidMarks(row)
    })
}

/** Codes for failures that no HTTP status came with; 500 for those that are not here. */
const CODES: Readonly<Record<string, number>> = {
  ConnectionFailed: 503,
  DeadlineExceeded: 504,
  InvalidRequest: 400,
  Rejected: 503,
  TimedOut: 504
}

/** Names of the codes that Google's APIs have (google.rpc.Code). */
const STATUS: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  408: "DEADLINE_EXCEEDED",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  501: "UNIMPLEMENTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED"
}

const errorOf = ({ error, reason, status }: RowFailure) => {
  const code = status !== undefined && status >= 400 ? status : (CODES[reason] ?? 500)
  return { code, message: error, status: STATUS[code] ?? (code >= 500 ? "INTERNAL" : "INVALID_ARGUMENT") }
}

/** Whether an answer is in these words already; one that was blocked has no candidates. */
const isGenerated = (raw: unknown): boolean =>
  isObject(raw) && (Array.isArray(raw["candidates"]) || isObject(raw["promptFeedback"]))

/** An answer that came in other words. */
const generated = (answer: GenAiAnswer, asked: string | undefined) => {
  const { cachedInputTokens, inputTokens, outputTokens, totalTokens } = answer.usage ?? {}
  return {
    candidates: [
      {
        content: { parts: [{ text: answer.text }], role: "model" },
        finishReason: finishReasonOf(answer.finishReason),
        index: 0
      }
    ],
    usageMetadata:
      answer.usage === undefined
        ? undefined
        : {
            promptTokenCount: inputTokens,
            candidatesTokenCount: outputTokens,
            totalTokenCount: totalTokens,
            cachedContentTokenCount: cachedInputTokens
          },
    modelVersion: answer.model ?? asked
  }
}

/** The words of others for why the model stopped. What is not here is `OTHER`. */
const FINISH: Readonly<Record<string, string>> = {
  stop: "STOP",
  end_turn: "STOP",
  stop_sequence: "STOP",
  length: "MAX_TOKENS",
  max_tokens: "MAX_TOKENS",
  content_filter: "SAFETY",
  refusal: "SAFETY",
  tool_calls: "STOP",
  tool_use: "STOP"
}

const finishReasonOf = (reason: string | undefined): string | undefined =>
  reason === undefined ? undefined : (FINISH[reason] ?? (/^[A-Z_]+$/.test(reason) ? reason : "OTHER"))
