/**
 * What a caller asks of a model, in words that no provider owns.
 *
 * Providers translate it (`domain/providers`), the dispatcher never looks inside.
 */
import * as Schema from "effect/Schema"

/** Who speaks in a turn of the conversation. */
export const Role = Schema.Literals(["system", "user", "assistant"])
export type Role = typeof Role.Type

/** One turn of the conversation. */
export const ChatMessage = Schema.Struct({ role: Role, content: Schema.String })
export type ChatMessage = typeof ChatMessage.Type

/**
 * One request for a generated answer.
 *
 * Everything but `messages` is optional; what is absent is filled from the endpoint's `parameters`, then from the
 * provider's own defaults.
 */
export const GenAiRequest = Schema.Struct({
  /** The conversation, oldest turn first. Empty only when `body` is given. */
  messages: Schema.Array(ChatMessage),
  /** The system prompt, sent before `messages`. */
  system: Schema.optionalKey(Schema.String),
  /** Overrides the endpoint's model. */
  model: Schema.optionalKey(Schema.String),
  /** Sampling temperature; its range is the provider's. */
  temperature: Schema.optionalKey(Schema.Finite),
  /** The longest answer wanted, in tokens. */
  maxTokens: Schema.optionalKey(Schema.Int),
  /** The JSON document that an endpoint of kind `raw` is sent as it is. */
  body: Schema.optionalKey(Schema.Unknown)
})
export type GenAiRequest = typeof GenAiRequest.Type
