/** Anthropic's messages, and what is said in place of one. */
import type { Usage } from "../genai/GenAiResponse.ts"
import type { Problem, ProblemKind } from "../server/Problem.ts"
import { retryAfter } from "../server/ProblemBody.ts"
import type { Dialect } from "./Dialect.ts"
import { ownJson } from "./Fields.ts"
import { type FinishKind, finishKind } from "./FinishReason.ts"
import { json } from "./Replies.ts"

export const answer: Dialect["answer"] = (answer, family, { id, model }) => {
  const own = family === "anthropic" ? ownJson(answer) : undefined
  if (own !== undefined) return json(200, own)
  const message = {
    ...messageOf(id, model),
    content: answer.text === "" ? [] : [{ type: "text", text: answer.text, citations: null }],
    stop_reason: stopReason(answer.finishReason),
    usage: usageOf(answer.usage)
  }
  return json(200, JSON.stringify(message))
}

/** A message before anything is known of it. */
export const messageOf = (id: string, model: string) => ({
  id: `msg_${id}`,
  type: "message",
  role: "assistant",
  model,
  content: [],
  stop_reason: null,
  stop_sequence: null
})

/** Anthropic's word for why a model stopped. */
export const stopReason = (word: string | undefined): string => WORDS[finishKind(word)]

const WORDS: Readonly<Record<FinishKind, string>> = {
  stop: "end_turn",
  stopSequence: "stop_sequence",
  length: "max_tokens",
  filter: "refusal",
  tools: "tool_use",
  other: "end_turn"
}

/** The counts must be there: what was not reported is 0. Tokens from the cache are counted apart. */
export const usageOf = ({ cachedInputTokens = 0, inputTokens = 0, outputTokens = 0 }: Usage = {}) => ({
  input_tokens: Math.max(0, inputTokens - cachedInputTokens),
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cachedInputTokens,
  output_tokens: outputTokens
})

export const problem: Dialect["problem"] = (problem) =>
  json(problem.kind === "Overloaded" ? OVERLOADED : problem.status, errorJson(problem), retryAfter(problem))

/** Anthropic's own status for an API that has too much to do. */
const OVERLOADED = 529

export const errorJson = ({ kind, told: { field, message } }: Problem): string => {
  const text = field === undefined || message.startsWith(field) ? message : `${field}: ${message}`
  return JSON.stringify({ type: "error", error: { type: TYPES.get(kind) ?? "api_error", message: text } })
}

/** `api_error` for those that are not here. */
const TYPES: ReadonlyMap<ProblemKind, string> = new Map([
  ["InvalidRequest", "invalid_request_error"],
  ["Unauthorized", "authentication_error"],
  ["Forbidden", "permission_error"],
  ["NotFound", "not_found_error"],
  ["MethodNotAllowed", "invalid_request_error"],
  ["Conflict", "invalid_request_error"],
  ["TooLarge", "request_too_large"],
  ["UnsupportedMediaType", "invalid_request_error"],
  ["Unprocessable", "invalid_request_error"],
  ["RateLimited", "rate_limit_error"],
  ["Overloaded", "overloaded_error"],
  ["Draining", "overloaded_error"],
  ["TimedOut", "timeout_error"]
])
