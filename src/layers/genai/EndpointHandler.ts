/** One endpoint as a worker of the dispatcher: encode, send, decode. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import * as Json from "../../domain/providers/Json.ts"
import type { WireResponse } from "../../domain/providers/Wire.ts"
import type { Handler } from "../../services/Dispatcher.ts"
import type { AttemptFailed, Call } from "./Attempt.ts"
import type { Endpoint } from "./Endpoint.ts"

export const makeEndpointHandler = (endpoint: Endpoint): Handler<Call, GenAiAnswer, AttemptFailed> => {
  const { credential, provider, transport } = endpoint

  const decode = (call: Call, response: WireResponse, sentAt: number): Effect.Effect<GenAiAnswer, AttemptFailed> => {
    const now = endpoint.now()
    const decoded = provider.decode(response, credential, now)
    if (Result.isFailure(decoded)) return Effect.fail(endpoint.failed(call, decoded.failure))
    endpoint.succeeded(decoded.success.usage, now - sentAt)
    return Effect.succeed({
      ...decoded.success,
      // Read once more, since it is seldom wanted and costly to carry along.
      ...(call.request.keepRaw === true ? { raw: Json.parse(response.body) } : {}),
      endpoint: endpoint.name,
      attempts: call.attempts,
      latencyMs: now - call.startedAt
    })
  }

  return (call) => {
    const begun = endpoint.begin(call, credential, "answer")
    if (Result.isFailure(begun)) return Effect.fail(begun.failure)
    const sentAt = endpoint.now()
    return Effect.onInterrupt(
      Effect.matchEffect(transport.send(begun.success), {
        onFailure: (error) => Effect.fail(endpoint.broken(call, error)),
        onSuccess: (response) => decode(call, response, sentAt)
      }),
      () => Effect.sync(() => endpoint.aborted())
    )
  }
}
