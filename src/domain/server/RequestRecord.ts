/** What is known of one request to the service: filled in on its way, then logged, counted and traced. Never its contents. */
import type { ChatEvent } from "../genai/ChatEvent.ts"
import type { GenAiError } from "../genai/GenAiError.ts"
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"

/** Which part of the service a request is for; few, since they are labels of metrics. */
export type RouteName =
  | "openai.chat"
  | "openai.models"
  | "gemini.generate"
  | "gemini.models"
  | "anthropic.messages"
  | "anthropic.models"
  | "generate"
  | "submit"
  | "jobs"
  | "metrics"
  | "health"
  | "docs"
  | "unknown"

/** One request. What is not `readonly` is filled in on its way; `undefined` is what nobody knows, or does not know yet. */
export interface RequestRecord {
  /** Unique; also sent as the header `x-request-id`. */
  readonly id: string
  readonly method: string
  readonly route: RouteName
  /** Unix time in milliseconds. */
  readonly startedAtMs: number
  /** The request's header of that name, as it came: where the client is in a trace. */
  readonly traceparent?: string | undefined
  /** The name of the API key. */
  key: string | undefined
  /** The model's name as the client gave it, once it is known to be one of ours: a label must not be anything. */
  model: string | undefined
  isStreamed: boolean
  /** Name of the endpoint that answered. */
  endpoint: string | undefined
  /** The endpoint's own name of the model. */
  responseModel: string | undefined
  finishReason: string | undefined
  attempts: number
  inputTokens: number | undefined
  outputTokens: number | undefined
  /** The answer's HTTP status; 499 when the client was gone before there was one. */
  status: number
  /** Why there was no answer: `wordOf` a `Problem`. */
  problem: string | undefined
  /** From the request's head to the first byte of the answer, and to its end, in milliseconds. */
  firstByteMs: number | undefined
  durationMs: number
  /** The client was gone before the answer was whole. */
  isAborted: boolean
}

/** Takes down that it is sent to an endpoint. */
export const noteSend = (record: RequestRecord, endpoint: string): void => {
  record.endpoint = endpoint
  record.attempts += 1
}

/** Takes down what a whole answer tells. */
export const noteAnswer = (record: RequestRecord, answer: GenAiAnswer): void => {
  record.endpoint = answer.endpoint
  record.attempts = answer.attempts
  record.responseModel = answer.model
  record.finishReason = answer.finishReason
  record.inputTokens = answer.usage?.inputTokens
  record.outputTokens = answer.usage?.outputTokens
}

/** Takes down what events of a streamed answer tell. True when they hold the last. */
export const noteEvents = (record: RequestRecord, events: ReadonlyArray<ChatEvent>): boolean => {
  let isLast = false
  for (const event of events) {
    if (event._tag === "UsageReport") {
      record.inputTokens = event.usage.inputTokens
      record.outputTokens = event.usage.outputTokens
    } else if (event._tag === "Finish") {
      isLast = true
      record.finishReason = event.finishReason
      record.responseModel = event.model
    }
  }
  return isLast
}

/** Takes down what a failure tells. */
export const noteFailure = (record: RequestRecord, { attempts, endpoint }: GenAiError): void => {
  record.attempts = attempts
  if (endpoint !== undefined) record.endpoint = endpoint
}
