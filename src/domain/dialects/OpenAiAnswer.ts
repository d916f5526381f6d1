/** Chat completions, and what is said in place of one. */
import type { Usage } from "../genai/GenAiResponse.ts"
import { QUOTA_CODE } from "../server/FromGenAiError.ts"
import type { Problem, ProblemKind } from "../server/Problem.ts"
import { retryAfter } from "../server/ProblemBody.ts"
import type { Dialect } from "./Dialect.ts"
import { ownJson } from "./Fields.ts"
import { finishKind } from "./FinishReason.ts"
import { json } from "./Replies.ts"

export const answer: Dialect["answer"] = (answer, family, { id, model, nowMs }) => {
  const own = family === "openai" ? ownJson(answer) : undefined
  if (own !== undefined) return json(200, own)
  const completion = {
    id: `chatcmpl-${id}`,
    object: "chat.completion",
    created: Math.floor(nowMs / 1000),
    model,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: answer.text, refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: finishReason(answer.finishReason)
      }
    ],
    ...(answer.usage === undefined ? {} : { usage: usageOf(answer.usage) })
  }
  return json(200, JSON.stringify(completion))
}

/** OpenAI's word for why a model stopped. */
export const finishReason = (word: string | undefined): string => WORDS[finishKind(word)]

const WORDS = {
  stop: "stop",
  stopSequence: "stop",
  length: "length",
  filter: "content_filter",
  tools: "tool_calls",
  other: "stop"
} as const

/** The counts must all be there: what was not reported is 0. */
export const usageOf = ({ cachedInputTokens, inputTokens = 0, outputTokens = 0, totalTokens }: Usage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: totalTokens ?? inputTokens + outputTokens,
  ...(cachedInputTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: cachedInputTokens } })
})

/** OpenAI's clients read the hint in milliseconds first. */
export const problem: Dialect["problem"] = (problem) =>
  json(problem.status, errorJson(problem), {
    ...retryAfter(problem),
    ...(problem.retryAfterMs === undefined
      ? {}
      : { "retry-after-ms": String(Math.ceil(Math.max(0, problem.retryAfterMs))) })
  })

export const errorJson = ({ kind, code, told: { field, message } }: Problem): string => {
  const [type, word] =
    code === QUOTA_CODE ? [code, code] : [TYPES.get(kind) ?? "server_error", CODES.get(kind) ?? code ?? null]
  return JSON.stringify({ error: { message, type, param: field ?? null, code: word } })
}

/** `server_error` for those that are not here. */
const TYPES: ReadonlyMap<ProblemKind, string> = new Map([
  ["InvalidRequest", "invalid_request_error"],
  ["Unauthorized", "invalid_request_error"],
  ["Forbidden", "invalid_request_error"],
  ["NotFound", "invalid_request_error"],
  ["MethodNotAllowed", "invalid_request_error"],
  ["Conflict", "invalid_request_error"],
  ["TooLarge", "invalid_request_error"],
  ["UnsupportedMediaType", "invalid_request_error"],
  ["Unprocessable", "invalid_request_error"],
  ["RateLimited", "rate_limit_error"]
])

/** Codes that OpenAI's clients know. */
const CODES: ReadonlyMap<ProblemKind, string> = new Map([
  ["Unauthorized", "invalid_api_key"],
  ["RateLimited", "rate_limit_exceeded"]
])
