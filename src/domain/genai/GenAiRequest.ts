/**
 * What a caller asks of a model, in words that no provider owns.
 *
 * Providers translate it (`domain/providers`), the dispatcher never looks inside.
 */
import * as Schema from "effect/Schema"

/** Who speaks in a turn of the conversation. */
export const Role = Schema.Literals(["system", "user", "assistant"])
export type Role = typeof Role.Type

/** Text within a turn. */
export const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** An image, a sound or a document, carried along: its bytes in base64 (RFC 4648) and what they are, such as `image/png`. */
export const DataPart = Schema.Struct({
  type: Schema.Literal("data"),
  mimeType: Schema.String,
  data: Schema.String
})

/** An image, a sound or a document that the provider fetches itself: from the web, from its own store, from a bucket. */
export const UriPart = Schema.Struct({
  type: Schema.Literal("uri"),
  uri: Schema.String,
  /** What is there, for providers that want to know beforehand. */
  mimeType: Schema.optionalKey(Schema.String)
})

/** A piece of a turn. */
export const Part = Schema.Union([TextPart, DataPart, UriPart])
export type Part = typeof Part.Type

/** One turn of the conversation. A text is the same as one part with that text. */
export const ChatMessage = Schema.Struct({
  role: Role,
  content: Schema.Union([Schema.String, Schema.Array(Part)])
})
export type ChatMessage = typeof ChatMessage.Type

/** Members of a JSON object, by name. */
const Members = Schema.Record(Schema.String, Schema.Unknown)

/**
 * Endpoints whose requests have the same shape: `openai` is kinds openai and azure, `gemini` is kinds gemini and vertex,
 * `anthropic` is kind anthropic.
 */
export const Family = Schema.Literals(["openai", "gemini", "anthropic"])
export type Family = typeof Family.Type

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
  /**
   * What only the provider has words for, in those: tools, a response schema, safety settings. Merged into its body last,
   * object by object, so that it wins over everything else; lists are replaced as a whole.
   */
  extra: Schema.optionalKey(Members),
  /**
   * Keep the provider's own words: its whole answer as `raw` of the response, `RawEvent`s in a stream. `text` is the same,
   * but that the answer is not parsed once more: it is the `rawText` of the response. Default: false.
   */
  keepRaw: Schema.optionalKey(Schema.Union([Schema.Boolean, Schema.Literal("text")])),
  /**
   * The request as somebody wrote it for one family of endpoints: those are sent `body` as it is, except that an
   * endpoint's own model replaces the one in it. Endpoints of other kinds are sent the fields above. The model in `body`,
   * or else `model`, is for endpoints that have none.
   */
  native: Schema.optionalKey(Schema.Struct({ family: Family, body: Members })),
  /** The JSON document that an endpoint of kind `raw` is sent as it is. */
  body: Schema.optionalKey(Schema.Unknown)
})
export type GenAiRequest = typeof GenAiRequest.Type

/** The text in a turn, its text parts joined; files and images have none. */
export const textOfContent = (content: ChatMessage["content"]): string =>
  typeof content === "string" ? content : content.map((part) => (part.type === "text" ? part.text : "")).join("")
