/** Streamed messages: the message, its one block of text, and what became of both. */
import type { ChatEvent, RawEvent } from "../genai/ChatEvent.ts"
import type { Usage } from "../genai/GenAiResponse.ts"
import { errorJson, messageOf, stopReason, usageOf } from "./AnthropicAnswer.ts"
import type { AnswerContext, StreamWriter } from "./Dialect.ts"
import { namedEvent, rawEvent, streamWriter } from "./Replies.ts"

const DELTA_HEAD =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
const DELTA_TAIL = "}}\n\n"
const BLOCK_START = namedEvent(
  "content_block_start",
  '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
)
const BLOCK_STOP = namedEvent("content_block_stop", '{"type":"content_block_stop","index":0}')
const STOP = namedEvent("message_stop", '{"type":"message_stop"}')

/** Usage that is not known when the text begins is 0 at the start, and right at the end. */
export const stream = ({ model, id }: AnswerContext): StreamWriter => {
  let isRaw = false
  /** Another end after the endpoint's own would be one too many. */
  let hasStopped = false
  let hasBegun = false
  let hasText = false
  let usage: Usage | undefined

  const begin = (): string => {
    if (hasBegun) return ""
    hasBegun = true
    const message = { ...messageOf(id, model), usage: { ...usageOf(usage), output_tokens: 0 } }
    return namedEvent("message_start", JSON.stringify({ type: "message_start", message }))
  }

  const end = (reason: string | undefined): string => {
    if (isRaw) return hasStopped ? "" : STOP
    const delta = { stop_reason: stopReason(reason), stop_sequence: null }
    const last = JSON.stringify({ type: "message_delta", delta, usage: usageOf(usage) })
    return begin() + (hasText ? BLOCK_STOP : "") + namedEvent("message_delta", last) + STOP
  }

  const writeText = (text: string): string => {
    const delta = DELTA_HEAD + JSON.stringify(text) + DELTA_TAIL
    if (hasText) return delta
    hasText = true
    return begin() + BLOCK_START + delta
  }

  const write = (next: ChatEvent): string => {
    switch (next._tag) {
      case "TextDelta":
        return isRaw ? "" : writeText(next.text)
      case "RawEvent":
        if (next.family !== "anthropic") return ""
        isRaw = true
        hasStopped = isStop(next)
        return rawEvent(next)
      case "UsageReport":
        usage = next.usage
        return ""
      case "Finish":
        return end(next.finishReason)
    }
  }

  return streamWriter(write, (problem) => namedEvent("error", errorJson(problem)))
}

/** Whether it is the end of the message; some servers leave out the names of events. */
const isStop = ({ data, name }: RawEvent): boolean =>
  name === "message_stop" || (name === "" && /"type"\s*:\s*"message_stop"/.test(data))
