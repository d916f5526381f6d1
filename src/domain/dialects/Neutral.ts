/** Putting provider bodies into the words of `GenAiRequest`. */
import type { ChatMessage, GenAiRequest, Part } from "../genai/GenAiRequest.ts"
import { shown } from "../JsonText.ts"

/** A body as far as no provider owns its words. */
export interface Neutral {
  readonly fields: Pick<GenAiRequest, "messages" | "system" | "temperature" | "maxTokens">
  /** What there are no such words for, by name. */
  readonly unsaid: ReadonlyArray<string>
}

/** A turn of one text is that text: both mean the same, and text is cheaper. */
export const contentOf = (parts: ReadonlyArray<Part>): ChatMessage["content"] =>
  parts.length === 1 && parts[0]?.type === "text" ? parts[0].text : parts

/** What should be a word, as a message shows it; it may be anything. */
export const wordOf = (value: unknown): string => (typeof value === "string" ? value : shown(value))

export const finite = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value)

export const positiveInt = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0

/** The neutral request's parameters, those that are there. */
export const parameters = (
  temperature: unknown,
  maxTokens: unknown
): Pick<GenAiRequest, "temperature" | "maxTokens"> => ({
  ...(finite(temperature) ? { temperature } : {}),
  ...(positiveInt(maxTokens) ? { maxTokens } : {})
})

const DATA_URL = /^data:([^;,]+)(?:;[^,]*)?;base64,/i

/** A file by its URL, which may hold the file itself (RFC 2397). */
export const partOfUrl = (url: string): Part => {
  const found = DATA_URL.exec(url.slice(0, 256))
  if (found === null) return { type: "uri", uri: url }
  return { type: "data", mimeType: found[1]!.toLowerCase(), data: url.slice(found[0].length) }
}
