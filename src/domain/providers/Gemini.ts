/**
 * The dialect of the Gemini API's `generateContent`, which Vertex AI speaks too.
 *
 * @see https://ai.google.dev/api/generate-content
 */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import * as EventDecoder from "./EventDecoder.ts"
import * as Failures from "./Failures.ts"
import { events, readAnswer } from "./GeminiAnswer.ts"
import { makeEncodeBody } from "./GeminiRequest.ts"
import * as GoogleErrors from "./GoogleErrors.ts"
import { type Authenticate, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import { modelPath } from "./ModelPath.ts"
import type { EncodeMode, MakeProvider, Provider, ProviderTarget } from "./Provider.ts"

const apiKey: Authenticate = (credential) => ["x-goog-api-key", credential]

/**
 * Requests go to `{baseUrl}/models/{model}:generateContent`, streamed ones to `:streamGenerateContent?alt=sse`; a query of
 * the base URL is kept. A model with a slash (`tunedModels/x`) is a path of its own below the base URL.
 *
 * The endpoint's `parameters` are members of `generationConfig`, except for those that belong beside it (`safetySettings`,
 * `tools`, `cachedContent`, ...), which go there.
 */
export const make: MakeProvider = (target) => makeWith(target, apiKey)

/** The same for another way to authenticate. */
export const makeWith = (target: ProviderTarget, authenticate: Authenticate): Provider => {
  const { origin } = target.baseUrl
  const headersFor = makeHeaders(target, authenticate)
  const failures = Failures.make(target)
  const encodeBody = makeEncodeBody(target.parameters)
  const { model } = target.parameters
  const defaultModel = target.model ?? Json.text(model)
  const pathFor = makePath(target.baseUrl, defaultModel)

  const modelFor = ({ model, native }: GenAiRequest): string | undefined =>
    native?.family === "gemini" ? (defaultModel ?? Json.text(native.body["model"]) ?? model) : (model ?? defaultModel)

  const decode: Provider["decode"] = (response, credential, nowMs) => {
    const document = Json.parse(response.body)
    if (response.status < 200 || response.status >= 300 || GoogleErrors.isError(document)) {
      return Result.fail(failures.answered(response, GoogleErrors.read(document, response), credential, nowMs))
    }
    const answer = readAnswer(document)
    if (typeof answer !== "string") return Result.succeed(answer)
    return Result.fail(failures.invalidAnswer(response, answer, credential))
  }

  return {
    encode: (request, credential, mode) => {
      const model = modelFor(request)
      if (model === undefined) {
        return Result.fail(Failures.invalidRequest("no model: name one in the request or in the endpoint's `model`"))
      }
      const body = encodeBody(request)
      if (Result.isFailure(body)) return Result.fail(body.failure)
      return Result.succeed({
        method: "POST",
        origin,
        path: pathFor(model, mode),
        headers: headersFor(credential),
        body: body.success
      })
    },
    decode,
    stream: EventDecoder.make({ dialect: events, failures, decode })
  }
}

/** The paths of the endpoint's own model are made once. */
const makePath = ({ pathname, search }: URL, defaultModel: string | undefined) => {
  const base = pathname.replace(/\/+$/, "")
  const build = (model: string, mode: EncodeMode): string => {
    const place = modelPath(model.includes("/") ? model : `models/${model}`)
    if (mode === "answer") return `${base}/${place}:generateContent${search}`
    return `${base}/${place}:streamGenerateContent${search === "" ? "?" : `${search}&`}alt=sse`
  }
  const known =
    defaultModel === undefined
      ? undefined
      : { answer: build(defaultModel, "answer"), stream: build(defaultModel, "stream") }
  return (model: string, mode: EncodeMode): string =>
    known !== undefined && model === defaultModel ? known[mode] : build(model, mode)
}
