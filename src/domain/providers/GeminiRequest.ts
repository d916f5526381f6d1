/** Requests in the words of Gemini's `generateContent`. */
import { isObject } from "effect/Predicate"
import * as Result from "effect/Result"
import type { ChatMessage, GenAiRequest, Part } from "../genai/GenAiRequest.ts"
import * as Body from "./Body.ts"
import * as Failures from "./Failures.ts"
import type { ProviderFailure } from "./Provider.ts"

/** The body of a request, as JSON. */
export type EncodeBody = (request: GenAiRequest) => Result.Result<string, ProviderFailure>

/** What an endpoint's `parameters` say of each body: members of the body itself, and of its `generationConfig`. */
export const makeEncodeBody = (parameters: Body.Members): EncodeBody => {
  const named = canonical(parameters)
  const { generationConfig, ...own } = pick(named, (name) => MEMBERS.has(name))
  const config = Body.merge(
    pick(named, (name) => !MEMBERS.has(name) && !IGNORED.has(name)),
    isObject(generationConfig) ? generationConfig : {}
  )

  return (request) => {
    if (request.native?.family === "gemini") return nativeBody(request.native.body, request.extra)
    const contents = request.messages.filter(({ role }) => role !== "system").map(contentOf)
    if (contents.length === 0) return Result.fail(Failures.invalidRequest(noContents(request)))
    const system = systemParts(request)
    const generationConfig = configOf(config, request)
    const body = {
      ...own,
      ...(system.length === 0 ? {} : { systemInstruction: { parts: system } }),
      ...(Object.keys(generationConfig).length === 0 ? {} : { generationConfig }),
      contents
    }
    return Body.writeWith(body, request.extra && canonical(request.extra), ["model"])
  }
}

/** A body that somebody wrote for this API. The model goes into the path, not into the body. */
const nativeBody = (body: Body.Members, extra: Body.Members | undefined) => {
  const own = Body.without(body, ["model"])
  return extra === undefined ? Body.write(own) : Body.writeWith(canonical(own), canonical(extra), ["model"])
}

const noContents = ({ messages }: GenAiRequest): string =>
  messages.length === 0
    ? "the request has no messages (`body` is for endpoints of kind raw)"
    : "the request has only system messages: this kind of endpoint wants one of a user"

/** The members of a body besides its contents; everything else that an endpoint's parameters name is generation config. */
const MEMBERS = new Set([
  "cachedContent",
  "generationConfig",
  "labels",
  "modelArmorConfig",
  "safetySettings",
  "serviceTier",
  "store",
  "systemInstruction",
  "toolConfig",
  "tools"
])

/** What is said elsewhere. */
const IGNORED = new Set(["contents", "model"])

/** The API takes each member under two names: the body's own are brought to one, so that no member comes twice. */
const canonical = (members: Body.Members): Body.Members =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [CAMEL_NAMES.get(name) ?? name, value]))

const CAMEL_NAMES = new Map(
  [...MEMBERS].map((name) => [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), name])
)

const pick = (members: Body.Members, wanted: (name: string) => boolean): Body.Members =>
  Object.fromEntries(Object.entries(members).filter(([name]) => wanted(name)))

const configOf = (config: Body.Members, { temperature, maxTokens }: GenAiRequest): Body.Members => {
  if (temperature === undefined && maxTokens === undefined) return config
  const { max_output_tokens: length, ...rest } = config
  return {
    ...rest,
    ...(length === undefined || maxTokens !== undefined ? {} : { maxOutputTokens: length }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens })
  }
}

/** The API has no system turns: all of them together are the system instruction. */
const systemParts = ({ system, messages }: GenAiRequest): ReadonlyArray<unknown> => [
  ...(system === undefined ? [] : [{ text: system }]),
  ...messages.filter(({ role }) => role === "system").flatMap(({ content }) => partsOf(content))
]

const contentOf = ({ role, content }: ChatMessage) => ({
  role: role === "assistant" ? "model" : "user",
  parts: partsOf(content)
})

const partsOf = (content: ChatMessage["content"]): ReadonlyArray<unknown> =>
  typeof content === "string" ? [{ text: content }] : content.map(partOf)

const partOf = (part: Part): unknown => {
  switch (part.type) {
    case "text":
      return { text: part.text }
    case "data":
      return { inlineData: { mimeType: part.mimeType, data: part.data } }
    case "uri":
      return {
        fileData: { ...(part.mimeType === undefined ? {} : { mimeType: part.mimeType }), fileUri: part.uri }
      }
  }
}
