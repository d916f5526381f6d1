/** Why a model stopped: the words of each family in those of the others. */

/** `stopSequence` is a stop that the client asked for, `other` one that none of the families has a word for. */
export type FinishKind = "stop" | "stopSequence" | "length" | "filter" | "tools" | "other"

/** The meaning of a provider's word. A provider that says nothing has stopped as models do. */
export const finishKind = (word: string | undefined): FinishKind =>
  word === undefined ? "stop" : (KINDS.get(word.toLowerCase()) ?? "other")

const KINDS: ReadonlyMap<string, FinishKind> = new Map<string, FinishKind>([
  ["", "stop"],
  // OpenAI, and servers like it
  ["stop", "stop"],
  ["eos", "stop"],
  ["eos_token", "stop"],
  ["length", "length"],
  ["content_filter", "filter"],
  ["tool_calls", "tools"],
  ["function_call", "tools"],
  // Gemini
  ["max_tokens", "length"],
  ["safety", "filter"],
  ["recitation", "filter"],
  ["blocklist", "filter"],
  ["prohibited_content", "filter"],
  ["spii", "filter"],
  ["model_armor", "filter"],
  ["image_safety", "filter"],
  ["image_prohibited_content", "filter"],
  ["image_recitation", "filter"],
  // Anthropic
  ["end_turn", "stop"],
  ["stop_sequence", "stopSequence"],
  ["model_context_window_exceeded", "length"],
  ["refusal", "filter"],
  ["tool_use", "tools"]
])
