/** Answers and complaints in the words of Cloudflare's Workers AI, whole and streamed. */
import { isObject } from "effect/Predicate"
import type { GenAiResponse } from "../genai/GenAiResponse.ts"
import * as ErrorBody from "./ErrorBody.ts"
import type { EventDialect } from "./EventDecoder.ts"
import type { Complaint } from "./Failures.ts"
import * as Json from "./Json.ts"
import * as OpenAiAnswer from "./OpenAiAnswer.ts"

/** The answer in a result, or what is wrong with it. Newer models answer like OpenAI's, within the result. */
export const readAnswer = (document: unknown): GenAiResponse | string => {
  if (document === undefined) return "the answer is not JSON, or not whole"
  const result = Json.field(document, "result")
  const response = Json.field(result, "response")
  if (response === undefined) {
    const completion = OpenAiAnswer.readAnswer(result)
    return typeof completion === "string" ? "the answer is JSON but no result (result.response is missing)" : completion
  }
  return {
    text: textOf(response) ?? "",
    finishReason: Json.text(Json.field(result, "finish_reason")),
    model: Json.text(Json.field(result, "model")),
    usage: OpenAiAnswer.usageOf(Json.field(result, "usage"))
  }
}

/** Pieces of the `response`, a last one with the usage; newer models stream like OpenAI's. */
export const events: EventDialect = {
  complaintIn: (document) => (isError(document) ? (complaintOf(document) ?? {}) : undefined),
  read: (document, name, progress) => {
    progress.text(textOf(Json.field(document, "response")))
    OpenAiAnswer.events.read(document, name, progress)
  }
}

/** Whether a document that came with a success status tells of a failure all the same. */
export const isError = (document: unknown): boolean =>
  Json.field(document, "success") === false || ErrorBody.isError(document)

/** What a document complains of, with its code in the classifier's words; `undefined` when it cannot be understood. */
export const complaintOf = (document: unknown): Complaint | undefined => {
  const complaint = ErrorBody.read(document)
  const type = MEANINGS.get(complaint?.code ?? "")
  return complaint === undefined || type === undefined ? complaint : { ...complaint, type }
}

/**
 * What the codes mean that HTTP statuses leave open, or that come with a success status.
 *
 * @see https://developers.cloudflare.com/workers-ai/platform/errors/
 */
const MEANINGS = new Map([
  ["3003", "invalid_request"],
  ["3006", "invalid_request"],
  ["3023", "invalid_api_key"],
  ["3036", "daily_quota"],
  ["3039", "invalid_request"],
  ["3040", "overloaded"],
  ["3041", "invalid_api_key"],
  ["3042", "model_not_found"],
  ["4006", "daily_quota"],
  ["5004", "invalid_request"],
  ["5005", "invalid_request"],
  ["5006", "invalid_request"],
  ["5007", "model_not_found"],
  ["5016", "invalid_api_key"],
  ["5018", "invalid_api_key"],
  ["5019", "invalid_request"],
  ["7003", "model_not_found"],
  ["9109", "invalid_api_key"],
  ["10000", "invalid_api_key"]
])

/** In JSON mode the response is JSON; and a token that is a number comes as one. */
const textOf = (response: unknown): string | undefined => {
  if (typeof response === "number" || isObject(response)) return JSON.stringify(response)
  return Json.text(response)
}
