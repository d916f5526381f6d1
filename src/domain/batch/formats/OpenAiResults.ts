/**
 * Result lines as OpenAI's batch API has them in its output and error files, with our marks in `_dispatcher`.
 *
 * A failure with an HTTP status is a `response` with that status and an error for a body, any other is an `error`. The
 * ids are made of the row's hash and number, so that they are the same in every run.
 *
 * @see https://platform.openai.com/docs/api-reference/batch/request-output
 */
import type { GenAiAnswer } from "../../genai/GenAiResponse.ts"
import { isObject } from "../../JsonText.ts"
import { failedMarks, invalidMarks, MARKS, nameOf, type RowMark, savedMarks } from "../Marks.ts"
import { INVALID_ROW, type RowFailure } from "../RowFailure.ts"
import type { ResultFormat } from "./RowFormat.ts"

export const openai: ResultFormat = {
  saved: (row, answer, nowMs) => {
    const id = serial(row)
    return JSON.stringify({
      id: `batch_req_${id}`,
      custom_id: nameOf(row),
      response: {
        status_code: 200,
        request_id: `req_${id}`,
        body: isCompletion(answer.raw) ? answer.raw : completion(answer, row.request.model, id, nowMs)
      },
      error: null,
      [MARKS]: savedMarks(row, answer)
    })
  },

  failed: (row, failure) =>
    JSON.stringify({
      ...(row.format === "openai" ? row.source : {}),
      id: `batch_req_${serial(row)}`,
      custom_id: nameOf(row),
      ...outcomeOf(failure, `req_${serial(row)}`),
      [MARKS]: failedMarks(row, failure, "openai")
    }),

  invalid: (row) =>
    JSON.stringify({
      id: `batch_req_${serial(row)}`,
      custom_id: nameOf(row),
      response: null,
      error: { code: codeOf(INVALID_ROW), message: row.error },
      [MARKS]: invalidMarks(row)
    })
}

const serial = ({ hash, index }: RowMark): string => `${hash}${index}`

/** `RateLimited` is `rate_limited`. */
const codeOf = (reason: string): string => reason.replaceAll(/(?<=.)[A-Z]/g, "_$&").toLowerCase()

const outcomeOf = ({ error, reason, status }: RowFailure, requestId: string) => {
  if (status === undefined || status < 400) return { response: null, error: { code: codeOf(reason), message: error } }
  const type = status >= 500 ? "server_error" : "invalid_request_error"
  const body = { error: { message: error, type, param: null, code: codeOf(reason) } }
  return { response: { status_code: status, request_id: requestId, body }, error: null }
}

/** Whether an answer is in these words already. */
const isCompletion = (raw: unknown): boolean => isObject(raw) && Array.isArray(raw["choices"])

/** An answer that came in other words. What its provider did not report is `null`, or absent from the usage. */
const completion = (answer: GenAiAnswer, asked: string | undefined, serial: string, nowMs: number) => ({
  id: `chatcmpl-${serial}`,
  object: "chat.completion",
  created: Math.floor(nowMs / 1000),
  model: answer.model ?? asked ?? null,
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: answer.text, refusal: null },
      logprobs: null,
      finish_reason: FINISH[answer.finishReason?.toLowerCase() ?? ""] ?? answer.finishReason ?? null
    }
  ],
  usage: usageOf(answer.usage)
})

/** The words of others for why the model stopped. What is not here stays as it is. */
const FINISH: Readonly<Record<string, string>> = {
  stop: "stop",
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  safety: "content_filter",
  recitation: "content_filter",
  blocklist: "content_filter",
  prohibited_content: "content_filter",
  spii: "content_filter",
  refusal: "content_filter",
  tool_use: "tool_calls"
}

const usageOf = (usage: GenAiAnswer["usage"]) => {
  if (usage === undefined) return undefined
  const { cachedInputTokens, inputTokens, outputTokens, totalTokens } = usage
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: totalTokens,
    ...(cachedInputTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: cachedInputTokens } })
  }
}
