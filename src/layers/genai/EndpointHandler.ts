/** One endpoint as a worker of the dispatcher: encode, send, decode, and keep count. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import { ConnectionFailed, type GenAiErrorReason, Rejected, TimedOut } from "../../domain/genai/GenAiError.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import * as Json from "../../domain/providers/Json.ts"
import * as Providers from "../../domain/providers/Providers.ts"
import type { WireResponse } from "../../domain/providers/Wire.ts"
import type { Handler } from "../../services/Dispatcher.ts"
import type { Transport, TransportError } from "../../services/Transport.ts"
import { AttemptFailed, type Call } from "./Attempt.ts"
import type { EndpointRecorder } from "./EndpointRecorder.ts"

export interface EndpointHandlerOptions {
  readonly endpoint: EndpointConfig
  readonly transport: Transport["Service"]
  readonly recorder: EndpointRecorder
  readonly clock: Clock.Clock
  readonly maxAttempts: number
}

export const makeEndpointHandler = (options: EndpointHandlerOptions): Handler<Call, GenAiAnswer, AttemptFailed> => {
  const { endpoint, transport, recorder, clock, maxAttempts } = options
  const { name, timeouts } = endpoint
  const provider = Providers.make(endpoint.kind, endpoint)
  const credential = endpoint.apiKey === undefined ? undefined : Redacted.value(endpoint.apiKey)

  const failed = (call: Call, reason: GenAiErrorReason, message: string): Effect.Effect<never, AttemptFailed> => {
    const fields = { call, endpoint: name, reason, message }
    const isRetryable = call.note(new AttemptFailed({ ...fields, isRetryable: false }), maxAttempts)
    return Effect.fail(new AttemptFailed({ ...fields, isRetryable }))
  }

  const decode = (call: Call, response: WireResponse, sentAt: number): Effect.Effect<GenAiAnswer, AttemptFailed> => {
    const now = clock.currentTimeMillisUnsafe()
    const decoded = provider.decode(response, credential, now)
    if (Result.isFailure(decoded)) {
      recorder.onFailure(decoded.failure.reason)
      return failed(call, decoded.failure.reason, decoded.failure.message)
    }
    recorder.onSuccess(decoded.success, now - sentAt)
    return Effect.succeed({
      ...decoded.success,
      // Read once more, since it is seldom wanted and costly to carry along.
      ...(call.request.keepRaw === true ? { raw: Json.parse(response.body) } : {}),
      endpoint: name,
      attempts: call.attempts,
      latencyMs: now - call.startedAt
    })
  }

  const broken = (call: Call, error: TransportError): Effect.Effect<never, AttemptFailed> => {
    const reason =
      error.phase === "connection"
        ? new ConnectionFailed({ code: error.code })
        : new TimedOut({ phase: error.phase, limitMs: timeouts[`${error.phase}Ms`] })
    recorder.onFailure(reason)
    return failed(call, reason, error.message)
  }

  return (call) => {
    if (recorder.overBudget) return failed(call, new Rejected({ cause: "BudgetSpent" }), "the client's budget is spent")
    const encoded = provider.encode(call.request, credential, "answer")
    if (Result.isFailure(encoded)) return failed(call, encoded.failure.reason, encoded.failure.message)
    const sentAt = clock.currentTimeMillisUnsafe()
    call.attempts++
    recorder.onSent()
    return Effect.onInterrupt(
      Effect.matchEffect(transport.send({ ...encoded.success, timeouts }), {
        onFailure: (error) => broken(call, error),
        onSuccess: (response) => decode(call, response, sentAt)
      }),
      () => Effect.sync(() => recorder.onAborted())
    )
  }
}
