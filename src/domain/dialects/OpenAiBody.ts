/** A chat completion's body in neutral words. */
import type { ChatMessage, Part } from "../genai/GenAiRequest.ts"
import { isObject, type JsonObject } from "../JsonText.ts"
import { contentOf, finite, type Neutral, parameters, partOfUrl, positiveInt, wordOf } from "./Neutral.ts"

/** Fields that are said otherwise, or that are not the row's to say. */
const ELSEWHERE = new Set(["model", "messages", "stream", "stream_options"])

/** Puts into neutral words what has such words. A first message of the system becomes the system prompt. */
export const neutralOf = (body: JsonObject, written: ReadonlyArray<JsonObject>): Neutral => {
  const unsaid = new Set<string>()
  const all = written.flatMap((message) => messageOf(message, unsaid))
  const first = all[0]
  const system = first?.role === "system" && typeof first.content === "string" ? first.content : undefined
  const length = body["max_completion_tokens"] ?? body["max_tokens"]
  for (const name in body) {
    const value = body[name]
    const said =
      value === null ||
      ELSEWHERE.has(name) ||
      (name === "temperature" && finite(value)) ||
      (LENGTHS.has(name) && positiveInt(value))
    if (!said) unsaid.add(name)
  }
  return {
    fields: {
      messages: system === undefined ? all : all.slice(1),
      ...(system === undefined ? {} : { system }),
      ...parameters(body["temperature"], length)
    },
    unsaid: [...unsaid]
  }
}

const LENGTHS = new Set(["max_tokens", "max_completion_tokens"])

const ROLES = new Map<unknown, ChatMessage["role"]>([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["assistant", "assistant"]
])

/** Members of a message that are content, or that say nothing to a model. */
const KNOWN = new Set(["role", "content"])

const messageOf = (message: JsonObject, unsaid: Set<string>): ReadonlyArray<ChatMessage> => {
  const role = ROLES.get(message["role"])
  if (role === undefined) {
    unsaid.add(`messages of role ${wordOf(message["role"])}`)
    return []
  }
  for (const name in message) {
    if (!KNOWN.has(name) && message[name] !== null) unsaid.add(`messages[].${name}`)
  }
  const { content } = message
  if (typeof content === "string") return [{ role, content }]
  if (!Array.isArray(content)) return []
  const parts = content.flatMap((part) => {
    const found = partOf(part)
    if (found !== undefined) return [found]
    unsaid.add(`parts of type ${isObject(part) ? wordOf(part["type"]) : "unknown"}`)
    return []
  })
  return parts.length === 0 ? [] : [{ role, content: contentOf(parts) }]
}

const partOf = (part: unknown): Part | undefined => {
  if (!isObject(part)) return undefined
  const { file, image_url: image, input_audio: audio, text, type } = part
  switch (type) {
    case "text":
      return typeof text === "string" ? { type: "text", text } : undefined
    case "image_url":
      return isObject(image) && typeof image["url"] === "string" ? partOfUrl(image["url"]) : undefined
    case "input_audio": {
      if (!isObject(audio)) return undefined
      const { data, format } = audio
      if (typeof data !== "string" || typeof format !== "string") return undefined
      return { type: "data", mimeType: format === "mp3" ? "audio/mpeg" : `audio/${format}`, data }
    }
    case "file": {
      if (!isObject(file) || typeof file["file_data"] !== "string") return undefined
      const found = partOfUrl(file["file_data"])
      return found.type === "data" ? found : undefined
    }
    default:
      return undefined
  }
}
