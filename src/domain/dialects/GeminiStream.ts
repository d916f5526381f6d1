/** Streamed `generateContent`: each event is a whole document with the next piece. */
import type { ChatEvent } from "../genai/ChatEvent.ts"
import type { Usage } from "../genai/GenAiResponse.ts"
import type { AnswerContext, StreamWriter } from "./Dialect.ts"
import { errorJson, finishReason, usageOf } from "./GeminiAnswer.ts"
import { event, rawEvent, streamWriter } from "./Replies.ts"

const HEAD = 'data: {"candidates":[{"content":{"parts":[{"text":'

/** The reason to stop and the usage come with the last event, whose text is empty. */
export const stream = ({ model, id }: AnswerContext): StreamWriter => {
  const versions = `"modelVersion":${JSON.stringify(model)},"responseId":${JSON.stringify(id)}}\n\n`
  const tail = `}],"role":"model"},"index":0}],${versions}`
  let isRaw = false
  let usage: Usage | undefined

  const end = (reason: string | undefined): string => {
    // There is no word for the end but the end itself.
    if (isRaw) return ""
    const counts = usage === undefined ? "" : `"usageMetadata":${JSON.stringify(usageOf(usage))},`
    return `${HEAD}""}],"role":"model"},"finishReason":"${finishReason(reason)}","index":0}],${counts}${versions}`
  }

  const write = (next: ChatEvent): string => {
    switch (next._tag) {
      case "TextDelta":
        return isRaw ? "" : HEAD + JSON.stringify(next.text) + tail
      case "RawEvent":
        if (next.family !== "gemini") return ""
        isRaw = true
        return rawEvent(next)
      case "UsageReport":
        usage = next.usage
        return ""
      case "Finish":
        return end(next.finishReason)
    }
  }

  return streamWriter(write, (problem) => event(errorJson(problem)))
}
