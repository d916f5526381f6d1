/** What a streamed answer is made of, in words that no provider owns. */
import type { Family } from "./GenAiRequest.ts"
import type { Usage } from "./GenAiResponse.ts"

/** A piece of the text; the pieces joined are the answer. Never empty. */
export interface TextDelta {
  readonly _tag: "TextDelta"
  readonly text: string
}

/** Tokens counted so far; a later one replaces an earlier one. */
export interface UsageReport {
  readonly _tag: "UsageReport"
  readonly usage: Usage
}

/** The answer is whole. Comes exactly once, last. */
export interface Finish {
  readonly _tag: "Finish"
  /** Why the model stopped, in the provider's own word. */
  readonly finishReason: string | undefined
  /** The model that answered, as the provider names it. */
  readonly model: string | undefined
}

/**
 * One event of the provider's own stream as it came, followed by what was read from it; only when the request has
 * `keepRaw`, and only from endpoints that belong to a family.
 */
export interface RawEvent {
  readonly _tag: "RawEvent"
  readonly family: Family
  /** The name of the server-sent event; empty for events without one. */
  readonly name: string
  /** Its data, as text. */
  readonly data: string
  /**
   * Whether nothing of the answer has come yet, this event included: only that it begins, or that the connection lives. A
   * failure after such events can still be mended by sending the request again.
   */
  readonly isOpening: boolean
}

/** One piece of a streamed answer; `_tag` says which. A `RawEvent` only when it was asked for. */
export type ChatEvent = TextDelta | UsageReport | Finish | RawEvent
