/** The conversation of a request in the words of Anthropic's messages API. */
import * as Result from "effect/Result"
import { type GenAiRequest, type Part, textOfContent } from "../genai/GenAiRequest.ts"
import * as Failures from "./Failures.ts"
import type { ProviderFailure } from "./Provider.ts"

/** The members of the body that hold the conversation. */
export interface Conversation {
  readonly system?: string
  readonly messages: ReadonlyArray<unknown>
}

/**
 * The conversation: system prompts apart, wherever they stand, joined by empty lines. Fails when nothing else is left, and
 * for files that the API has no way to take.
 */
export const conversationOf = (request: GenAiRequest): Result.Result<Conversation, ProviderFailure> => {
  const turns = request.messages.filter(({ role }) => role !== "system")
  if (turns.length === 0) {
    return Result.fail(Failures.invalidRequest("the request has no messages besides the system prompt"))
  }
  const problem = request.messages.map(problemOf).find((found) => found !== undefined)
  if (problem !== undefined) return Result.fail(Failures.invalidRequest(problem))
  const system = [
    ...(request.system === undefined ? [] : [request.system]),
    ...request.messages.flatMap(({ role, content }) => (role === "system" ? [textOfContent(content)] : []))
  ].join("\n\n")
  const messages = turns.map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content : content.map(wordsOf)
  }))
  // The API refuses empty texts.
  return Result.succeed(system === "" ? { messages } : { system, messages })
}

const problemOf = ({ role, content }: GenAiRequest["messages"][number]): string | undefined => {
  if (typeof content === "string") return undefined
  if (role === "system" && content.some(({ type }) => type !== "text")) return "a system prompt can hold only text"
  return content
    .map((part) => (part.type === "text" ? undefined : part.mimeType))
    .filter((mimeType) => mimeType !== undefined && !isImage(mimeType) && !isDocument(mimeType))
    .map(
      (mimeType) => `a file of type ${mimeType} cannot be sent to this kind of endpoint, only images and PDF files`
    )[0]
}

const wordsOf = (part: Part): unknown => {
  if (part.type === "text") return part
  const type = part.mimeType !== undefined && isDocument(part.mimeType) ? "document" : "image"
  if (part.type === "uri") return { type, source: { type: "url", url: part.uri } }
  return { type, source: { type: "base64", media_type: part.mimeType, data: part.data } }
}

const isImage = (mimeType: string): boolean => mimeType.startsWith("image/")

const isDocument = (mimeType: string): boolean => mimeType === "application/pdf"
