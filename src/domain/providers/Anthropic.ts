/**
 * The dialect of Anthropic's messages API.
 *
 * @see https://docs.anthropic.com/en/api/messages
 */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import { complaintOf, events, readAnswer } from "./AnthropicAnswer.ts"
import { conversationOf } from "./AnthropicMessages.ts"
import * as Body from "./Body.ts"
import * as ErrorBody from "./ErrorBody.ts"
import * as EventDecoder from "./EventDecoder.ts"
import * as Failures from "./Failures.ts"
import { type Authenticate, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import type { MakeProvider, Provider, ProviderFailure } from "./Provider.ts"

/** The longest answer in tokens where neither the request nor the endpoint says one: the API wants it said. */
export const DEFAULT_MAX_TOKENS = 4096

/** The version of the API that this dialect speaks; an `anthropic-version` among the endpoint's headers wins. */
export const VERSION = "2023-06-01"

/**
 * Requests go to `{baseUrl}/v1/messages`; a query of the base URL is kept.
 *
 * The endpoint's `parameters` may hold anything of the API but `messages` and `stream`, which are left out. The longest
 * answer is the request's, else the parameters' `max_tokens`, else `DEFAULT_MAX_TOKENS`. A body that somebody wrote for this
 * API goes as it is, without the parameters.
 */
export const make: MakeProvider = (target) => {
  const { origin, pathname, search } = target.baseUrl
  const path = `${pathname.replace(/\/+$/, "")}/v1/messages${search}`
  const headersFor = makeHeaders(target, apiKey, [["anthropic-version", VERSION]])
  const failures = Failures.make(target)
  const { model, ...parameters } = Body.without(target.parameters, ["messages", "stream"])
  const defaultModel = target.model ?? Json.text(model)
  const defaults = { max_tokens: DEFAULT_MAX_TOKENS, ...parameters }

  const decode: Provider["decode"] = (response, credential, nowMs) => {
    const document = Json.parse(response.body)
    if (response.status < 200 || response.status >= 300 || ErrorBody.isError(document)) {
      return Result.fail(failures.answered(response, complaintOf(document), credential, nowMs))
    }
    const answer = readAnswer(document)
    if (typeof answer !== "string") return Result.succeed(answer)
    return Result.fail(failures.invalidAnswer(response, answer, credential))
  }

  const membersFor = (request: GenAiRequest): Result.Result<Body.Members, ProviderFailure> => {
    const { native } = request
    if (native?.family === "anthropic") {
      const model = defaultModel ?? Json.text(native.body["model"]) ?? request.model
      return model === undefined ? noModel : Result.succeed({ ...Body.without(native.body, ["stream"]), model })
    }
    const conversation = conversationOf(request)
    if (Result.isFailure(conversation)) return Result.fail(conversation.failure)
    const model = request.model ?? defaultModel
    if (model === undefined) return noModel
    const members: Record<string, unknown> = { model, ...defaults }
    if (request.temperature !== undefined) members["temperature"] = request.temperature
    if (request.maxTokens !== undefined) members["max_tokens"] = request.maxTokens
    const { system, messages } = conversation.success
    if (system !== undefined) members["system"] = system
    members["messages"] = messages
    return Result.succeed(members)
  }

  return {
    encode: (request, credential, mode) => {
      const members = membersFor(request)
      if (Result.isFailure(members)) return Result.fail(members.failure)
      const all = mode === "stream" ? { ...members.success, stream: true } : members.success
      const body = Body.writeWith(all, request.extra, ["stream"])
      if (Result.isFailure(body)) return Result.fail(body.failure)
      return Result.succeed({ method: "POST", origin, path, headers: headersFor(credential), body: body.success })
    },
    decode,
    stream: EventDecoder.make({ dialect: events, failures, decode })
  }
}

const noModel = Result.fail(Failures.invalidRequest("no model: name one in the request or in the endpoint's `model`"))

const apiKey: Authenticate = (credential) => ["x-api-key", credential]
