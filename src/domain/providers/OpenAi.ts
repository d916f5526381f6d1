/**
 * The dialect of OpenAI's chat completions, which most servers speak: OpenAI, vLLM, Ollama, LM Studio, OpenRouter, Groq,
 * Together and others.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 */
import { isObject } from "effect/Predicate"
import * as Result from "effect/Result"
import type { ChatMessage, GenAiRequest } from "../genai/GenAiRequest.ts"
import type { GenAiResponse, Usage } from "../genai/GenAiResponse.ts"
import * as ErrorBody from "./ErrorBody.ts"
import * as Failures from "./Failures.ts"
import { bearer, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import type { MakeProvider } from "./Provider.ts"

/**
 * Requests go to `{baseUrl}/chat/completions`; a query of the base URL is kept.
 *
 * The endpoint's `parameters` may hold anything of the API but `messages`, `stream` and `stream_options`, which are
 * left out. The longest answer goes out as `max_tokens`, or as `max_completion_tokens` when the parameters have that name.
 */
export const make: MakeProvider = (target) => {
  const { origin, pathname, search } = target.baseUrl
  const path = `${pathname.replace(/\/+$/, "")}/chat/completions${search}`
  const headersFor = makeHeaders(target, bearer)
  const failures = Failures.make(target)
  const { messages: _messages, stream: _stream, stream_options: _options, model, ...parameters } = target.parameters
  const defaultModel = target.model ?? (typeof model === "string" ? model : undefined)
  const prefixFor = makePrefix(parameters, defaultModel)

  return {
    encode: (request, credential) => {
      if (request.messages.length === 0) {
        return Result.fail(Failures.invalidRequest("the request has no messages (`body` is for endpoints of kind raw)"))
      }
      if (request.model === undefined && defaultModel === undefined) {
        return Result.fail(Failures.invalidRequest("no model: name one in the request or in the endpoint's `model`"))
      }
      const body = `${prefixFor(request)}"messages":${messagesJson(request)}}`
      return Result.succeed({ method: "POST", origin, path, headers: headersFor(credential), body })
    },

    decode: (response, credential, nowMs) => {
      const document = Json.parse(response.body)
      if (response.status < 200 || response.status >= 300 || ErrorBody.isError(document)) {
        return Result.fail(failures.answered(response, ErrorBody.read(document), credential, nowMs))
      }
      const answer = readAnswer(document)
      if (typeof answer !== "string") return Result.succeed(answer)
      return Result.fail(failures.invalidAnswer(response, answer, credential))
    }
  }
}

/**
 * Everything before the messages, as JSON. It is one of few texts per model, so each is made once: with or without the
 * default temperature and length, which a request may replace.
 */
const makePrefix = (parameters: Readonly<Record<string, unknown>>, defaultModel: string | undefined) => {
  const lengthName = "max_completion_tokens" in parameters ? "max_completion_tokens" : "max_tokens"
  const { temperature: _temperature, ...noTemperature } = parameters
  const { [lengthName]: _length, ...noLength } = parameters
  const { [lengthName]: _length2, ...neither } = noTemperature
  const all = membersJson(parameters)
  const withoutTemperature = membersJson(noTemperature)
  const withoutLength = membersJson(noLength)
  const withoutEither = membersJson(neither)
  const defaultModelJson = JSON.stringify(defaultModel)

  return ({ model, temperature, maxTokens }: GenAiRequest): string => {
    const modelJson = model === undefined || model === defaultModel ? defaultModelJson : JSON.stringify(model)
    const start = `{"model":${modelJson},`
    if (temperature === undefined && maxTokens === undefined) return start + all
    if (maxTokens === undefined) return `${start}${withoutTemperature}"temperature":${temperature},`
    if (temperature === undefined) return `${start}${withoutLength}"${lengthName}":${maxTokens},`
    return `${start}${withoutEither}"temperature":${temperature},"${lengthName}":${maxTokens},`
  }
}

/** The members of an object as JSON, each followed by a comma. */
const membersJson = (record: Readonly<Record<string, unknown>>): string => {
  const json = JSON.stringify(record)
  return json === "{}" ? "" : `${json.slice(1, -1)},`
}

const messagesJson = ({ system, messages }: GenAiRequest): string => {
  if (system === undefined) return JSON.stringify(messages)
  const first: ChatMessage = { role: "system", content: system }
  return JSON.stringify([first, ...messages])
}

/** The answer in a completion, or what is wrong with it. */
const readAnswer = (document: unknown): GenAiResponse | string => {
  if (document === undefined) return "the answer is not JSON, or not whole"
  const choice = Json.first(Json.field(document, "choices"))
  const message = Json.field(choice, "message")
  if (!isObject(message)) return "the answer is JSON but no chat completion (choices[0].message is missing)"
  return {
    text: textOf(Json.field(message, "content")),
    finishReason: Json.text(Json.field(choice, "finish_reason")),
    model: Json.text(Json.field(document, "model")),
    usage: usageOf(Json.field(document, "usage"))
  }
}

/** A content is text, a list of parts with text in them, or null for refusals and tool calls. */
const textOf = (content: unknown): string => {
  if (Array.isArray(content)) return content.map((part) => Json.text(Json.field(part, "text")) ?? "").join("")
  return Json.text(content) ?? ""
}

const usageOf = (usage: unknown): Usage | undefined => {
  if (!isObject(usage)) return undefined
  const inputTokens = Json.count(Json.field(usage, "prompt_tokens"))
  const outputTokens = Json.count(Json.field(usage, "completion_tokens"))
  const totalTokens = Json.count(Json.field(usage, "total_tokens"))
  return {
    ...(inputTokens === undefined ? {} : { inputTokens }),
    ...(outputTokens === undefined ? {} : { outputTokens }),
    ...(totalTokens === undefined ? {} : { totalTokens })
  }
}
