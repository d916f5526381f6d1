/** What a model answered, in words that no provider owns. */
import * as Schema from "effect/Schema"

/** Tokens that the provider says it counted. Absent fields were not reported. */
export const Usage = Schema.Struct({
  /** Tokens read, those from a cache included. */
  inputTokens: Schema.optionalKey(Schema.Int),
  /** Those of the tokens read that came from a cache, which cost less. */
  cachedInputTokens: Schema.optionalKey(Schema.Int),
  /** Tokens written. */
  outputTokens: Schema.optionalKey(Schema.Int),
  /** Tokens in total, as reported; not always the sum of the other two. */
  totalTokens: Schema.optionalKey(Schema.Int)
})
export type Usage = typeof Usage.Type

/** One answer, as a provider's `decode` gives it. */
export interface GenAiResponse {
  /** The generated text; for kind `raw` the whole answer as JSON text. */
  readonly text: string
  /** Why the model stopped, in the provider's own word (`stop`, `length`, `content_filter`, ...). */
  readonly finishReason: string | undefined
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined
  /** `undefined` when the provider reported none. */
  readonly usage: Usage | undefined
  /** The provider's whole answer, parsed from its JSON; only when the request has `keepRaw: true`. */
  readonly raw?: unknown
  /** The same as it came: JSON text; only when the request has `keepRaw: "text"`. */
  readonly rawText?: string
}

/** One answer, with how it was come by: what `GenAiClient.generate` gives. */
export interface GenAiAnswer extends GenAiResponse {
  /** Name of the endpoint that answered. */
  readonly endpoint: string
  /** How many times the request was sent until this answer, over all endpoints; at least 1. */
  readonly attempts: number
  /** From call to answer in milliseconds: waiting, failed attempts and backoff included. */
  readonly latencyMs: number
}
