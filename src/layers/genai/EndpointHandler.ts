/** One endpoint as a worker of the dispatcher: encode, send, decode. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import * as Json from "../../domain/providers/Json.ts"
import type { Credential } from "../../domain/providers/Provider.ts"
import type { WireResponse } from "../../domain/providers/Wire.ts"
import type { Handler } from "../../services/Dispatcher.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"
import type { Endpoint, Send } from "./Endpoint.ts"

export const makeEndpointHandler = (endpoint: Endpoint): Handler<Call, GenAiAnswer, AttemptFailed | NotSent> => {
  const { provider, transport } = endpoint

  const decode = (call: Call, send: Send, response: WireResponse): Effect.Effect<GenAiAnswer, AttemptFailed> => {
    const now = endpoint.now()
    const decoded = provider.decode(response, send.credential, now)
    if (Result.isFailure(decoded)) return Effect.fail(endpoint.failed(call, send, decoded.failure))
    endpoint.succeeded(send, decoded.success.usage, response.headers, decoded.success)
    return Effect.succeed({
      ...decoded.success,
      ...rawOf(call, response),
      endpoint: endpoint.name,
      attempts: call.attempts,
      latencyMs: now - call.startedAt
    })
  }

  const attempt = (call: Call, credential: Credential): Effect.Effect<GenAiAnswer, AttemptFailed | NotSent> => {
    const begun = endpoint.begin(call, credential, "answer")
    if (Result.isFailure(begun)) return Effect.fail(begun.failure)
    const send = begun.success
    return Effect.onExitPrimitive(
      Effect.matchEffect(transport.send(send.wire), {
        onFailure: (error) => Effect.fail(endpoint.broken(call, send, error)),
        onSuccess: (response) => decode(call, send, response)
      }),
      // Interrupted or died: a failure has been counted already.
      (exit) =>
        exit._tag === "Success" || exit.cause.reasons.some((reason) => reason._tag === "Fail")
          ? undefined
          : Effect.sync(() => endpoint.aborted(send))
    )
  }

  return (call) => endpoint.withCredential(call, (credential) => attempt(call, credential))
}

/** What the caller wants of the provider's own words. */
const rawOf = ({ request: { keepRaw } }: Call, { body }: WireResponse): Pick<GenAiAnswer, "raw" | "rawText"> => {
  // Whoever passes it on as it is pays for no other reading, and no writing, of it (`benchmarks/server.ts`).
  if (keepRaw === "text") return { rawText: Json.withoutMark(body) }
  // Read once more, since it is seldom wanted and costly to carry along.
  return keepRaw === true ? { raw: Json.parse(body) } : NOTHING
}

const NOTHING = {}
