/** How answers and failures of requests are kept in jobs. */
import type { GenAiError } from "../genai/GenAiError.ts"
import type { GenAiAnswer, Usage } from "../genai/GenAiResponse.ts"
import type { JobFailure, JobResult, JobUsage } from "./Job.ts"

export const jobResult = (answer: GenAiAnswer): JobResult => ({
  text: answer.text,
  ...(answer.finishReason === undefined ? {} : { finish_reason: answer.finishReason }),
  ...(answer.model === undefined ? {} : { model: answer.model }),
  ...(answer.usage === undefined ? {} : { usage: jobUsage(answer.usage) }),
  endpoint: answer.endpoint,
  attempts: answer.attempts,
  latency_ms: answer.latencyMs
})

const jobUsage = ({ cachedInputTokens, inputTokens, outputTokens, totalTokens }: Usage): JobUsage => ({
  ...(inputTokens === undefined ? {} : { input_tokens: inputTokens }),
  ...(cachedInputTokens === undefined ? {} : { cached_input_tokens: cachedInputTokens }),
  ...(outputTokens === undefined ? {} : { output_tokens: outputTokens }),
  ...(totalTokens === undefined ? {} : { total_tokens: totalTokens })
})

export const jobFailure = (error: GenAiError): JobFailure => ({
  message: error.message,
  reason: error.reason._tag,
  ...(error.endpoint === undefined ? {} : { endpoint: error.endpoint }),
  attempts: error.attempts
})
