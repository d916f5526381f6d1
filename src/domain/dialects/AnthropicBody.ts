/** The body of an Anthropic message in neutral words. */
import type { ChatMessage, Part } from "../genai/GenAiRequest.ts"
import { isObject, type JsonObject } from "../JsonText.ts"
import { contentOf, finite, type Neutral, parameters, positiveInt, wordOf } from "./Neutral.ts"

/** Fields that are said otherwise, or that are not the request's to say. */
const ELSEWHERE = new Set(["model", "messages", "stream", "system"])

/** Puts into neutral words what has such words. */
export const neutralOf = (body: JsonObject, written: ReadonlyArray<JsonObject>): Neutral => {
  const unsaid = new Set<string>()
  const messages = written.flatMap((message) => messageOf(message, unsaid))
  const system = systemOf(body["system"], unsaid)
  for (const [name, value] of Object.entries(body)) {
    const said =
      value === null ||
      ELSEWHERE.has(name) ||
      (name === "temperature" && finite(value)) ||
      (name === "max_tokens" && positiveInt(value))
    if (!said) unsaid.add(name)
  }
  // The model goes on with what is put into its mouth; elsewhere it would begin anew.
  if (written.at(-1)?.["role"] === "assistant") unsaid.add("a last message of role assistant")
  return {
    fields: {
      messages,
      ...(system === undefined ? {} : { system }),
      ...parameters(body["temperature"], body["max_tokens"])
    },
    unsaid: [...unsaid]
  }
}

/** A system prompt is text, or blocks of text. */
const systemOf = (system: unknown, unsaid: Set<string>): string | undefined => {
  if (typeof system === "string") return system === "" ? undefined : system
  if (!Array.isArray(system) || system.length === 0) return undefined
  return partsOf(system, unsaid)
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n")
}

const messageOf = ({ content, role }: JsonObject, unsaid: Set<string>): ReadonlyArray<ChatMessage> => {
  if (role !== "user" && role !== "assistant") {
    unsaid.add(`messages of role ${wordOf(role)}`)
    return []
  }
  if (typeof content === "string") return [{ role, content }]
  const parts = partsOf(Array.isArray(content) ? content : [], unsaid)
  return parts.length === 0 ? [] : [{ role, content: contentOf(parts) }]
}

const partsOf = (blocks: ReadonlyArray<unknown>, unsaid: Set<string>): ReadonlyArray<Part> =>
  blocks.flatMap((block) => {
    const found = isObject(block) ? partOf(block) : undefined
    if (found === undefined) unsaid.add(`blocks of type ${isObject(block) ? wordOf(block["type"]) : "unknown"}`)
    else if (isObject(block) && isCited(block["citations"])) unsaid.add("citations")
    return found === undefined ? [] : [found]
  })

const isCited = (citations: unknown): boolean => isObject(citations) && citations["enabled"] === true

const partOf = ({ source, text, type }: JsonObject): Part | undefined => {
  switch (type) {
    case "text":
      return typeof text === "string" ? { type: "text", text } : undefined
    case "image":
      return isObject(source) ? fileOf(source, undefined) : undefined
    case "document":
      return isObject(source) ? fileOf(source, "application/pdf") : undefined
    default:
      return undefined
  }
}

const fileOf = (source: JsonObject, mimeType: string | undefined): Part | undefined => {
  const { data, media_type: mediaType, type, url } = source
  switch (type) {
    case "base64":
      return typeof data === "string" && typeof mediaType === "string"
        ? { type: "data", mimeType: mediaType, data }
        : undefined
    case "url":
      return typeof url === "string"
        ? { type: "uri", uri: url, ...(mimeType === undefined ? {} : { mimeType }) }
        : undefined
    case "text":
      return typeof data === "string" ? { type: "text", text: data } : undefined
    default:
      return undefined
  }
}
