/** Answers and complaints in the words of Anthropic's messages API, whole and streamed. */
import { isObject } from "effect/Predicate"
import type { GenAiResponse, Usage } from "../genai/GenAiResponse.ts"
import * as ErrorBody from "./ErrorBody.ts"
import type { EventDialect } from "./EventDecoder.ts"
import type { Complaint } from "./Failures.ts"
import * as Json from "./Json.ts"
import { reported } from "./TokenCounts.ts"

/** The answer in a message, or what is wrong with it. */
export const readAnswer = (document: unknown): GenAiResponse | string => {
  if (document === undefined) return "the answer is not JSON, or not whole"
  const content = Json.field(document, "content")
  if (!Array.isArray(content)) return "the answer is JSON but no message (content is missing)"
  return {
    text: content.map((block) => textIn(block) ?? "").join(""),
    finishReason: Json.text(Json.field(document, "stop_reason")),
    model: Json.text(Json.field(document, "model")),
    usage: usageOf(Json.field(document, "usage"))
  }
}

/** What a document complains of; `undefined` when nothing in it can be understood. */
export const complaintOf = (document: unknown): Complaint | undefined => {
  const complaint = ErrorBody.read(document)
  // Refused like a wrong request (400), but it is the account that is at fault.
  return MONEY_WORDS.test(complaint?.message ?? "") ? { ...complaint, type: "insufficient_quota" } : complaint
}

const MONEY_WORDS = /credit balance is too low|reached your specified API usage limits/i

/**
 * Events, each with its `type` in it. Usage comes in two parts: what was read at the start, what was written at the end;
 * the end may repeat and correct the start.
 */
export const events: EventDialect = {
  complaintIn: (document) => (ErrorBody.isError(document) ? (complaintOf(document) ?? {}) : undefined),
  read: (document, name, progress) => {
    switch (Json.text(Json.field(document, "type")) ?? name) {
      case "message_start": {
        const message = Json.field(document, "message")
        progress.model = Json.text(Json.field(message, "model"))
        return progress.report(usageOf(Json.field(message, "usage")))
      }
      case "content_block_start":
        return progress.text(textIn(Json.field(document, "content_block")))
      case "content_block_delta":
        return progress.text(Json.text(Json.field(Json.field(document, "delta"), "text")))
      case "message_delta": {
        progress.finishReason = Json.text(Json.field(Json.field(document, "delta"), "stop_reason"))
        const usage = usageOf(Json.field(document, "usage"))
        return progress.report(usage === undefined ? undefined : { ...progress.usage, ...usage })
      }
      case "message_stop":
        return progress.finish()
    }
  },
  raw: { family: "anthropic", isOpening: (document, name) => isOpening(document, name) }
}

/** The start of a message or of a block without text yet, and signs of life. */
const isOpening = (document: unknown, name: string): boolean => {
  switch (Json.text(Json.field(document, "type")) ?? name) {
    case "message_start":
    case "ping":
      return true
    case "content_block_start":
      return textIn(Json.field(document, "content_block")) === ""
    default:
      return false
  }
}

/** The text of a block; other kinds of blocks (thinking, tool calls) have none. */
const textIn = (block: unknown): string | undefined =>
  Json.field(block, "type") === "text" ? Json.text(Json.field(block, "text")) : undefined

/** `input_tokens` are only those that have nothing to do with the cache; ours are all that were read. */
const usageOf = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const uncached = Json.count(Json.field(usage, "input_tokens"))
  const cachedInputTokens = Json.count(Json.field(usage, "cache_read_input_tokens"))
  const toCache = Json.count(Json.field(usage, "cache_creation_input_tokens")) ?? 0
  const outputTokens = Json.count(Json.field(usage, "output_tokens"))
  const inputTokens = uncached === undefined ? undefined : uncached + (cachedInputTokens ?? 0) + toCache
  return reported({ inputTokens, cachedInputTokens, outputTokens, totalTokens: undefined })
}
