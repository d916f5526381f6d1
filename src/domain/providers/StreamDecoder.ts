/** How a dialect reads a streamed answer. */
import type { ChatEvent } from "../genai/ChatEvent.ts"
import type { ProviderFailure } from "./Provider.ts"

/** The answer broke off or tells of a failure; nothing comes after it. */
export interface StreamFailed {
  readonly _tag: "StreamFailed"
  readonly failure: ProviderFailure
}

export type StreamItem = ChatEvent | StreamFailed

/** Reads one streamed answer with a success status. Mutable; one for each answer. */
export interface StreamDecoder {
  /** The next bytes of the body, cut anywhere, also within a character. */
  push(chunk: Uint8Array): ReadonlyArray<StreamItem>
  /** The body has ended. Gives `StreamFailed` when the answer is not whole by then. */
  end(): ReadonlyArray<StreamItem>
}
