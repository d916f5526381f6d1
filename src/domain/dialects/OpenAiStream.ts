/** Streamed chat completions. */
import type { ChatEvent } from "../genai/ChatEvent.ts"
import type { Usage } from "../genai/GenAiResponse.ts"
import type { AnswerContext, StreamWriter } from "./Dialect.ts"
import { errorJson, finishReason, usageOf } from "./OpenAiAnswer.ts"
import { event, rawEvent, streamWriter } from "./Replies.ts"

const DONE = event("[DONE]")

/**
 * Chunks: the role, the pieces of the text, the reason to stop; the usage in a chunk of its own, when it is wanted.
 *
 * This is where every token of every stream passes: all but the text of a chunk is written once.
 */
export const stream = ({ model, id, nowMs, wantsUsage }: AnswerContext): StreamWriter => {
  const created = Math.floor(nowMs / 1000)
  const head = `data: {"id":${JSON.stringify(`chatcmpl-${id}`)},"object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(model)},"choices":[`
  const usageMember = wantsUsage ? ',"usage":null' : ""
  const deltaHead = `${head}{"index":0,"delta":`
  const textHead = `${deltaHead}{"content":`
  const textTail = `},"logprobs":null,"finish_reason":null}]${usageMember}}\n\n`
  let isRaw = false
  let hasBegun = false
  let usage: Usage | undefined

  const begin = (): string => {
    if (hasBegun) return ""
    hasBegun = true
    return `${deltaHead}{"role":"assistant","content":"","refusal":null${textTail}`
  }

  const end = (reason: string | undefined): string => {
    if (isRaw) return DONE
    const last = `${begin()}${deltaHead}{},"logprobs":null,"finish_reason":"${finishReason(reason)}"}]${usageMember}}\n\n`
    return wantsUsage ? `${last}${head}],"usage":${JSON.stringify(usageOf(usage ?? {}))}}\n\n${DONE}` : last + DONE
  }

  const write = (next: ChatEvent, after: ChatEvent | undefined): string => {
    switch (next._tag) {
      case "TextDelta":
        if (isRaw) return ""
        return hasBegun
          ? textHead + JSON.stringify(next.text) + textTail
          : begin() + textHead + JSON.stringify(next.text) + textTail
      case "RawEvent":
        if (next.family !== "openai") return ""
        isRaw = true
        // Text that comes next was read from this event. Most have some, and none of those is there for the usage alone.
        return wantsUsage || after?._tag === "TextDelta" || !isUsageOnly(next.data) ? rawEvent(next) : ""
      case "UsageReport":
        usage = next.usage
        return ""
      case "Finish":
        return end(next.finishReason)
    }
  }

  return streamWriter(write, (problem) => event(errorJson(problem)))
}

/** Whether a chunk is there for the usage alone, which endpoints are asked for always and clients only sometimes. */
const isUsageOnly = (data: string): boolean => data.includes('"usage"') && NO_CHOICES.test(data) && HAS_USAGE.test(data)

const NO_CHOICES = /"choices"\s*:\s*\[\s*\]/
const HAS_USAGE = /"usage"\s*:\s*\{/
