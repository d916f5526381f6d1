/** Answers in the words of Gemini's `generateContent`, whole and streamed. */
import { isObject } from "effect/Predicate"
import type { GenAiResponse, Usage } from "../genai/GenAiResponse.ts"
import type { EventDialect } from "./EventDecoder.ts"
import * as GoogleErrors from "./GoogleErrors.ts"
import * as Json from "./Json.ts"
import { reported } from "./TokenCounts.ts"

/**
 * The answer in a document, or what is wrong with it. A list of documents is a streamed answer in one piece.
 *
 * A blocked prompt or answer is an answer too: without text, and with the block reason as its finish reason.
 */
export const readAnswer = (document: unknown): GenAiResponse | string => {
  if (document === undefined) return "the answer is not JSON, or not whole"
  if (!Array.isArray(document)) {
    const { text, finishReason, model, usage } = readPiece(document)
    return text === undefined && finishReason === undefined
      ? NO_CONTENT
      : { text: text ?? "", finishReason, model, usage }
  }
  const pieces = document.map(readPiece)
  if (!pieces.some(({ text, finishReason }) => text !== undefined || finishReason !== undefined)) {
    return NO_CONTENT
  }
  const last = <K extends keyof Piece>(name: K) => pieces.findLast((piece) => piece[name] !== undefined)?.[name]
  return {
    text: pieces.map(({ text }) => text ?? "").join(""),
    finishReason: last("finishReason"),
    model: last("model"),
    usage: last("usage")
  }
}

const NO_CONTENT = "the answer is JSON but holds no generated content (candidates[0] is missing or empty)"

/** Each event is a whole document with the next piece of the text; usage comes with every one of them. */
export const events: EventDialect = {
  complaintIn: (document) => (GoogleErrors.isError(document) ? (GoogleErrors.read(document) ?? {}) : undefined),
  read: (document, _name, progress) => {
    const { text, finishReason, model, usage } = readPiece(document)
    progress.model ??= model
    progress.report(usage)
    progress.text(text)
    progress.finishReason ??= finishReason
  },
  raw: { family: "gemini", isOpening: (document) => isOpening(document) }
}

/** A document whose candidate has nothing but empty texts, and no reason to stop. */
const isOpening = (document: unknown): boolean => {
  if (readPiece(document).finishReason !== undefined) return false
  const parts = Json.field(Json.field(Json.first(Json.field(document, "candidates")), "content"), "parts")
  return !Array.isArray(parts) || parts.every(isEmptyPart)
}

const isEmptyPart = (part: unknown): boolean =>
  isObject(part) &&
  Object.entries(part).every(([name, value]) => name === "thought" || (name === "text" && value === ""))

interface Piece {
  /** `undefined` when there is no content; empty when it has no text. */
  readonly text: string | undefined
  readonly finishReason: string | undefined
  readonly model: string | undefined
  readonly usage: Usage | undefined
}

const readPiece = (document: unknown): Piece => {
  const candidate = Json.first(Json.field(document, "candidates"))
  return {
    text: textOf(Json.field(candidate, "content")),
    finishReason:
      Json.text(Json.field(candidate, "finishReason")) ??
      Json.text(Json.field(Json.field(document, "promptFeedback"), "blockReason")),
    model: Json.text(Json.field(document, "modelVersion")),
    usage: usageOf(Json.field(document, "usageMetadata"))
  }
}

/** The text parts, joined; summaries of the model's thoughts are no part of the answer. */
const textOf = (content: unknown): string | undefined => {
  if (!isObject(content)) return undefined
  const parts = Json.field(content, "parts")
  if (!Array.isArray(parts)) return ""
  return parts.map((part) => (Json.field(part, "thought") === true ? "" : textIn(part))).join("")
}

const textIn = (part: unknown): string => Json.text(Json.field(part, "text")) ?? ""

/** Thoughts are written and paid for like answers; what tools gave is read and paid for like the prompt. */
const usageOf = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const inputTokens = sum(countIn(usage, "promptTokenCount"), countIn(usage, "toolUsePromptTokenCount"))
  const cachedInputTokens = countIn(usage, "cachedContentTokenCount")
  const outputTokens = sum(countIn(usage, "candidatesTokenCount"), countIn(usage, "thoughtsTokenCount"))
  const totalTokens = countIn(usage, "totalTokenCount")
  return reported({ inputTokens, cachedInputTokens, outputTokens, totalTokens })
}

const countIn = (usage: object, name: string): number | undefined => Json.count(Json.field(usage, name))

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0)
