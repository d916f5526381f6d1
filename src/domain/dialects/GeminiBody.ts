/**
 * The body of Gemini's `generateContent` in neutral words.
 *
 * Names may be written in camel case or with underscores, as Google's JSON has it both ways (protobuf's JSON mapping).
 */
import type { ChatMessage, Part } from "../genai/GenAiRequest.ts"
import { isObject, type JsonObject } from "../JsonText.ts"
import { contentOf, finite, type Neutral, parameters, positiveInt, wordOf } from "./Neutral.ts"

/** Puts into neutral words what has such words. */
export const neutralOf = (body: JsonObject, contents: ReadonlyArray<JsonObject>): Neutral => {
  const unsaid = new Set<string>()
  const { generationConfig, systemInstruction, rest } = split(body)
  const system = textsOf(systemInstruction, unsaid)
  const { maxOutputTokens, temperature, ...settings } = isObject(generationConfig) ? camelCased(generationConfig) : {}
  const more = {
    ...rest,
    ...prefixed("generationConfig.", settings),
    ...(finite(temperature) ? {} : { "generationConfig.temperature": temperature }),
    ...(positiveInt(maxOutputTokens) ? {} : { "generationConfig.maxOutputTokens": maxOutputTokens })
  }
  for (const [name, value] of Object.entries(more)) if (value !== undefined && value !== null) unsaid.add(name)
  return {
    fields: {
      messages: contents.flatMap((content) => messageOf(content, unsaid)),
      ...(system === undefined ? {} : { system }),
      ...parameters(temperature, maxOutputTokens)
    },
    unsaid: [...unsaid]
  }
}

const split = (body: JsonObject) => {
  const { contents: _contents, generationConfig, model: _model, systemInstruction, ...rest } = camelCased(body)
  return { generationConfig, systemInstruction, rest }
}

/** The object with its own names in camel case. */
export const camelCased = (value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).map(([name, inner]) => [camelCase(name), inner]))

const camelCase = (name: string): string => name.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())

const prefixed = (prefix: string, value: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(value).map(([name, inner]) => [prefix + name, inner]))

/** A system instruction has parts, of which only texts are used. */
const textsOf = (instruction: unknown, unsaid: Set<string>): string | undefined => {
  if (typeof instruction === "string") return instruction
  if (!isObject(instruction) || !Array.isArray(instruction["parts"])) return undefined
  const parts = partsOf(instruction["parts"], unsaid)
  return parts.length === 0 ? undefined : parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n")
}

/** A turn without a role is the user's. */
const messageOf = (turn: JsonObject, unsaid: Set<string>): ReadonlyArray<ChatMessage> => {
  const { parts } = turn
  const role = turn["role"] ?? "user"
  if (role !== "user" && role !== "model") {
    unsaid.add(`turns of role ${wordOf(role)}`)
    return []
  }
  const found = partsOf(Array.isArray(parts) ? parts : [], unsaid)
  return found.length === 0 ? [] : [{ role: role === "user" ? "user" : "assistant", content: contentOf(found) }]
}

const partsOf = (parts: ReadonlyArray<unknown>, unsaid: Set<string>): ReadonlyArray<Part> =>
  parts.flatMap((part) => {
    const named = isObject(part) ? camelCased(part) : {}
    const found = partOf(named)
    if (found !== undefined) return [found]
    unsaid.add(`parts of ${Object.keys(named).join(", ") || "nothing"}`)
    return []
  })

const partOf = ({ fileData, inlineData, text, thought }: JsonObject): Part | undefined => {
  if (typeof text === "string") return thought === true ? undefined : { type: "text", text }
  if (isObject(inlineData)) {
    const { data, mimeType } = camelCased(inlineData)
    return typeof data === "string" && typeof mimeType === "string" ? { type: "data", mimeType, data } : undefined
  }
  if (!isObject(fileData)) return undefined
  const { fileUri, mimeType } = camelCased(fileData)
  if (typeof fileUri !== "string") return undefined
  return { type: "uri", uri: fileUri, ...(typeof mimeType === "string" ? { mimeType } : {}) }
}
