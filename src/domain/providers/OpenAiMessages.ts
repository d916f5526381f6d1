/** The messages of a request in the words of OpenAI's chat completions. */
import * as Result from "effect/Result"
import type { ChatMessage, GenAiRequest, Part } from "../genai/GenAiRequest.ts"
import * as Failures from "./Failures.ts"
import type { ProviderFailure } from "./Provider.ts"

/** The `messages`, the system prompt first. Fails without any, and for files that the API has no way to take. */
export const messagesOf = ({
  system,
  messages
}: GenAiRequest): Result.Result<ReadonlyArray<unknown>, ProviderFailure> => {
  if (messages.length === 0) {
    return Result.fail(Failures.invalidRequest("the request has no messages (`body` is for endpoints of kind raw)"))
  }
  const all: ReadonlyArray<ChatMessage> =
    system === undefined ? messages : [{ role: "system", content: system }, ...messages]
  if (all.every(({ content }) => typeof content === "string")) return Result.succeed(all)
  const problem = all
    .flatMap(({ content }) => (typeof content === "string" ? [] : content))
    .map(problemOf)
    .find((found) => found !== undefined)
  if (problem !== undefined) return Result.fail(Failures.invalidRequest(problem))
  const worded = all.map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content : content.map(wordsOf)
  }))
  return Result.succeed(worded)
}

const problemOf = (part: Part): string | undefined => {
  if (part.type === "uri" && part.mimeType !== undefined && !isImage(part.mimeType)) {
    return `a file of type ${part.mimeType} cannot be sent by its URI to this kind of endpoint, only images: send its data`
  }
  if (part.type === "data" && part.mimeType.startsWith("audio/") && audioFormatOf(part.mimeType) === undefined) {
    return `audio of type ${part.mimeType} cannot be sent to this kind of endpoint, only audio/wav and audio/mpeg`
  }
  return undefined
}

const wordsOf = (part: Part): unknown => {
  if (part.type === "text") return part
  if (part.type === "uri") return { type: "image_url", image_url: { url: part.uri } }
  const url = `data:${part.mimeType};base64,${part.data}`
  if (isImage(part.mimeType)) return { type: "image_url", image_url: { url } }
  const format = audioFormatOf(part.mimeType)
  if (format !== undefined) return { type: "input_audio", input_audio: { data: part.data, format } }
  // The API wants a name for every file; ours have none.
  return { type: "file", file: { filename: "file", file_data: url } }
}

const isImage = (mimeType: string): boolean => mimeType.startsWith("image/")

const audioFormatOf = (mimeType: string): string | undefined => AUDIO_FORMATS.get(mimeType)

const AUDIO_FORMATS = new Map([
  ["audio/wav", "wav"],
  ["audio/x-wav", "wav"],
  ["audio/mpeg", "mp3"],
  ["audio/mp3", "mp3"]
])
