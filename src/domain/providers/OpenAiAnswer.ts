/** Answers in the words of OpenAI's chat completions, whole and streamed. */
import { isObject } from "effect/Predicate"
import type { GenAiResponse, Usage } from "../genai/GenAiResponse.ts"
import * as ErrorBody from "./ErrorBody.ts"
import type { EventDialect } from "./EventDecoder.ts"
import * as Json from "./Json.ts"
import { reported } from "./TokenCounts.ts"

/** The answer in a completion, or what is wrong with it. */
export const readAnswer = (document: unknown): GenAiResponse | string => {
  if (document === undefined) return "the answer is not JSON, or not whole"
  const choice = Json.first(Json.field(document, "choices"))
  const message = Json.field(choice, "message")
  if (!isObject(message)) return "the answer is JSON but no chat completion (choices[0].message is missing)"
  return {
    text: textOf(Json.field(message, "content")) ?? "",
    finishReason: Json.text(Json.field(choice, "finish_reason")),
    model: Json.text(Json.field(document, "model")),
    usage: usageOf(Json.field(document, "usage"))
  }
}

/** Chunks: the text is in the first choice's `delta`, the usage in a last chunk that has no choices. */
export const events: EventDialect = {
  complaintIn: (document) => (ErrorBody.isError(document) ? (ErrorBody.read(document) ?? {}) : undefined),
  read: (document, _name, progress) => {
    progress.model ??= textIn(document, "model")
    progress.report(usageOf(Json.field(document, "usage")))
    const choice = firstChoice(Json.field(document, "choices"))
    progress.text(textOf(Json.field(Json.field(choice, "delta"), "content")))
    progress.finishReason ??= textIn(choice, "finish_reason")
  },
  raw: { family: "openai", isOpening: (document) => !hasContent(Json.field(document, "choices")) }
}

/** Whether a chunk has more than the role of who speaks: text, a tool call, a reason to stop, anything that is not empty. */
const hasContent = (choices: unknown): boolean =>
  Array.isArray(choices) &&
  choices.some((choice) => {
    if (textIn(choice, "finish_reason") !== undefined) return true
    const delta = Json.field(choice, "delta")
    return isObject(delta) && Object.entries(delta).some(([name, value]) => name !== "role" && !isNothing(value))
  })

const isNothing = (value: unknown): boolean =>
  value === null || value === "" || (Array.isArray(value) && value.length === 0)

/** Where more than one answer was asked for, their pieces come mixed; ours is the first answer. */
const firstChoice = (choices: unknown): unknown =>
  Array.isArray(choices) ? choices.find((choice) => (Json.count(Json.field(choice, "index")) ?? 0) === 0) : undefined

/** Some servers send empty texts for what they do not know yet. */
const textIn = (value: unknown, name: string): string | undefined => Json.text(Json.field(value, name)) || undefined

/** A content is text, a list of parts with text in them, or null for refusals and tool calls. */
const textOf = (content: unknown): string | undefined => {
  if (Array.isArray(content)) return content.map((part) => Json.text(Json.field(part, "text")) ?? "").join("")
  return Json.text(content)
}

/** The token counts of a `usage`; Cloudflare's has the same names. */
export const usageOf = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const inputTokens = Json.count(Json.field(usage, "prompt_tokens"))
  const cachedInputTokens = Json.count(Json.field(Json.field(usage, "prompt_tokens_details"), "cached_tokens"))
  const outputTokens = Json.count(Json.field(usage, "completion_tokens"))
  const totalTokens = Json.count(Json.field(usage, "total_tokens"))
  return reported({ inputTokens, cachedInputTokens, outputTokens, totalTokens })
}
