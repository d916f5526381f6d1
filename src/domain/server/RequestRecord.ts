/** What is known of one request to the service: filled in on its way, then logged, counted and traced. Never its contents. */

/** Which part of the service a request is for; few, since they are labels of metrics. */
export type RouteName =
  | "openai.chat"
  | "openai.models"
  | "gemini.generate"
  | "gemini.models"
  | "anthropic.messages"
  | "generate"
  | "submit"
  | "jobs"
  | "metrics"
  | "health"
  | "docs"
  | "unknown"

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
  /** Why there was no answer: a `Problem`'s `code` or `kind`. */
  problem: string | undefined
  /** From the request's head to the first byte of the answer, and to its end, in milliseconds. */
  firstByteMs: number | undefined
  durationMs: number
  /** The client was gone before the answer was whole. */
  isAborted: boolean
}
