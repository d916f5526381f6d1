/**
 * No dialect at all: the request's own JSON goes to the endpoint's URL as it is, and the body that comes back is the
 * answer.
 */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import * as Body from "./Body.ts"
import * as ErrorBody from "./ErrorBody.ts"
import * as Failures from "./Failures.ts"
import { bearer, makeHeaders } from "./Headers.ts"
import * as Json from "./Json.ts"
import type { MakeProvider } from "./Provider.ts"
import type { StreamItem } from "./StreamDecoder.ts"

/**
 * Requests go to the base URL itself, path and query included.
 *
 * A request with a `body` sends just that. One without sends `{...parameters, model?, system?, messages, temperature?,
 * max_tokens?}`: the fields of an input row. A credential goes out as `authorization: Bearer`; where something else is
 * wanted, give the endpoint that header. `extra` is for requests without a `body`. How an answer is asked for is in the
 * body, so that a streamed one is asked for like any other, and its pieces are those that come. Any text with a success status is an answer, and only nothing at all is none.
 */
export const make: MakeProvider = (target) => {
  const { origin, pathname, search } = target.baseUrl
  const path = `${pathname}${search}`
  const headersFor = makeHeaders(target, bearer)
  const failures = Failures.make(target)
  const defaults = target.model === undefined ? target.parameters : { ...target.parameters, model: target.model }

  return {
    encode: (request, credential) => {
      const body =
        request.body === undefined
          ? Body.writeWith({ ...defaults, ...fieldsOf(request) }, request.extra, [])
          : Body.write(request.body)
      if (Result.isFailure(body)) return Result.fail(body.failure)
      return Result.succeed({ method: "POST", origin, path, headers: headersFor(credential), body: body.success })
    },

    decode: (response, credential, nowMs) => {
      if (response.status < 200 || response.status >= 300) {
        const complaint = ErrorBody.read(Json.parse(response.body))
        return Result.fail(failures.answered(response, complaint, credential, nowMs))
      }
      if (!/\S/.test(response.body)) return Result.fail(failures.invalidAnswer(response, EMPTY, credential))
      return Result.succeed({ text: response.body, finishReason: undefined, model: undefined, usage: undefined })
    },

    stream: (credential) => {
      const decoder = new TextDecoder()
      let isEmpty = true
      const take = (text: string): ReadonlyArray<StreamItem> => {
        if (isEmpty && /\S/.test(text)) isEmpty = false
        return text === "" ? [] : [{ _tag: "TextDelta", text }]
      }
      return {
        push: (chunk) => take(decoder.decode(chunk, { stream: true })),
        end: () => {
          const rest = take(decoder.decode())
          if (!isEmpty) return [...rest, { _tag: "Finish", finishReason: undefined, model: undefined }]
          const failure = failures.invalidAnswer({ status: 200, headers: {}, body: "" }, EMPTY, credential)
          return [...rest, { _tag: "StreamFailed", failure }]
        }
      }
    }
  }
}

const EMPTY = "the answer is empty"

const fieldsOf = (request: GenAiRequest) => ({
  ...(request.model === undefined ? {} : { model: request.model }),
  ...(request.system === undefined ? {} : { system: request.system }),
  messages: request.messages,
  ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
  ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens })
})
