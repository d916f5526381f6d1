/**
 * No dialect at all: the request's own JSON goes to the endpoint's URL as it is, and the body that comes back is the
 * answer.
 */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import * as ErrorBody from "./ErrorBody.ts"
import * as Failures from "./Failures.ts"
import { bearer, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import type { MakeProvider } from "./Provider.ts"

/**
 * Requests go to the base URL itself, path and query included.
 *
 * A request with a `body` sends just that. One without sends `{...parameters, model?, system?, messages, temperature?,
 * max_tokens?}`: the fields of an input row. A credential goes out as `authorization: Bearer`; where something else is
 * wanted, give the endpoint that header. Any text with a success status is an answer, and only nothing at all is none.
 */
export const make: MakeProvider = (target) => {
  const { origin, pathname, search } = target.baseUrl
  const path = `${pathname}${search}`
  const headersFor = makeHeaders(target, bearer)
  const failures = Failures.make(target)
  const defaults = target.model === undefined ? target.parameters : { ...target.parameters, model: target.model }

  return {
    encode: (request, credential) => {
      const body = bodyJson(request.body === undefined ? { ...defaults, ...fieldsOf(request) } : request.body)
      if (body === undefined)
        return Result.fail(Failures.invalidRequest("the request's body cannot be written as JSON"))
      return Result.succeed({ method: "POST", origin, path, headers: headersFor(credential), body })
    },

    decode: (response, credential, nowMs) => {
      if (response.status < 200 || response.status >= 300) {
        const complaint = ErrorBody.read(Json.parse(response.body))
        return Result.fail(failures.answered(response, complaint, credential, nowMs))
      }
      if (!/\S/.test(response.body))
        return Result.fail(failures.invalidAnswer(response, "the answer is empty", credential))
      return Result.succeed({ text: response.body, finishReason: undefined, model: undefined, usage: undefined })
    }
  }
}

const fieldsOf = (request: GenAiRequest) => ({
  ...(request.model === undefined ? {} : { model: request.model }),
  ...(request.system === undefined ? {} : { system: request.system }),
  messages: request.messages,
  ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
  ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens })
})

/** `undefined` for what JSON has no form for: functions, big integers, cycles. */
const bodyJson = (body: unknown): string | undefined => {
  try {
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}
