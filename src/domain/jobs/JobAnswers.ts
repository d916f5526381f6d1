/** How answers and failures of requests are kept in jobs. */
import type { GenAiError } from "../genai/GenAiError.ts"
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"
import type { JobFailure, JobResult } from "./Job.ts"

export const jobResult = (answer: GenAiAnswer): JobResult => ({
  text: answer.text,
  ...(answer.finishReason === undefined ? {} : { finish_reason: answer.finishReason }),
  ...(answer.model === undefined ? {} : { model: answer.model }),
  ...(answer.usage === undefined ? {} : { usage: answer.usage }),
  endpoint: answer.endpoint,
  attempts: answer.attempts,
  latency_ms: answer.latencyMs
})

export const jobFailure = (error: GenAiError): JobFailure => ({
  message: error.message,
  reason: error.reason._tag,
  ...(error.endpoint === undefined ? {} : { endpoint: error.endpoint }),
  attempts: error.attempts
})
