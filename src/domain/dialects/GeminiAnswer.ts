/** What `generateContent` answers, and what is said in place of an answer. */
import type { Usage } from "../genai/GenAiResponse.ts"
import type { Problem, ProblemKind } from "../server/Problem.ts"
import { retryAfter } from "../server/ProblemBody.ts"
import type { Dialect } from "./Dialect.ts"
import { ownJson } from "./Fields.ts"
import { type FinishKind, finishKind } from "./FinishReason.ts"
import { json } from "./Replies.ts"

export const answer: Dialect["answer"] = (answer, family, { id, model }) => {
  const own = family === "gemini" ? ownJson(answer) : undefined
  if (own !== undefined) return json(200, own)
  const generated = {
    candidates: [
      {
        content: { parts: [{ text: answer.text }], role: "model" },
        finishReason: finishReason(answer.finishReason),
        index: 0
      }
    ],
    ...(answer.usage === undefined ? {} : { usageMetadata: usageOf(answer.usage) }),
    modelVersion: model,
    responseId: id
  }
  return json(200, JSON.stringify(generated))
}

/** Google's word for why a model stopped; it has finer ones than the others, which stay. */
export const finishReason = (word: string | undefined): string => {
  const kind = finishKind(word)
  return word !== undefined && kind !== "other" && /^[A-Z_]+$/.test(word) ? word : WORDS[kind]
}

const WORDS: Readonly<Record<FinishKind, string>> = {
  stop: "STOP",
  stopSequence: "STOP",
  length: "MAX_TOKENS",
  filter: "SAFETY",
  tools: "STOP",
  other: "OTHER"
}

export const usageOf = ({ cachedInputTokens, inputTokens = 0, outputTokens = 0, totalTokens }: Usage) => ({
  promptTokenCount: inputTokens,
  candidatesTokenCount: outputTokens,
  totalTokenCount: totalTokens ?? inputTokens + outputTokens,
  ...(cachedInputTokens === undefined ? {} : { cachedContentTokenCount: cachedInputTokens })
})

export const problem: Dialect["problem"] = (problem) => json(problem.status, errorJson(problem), retryAfter(problem))

/**
 * Google's model of errors: a status of its RPC, and details by type.
 *
 * @see https://google.aip.dev/193
 */
export const errorJson = (problem: Problem): string => {
  const { code, kind, retryAfterMs, status } = problem
  const { field, message } = problem.told
  const details = [
    ...(code === undefined
      ? []
      : [{ "@type": `${TYPE}ErrorInfo`, reason: reasonOf(code), domain: "genai-dispatcher", metadata: {} }]),
    ...(field === undefined
      ? []
      : [{ "@type": `${TYPE}BadRequest`, fieldViolations: [{ field, description: message }] }]),
    ...(retryAfterMs === undefined
      ? []
      : [{ "@type": `${TYPE}RetryInfo`, retryDelay: `${Math.ceil(Math.max(0, retryAfterMs)) / 1000}s` }])
  ]
  return JSON.stringify({
    error: { code: status, message, status: STATUS[kind], ...(details.length === 0 ? {} : { details }) }
  })
}

const TYPE = "type.googleapis.com/google.rpc."

/** Reasons are in upper snake case: `RateLimited` is `RATE_LIMITED`. */
const reasonOf = (code: string): string => code.replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase()

const STATUS: Readonly<Record<ProblemKind, string>> = {
  InvalidRequest: "INVALID_ARGUMENT",
  Unauthorized: "UNAUTHENTICATED",
  Forbidden: "PERMISSION_DENIED",
  NotFound: "NOT_FOUND",
  MethodNotAllowed: "UNIMPLEMENTED",
  Conflict: "ABORTED",
  TooLarge: "INVALID_ARGUMENT",
  UnsupportedMediaType: "INVALID_ARGUMENT",
  Unprocessable: "FAILED_PRECONDITION",
  RateLimited: "RESOURCE_EXHAUSTED",
  Internal: "INTERNAL",
  UpstreamFailed: "UNAVAILABLE",
  Overloaded: "UNAVAILABLE",
  Draining: "UNAVAILABLE",
  TimedOut: "DEADLINE_EXCEEDED"
}
