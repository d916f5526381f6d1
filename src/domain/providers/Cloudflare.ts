/**
 * The dialect of Cloudflare's Workers AI, models that generate text.
 *
 * @see https://developers.cloudflare.com/workers-ai/get-started/rest-api/
 */
import * as Result from "effect/Result"
import * as Body from "./Body.ts"
import { complaintOf, events, isError, readAnswer } from "./CloudflareAnswer.ts"
import * as EventDecoder from "./EventDecoder.ts"
import * as Failures from "./Failures.ts"
import { bearer, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import { modelPath } from "./ModelPath.ts"
import { messagesOf } from "./OpenAiMessages.ts"
import type { MakeProvider, Provider } from "./Provider.ts"

/**
 * Requests go to `{baseUrl}/run/{model}`, the model as it is, such as `@cf/meta/llama-3.1-8b-instruct`; a query of the base
 * URL is kept.
 *
 * The endpoint's `parameters` may hold anything of the API but `messages`, `prompt` and `stream`, which are left out. Turns
 * are sent as `messages`, with files as OpenAI's API has them.
 */
export const make: MakeProvider = (target) => {
  const { origin, pathname, search } = target.baseUrl
  const headersFor = makeHeaders(target, bearer)
  const failures = Failures.make(target)
  const { model, ...parameters } = Body.without(target.parameters, ["messages", "prompt", "stream"])
  const defaultModel = target.model ?? Json.text(model)
  const base = `${pathname.replace(/\/+$/, "")}/run/`

  const decode: Provider["decode"] = (response, credential, nowMs) => {
    const document = Json.parse(response.body)
    if (response.status < 200 || response.status >= 300 || isError(document)) {
      return Result.fail(failures.answered(response, complaintOf(document), credential, nowMs))
    }
    const answer = readAnswer(document)
    if (typeof answer !== "string") return Result.succeed(answer)
    return Result.fail(failures.invalidAnswer(response, answer, credential))
  }

  return {
    encode: (request, credential, mode) => {
      const model = request.model ?? defaultModel
      if (model === undefined) {
        return Result.fail(Failures.invalidRequest("no model: name one in the request or in the endpoint's `model`"))
      }
      const messages = messagesOf(request)
      if (Result.isFailure(messages)) return Result.fail(messages.failure)
      const members: Record<string, unknown> = { ...parameters }
      if (request.temperature !== undefined) members["temperature"] = request.temperature
      if (request.maxTokens !== undefined) members["max_tokens"] = request.maxTokens
      if (mode === "stream") members["stream"] = true
      members["messages"] = messages.success
      const body = Body.writeWith(members, request.extra, ["stream"])
      if (Result.isFailure(body)) return Result.fail(body.failure)
      return Result.succeed({
        method: "POST",
        origin,
        path: base + placeOf(model) + search,
        headers: headersFor(credential),
        body: body.success
      })
    },
    decode,
    stream: EventDecoder.make({ dialect: events, failures, decode })
  }
}

/** A model's name as part of a path: its slashes and its `@` stay. */
const placeOf = (model: string): string => modelPath(model).replaceAll("%40", "@")
