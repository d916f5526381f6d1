/**
 * The dialect of OpenAI's chat completions, which most servers speak: OpenAI, vLLM, Ollama, LM Studio, OpenRouter, Groq,
 * Together and others.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import * as Body from "./Body.ts"
import * as ErrorBody from "./ErrorBody.ts"
import * as EventDecoder from "./EventDecoder.ts"
import * as Failures from "./Failures.ts"
import { type Authenticate, bearer, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import { events, readAnswer } from "./OpenAiAnswer.ts"
import { messagesOf } from "./OpenAiMessages.ts"
import type { EncodeMode, MakeProvider, Provider, ProviderFailure, ProviderTarget } from "./Provider.ts"

/**
 * Requests go to `{baseUrl}/chat/completions`; a query of the base URL is kept.
 *
 * The endpoint's `parameters` may hold anything of the API but `messages` and `stream`, which are left out. The longest
 * answer goes out as `max_tokens`, or as `max_completion_tokens` when the parameters have that name. Streamed answers are
 * asked for with `stream_options: {include_usage: true}`, or with the parameters' own `stream_options`: `null` for servers
 * that do not know it.
 */
export const make: MakeProvider = (target) => makeWith(target, { authenticate: bearer, needsModel: true })

/** What differs between those who speak this dialect. */
export interface Variant {
  readonly authenticate: Authenticate
  /** Whether a request without a model is a mistake. */
  readonly needsModel: boolean
}

export const makeWith = (target: ProviderTarget, { authenticate, needsModel }: Variant): Provider => {
  const { origin, pathname, search } = target.baseUrl
  const path = `${pathname.replace(/\/+$/, "")}/chat/completions${search}`
  const headersFor = makeHeaders(target, authenticate)
  const failures = Failures.make(target)
  const { messages: _messages, stream: _stream, stream_options: own, model, ...parameters } = target.parameters
  const defaultModel = target.model ?? (typeof model === "string" ? model : undefined)
  const streamOptions = own === undefined ? { include_usage: true } : own
  const streaming = streamOptions === null ? { stream: true } : { stream: true, stream_options: streamOptions }
  const beginnings = {
    answer: makeBeginning(parameters, defaultModel, ""),
    stream: makeBeginning(parameters, defaultModel, membersJson(streaming))
  }

  /** A body that somebody wrote for this API; whether it is streamed is not its to say. */
  const nativeBody = (body: Body.Members, model: string | undefined, mode: EncodeMode): Body.Members => {
    const isStreamed = mode === "stream"
    const asked = "stream_options" in body ? body["stream_options"] : (streamOptions ?? undefined)
    return {
      ...body,
      model: defaultModel ?? body["model"] ?? model,
      // JSON leaves out what is undefined, which costs less than to copy all but that.
      stream: isStreamed ? true : undefined,
      stream_options: isStreamed ? asked : undefined
    }
  }

  const bodyFor = (request: GenAiRequest, mode: EncodeMode): Result.Result<string, ProviderFailure> => {
    const { native, extra, model } = request
    if (native?.family === "openai") return Body.writeWith(nativeBody(native.body, model, mode), extra, ["stream"])
    const messages = messagesOf(request)
    if (Result.isFailure(messages)) return Result.fail(messages.failure)
    if (needsModel && request.model === undefined && defaultModel === undefined) {
      return Result.fail(Failures.invalidRequest("no model: name one in the request or in the endpoint's `model`"))
    }
    const json = `${beginnings[mode](request)}${JSON.stringify(messages.success)}}`
    return extra === undefined ? Result.succeed(json) : Body.extend(json, extra, ["stream"])
  }

  const decode: Provider["decode"] = (response, credential, nowMs) => {
    const document = Json.parse(response.body)
    if (response.status < 200 || response.status >= 300 || ErrorBody.isError(document)) {
      return Result.fail(failures.answered(response, ErrorBody.read(document), credential, nowMs))
    }
    const answer = readAnswer(document)
    if (typeof answer !== "string") return Result.succeed(answer)
    return Result.fail(failures.invalidAnswer(response, answer, credential))
  }

  return {
    encode: (request, credential, mode) => {
      const body = bodyFor(request, mode)
      if (Result.isFailure(body)) return Result.fail(body.failure)
      return Result.succeed({ method: "POST", origin, path, headers: headersFor(credential), body: body.success })
    },
    decode,
    stream: EventDecoder.make({ dialect: events, failures, decode })
  }
}

/**
 * Everything before the messages, as JSON, with `last` as the last members. It is one of few texts per model, so each is
 * made once: with or without the default temperature and length, which a request may replace.
 */
const makeBeginning = (
  parameters: Readonly<Record<string, unknown>>,
  defaultModel: string | undefined,
  last: string
) => {
  const lengthName = "max_completion_tokens" in parameters ? "max_completion_tokens" : "max_tokens"
  const { temperature: _temperature, ...noTemperature } = parameters
  const { [lengthName]: _length, ...noLength } = parameters
  const { [lengthName]: _length2, ...neither } = noTemperature
  const end = `${last}"messages":`
  const all = membersJson(parameters) + end
  const withoutTemperature = membersJson(noTemperature)
  const withoutLength = membersJson(noLength)
  const withoutEither = membersJson(neither)
  const defaultStart = startFor(defaultModel)
  const usual = defaultStart + all

  return ({ model, temperature, maxTokens }: GenAiRequest): string => {
    const isDefault = model === undefined || model === defaultModel
    const start = isDefault ? defaultStart : startFor(model)
    if (temperature === undefined && maxTokens === undefined) return isDefault ? usual : start + all
    if (maxTokens === undefined) return `${start}${withoutTemperature}"temperature":${temperature},${end}`
    if (temperature === undefined) return `${start}${withoutLength}"${lengthName}":${maxTokens},${end}`
    return `${start}${withoutEither}"temperature":${temperature},"${lengthName}":${maxTokens},${end}`
  }
}

const startFor = (model: string | undefined): string =>
  model === undefined ? "{" : `{"model":${JSON.stringify(model)},`

/** The members of an object as JSON, each followed by a comma. */
const membersJson = (record: Readonly<Record<string, unknown>>): string => {
  const json = JSON.stringify(record)
  return json === "{}" ? "" : `${json.slice(1, -1)},`
}
