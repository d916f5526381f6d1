/** One endpoint as a worker of the dispatcher: encode, send, decode; in the caller's fiber, or without one. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import * as Json from "../../domain/providers/Json.ts"
import type { Credential } from "../../domain/providers/Provider.ts"
import type { WireResponse } from "../../domain/providers/Wire.ts"
import type { Handler, Turn } from "../../services/Dispatcher.ts"
import type { OnEnd, TransportError } from "../../services/Transport.ts"
import type { AttemptFailed, Call, NotSent } from "./Attempt.ts"
import type { Endpoint, Send } from "./Endpoint.ts"

export const makeEndpointHandler = (endpoint: Endpoint): Handler<Call, GenAiAnswer, AttemptFailed | NotSent> => {
  const attempt = (
    call: Call,
    turn: Turn,
    credential: Credential
  ): Effect.Effect<GenAiAnswer, AttemptFailed | NotSent> => {
    const begun = endpoint.begin(call, credential, "answer")
    if (Result.isFailure(begun)) return Effect.fail(begun.failure)
    const send = begun.success
    return Effect.onExitPrimitive(
      // Suspended, so that a transport which throws here leaves the endpoint's books right, too.
      Effect.matchEffect(
        Effect.suspend(() => endpoint.transport.send(send.wire, turn)),
        {
          onFailure: (error) => Effect.fail(endpoint.broken(call, send, error)),
          onSuccess: (response) => decode(endpoint, call, send, response)
        }
      ),
      // Interrupted or died: a failure has been counted already.
      (exit) =>
        exit._tag === "Success" || exit.cause.reasons.some((reason) => reason._tag === "Fail")
          ? undefined
          : Effect.sync(() => endpoint.aborted(send))
    )
  }
  return (call, turn) => endpoint.withCredential(call, (credential) => attempt(call, turn, credential))
}

/** How an attempt ended. */
export type Attempted = Exit.Exit<GenAiAnswer, AttemptFailed | NotSent>

/**
 * Makes an attempt and calls back once, which may be at once. Gives what aborts it; then nothing is called back any more.
 * Both hold even if the transport does not keep to its part of it.
 */
export type DirectSend = (call: Call, turn: Turn, onEnd: (exit: Attempted) => void) => () => void

/** The same without a fiber; `undefined` where sending takes one: to get the credential, or for the transport. */
export const makeDirectSend = (endpoint: Endpoint): DirectSend | undefined => {
  const { fixedCredential, transport } = endpoint
  const { start } = transport
  if (fixedCredential === undefined || start === undefined) return undefined
  return (call, turn, onEnd) => {
    let sent: Send | undefined
    let isOver = false
    let notSent: Attempted
    try {
      const begun = endpoint.begin(call, fixedCredential.credential, "answer")
      if (Result.isSuccess(begun)) {
        const send = begun.success
        sent = send
        const ended: OnEnd = (exit) => {
          if (isOver) return
          isOver = true
          onEnd(received(endpoint, call, send, exit))
        }
        const abort = start(send.wire, ended, turn)
        return () => {
          isOver = true
          endpoint.aborted(send)
          abort()
        }
      }
      notSent = Exit.fail(begun.failure)
    } catch (defect) {
      // It has been told how it ended, and whoever was told may have thrown this.
      if (isOver) throw defect
      isOver = true
      if (sent !== undefined) endpoint.aborted(sent)
      notSent = Exit.die(defect)
    }
    onEnd(notSent)
    return nothing
  }
}

const received = (
  endpoint: Endpoint,
  call: Call,
  send: Send,
  exit: Exit.Exit<WireResponse, TransportError>
): Attempted => {
  try {
    if (Exit.isSuccess(exit)) return decode(endpoint, call, send, exit.value)
    const error = exit.cause.reasons.find(Cause.isFailReason)?.error
    if (error !== undefined) return Exit.fail(endpoint.broken(call, send, error))
    endpoint.aborted(send)
    return Exit.die(Cause.squash(exit.cause))
  } catch (defect) {
    endpoint.aborted(send)
    return Exit.die(defect)
  }
}

const decode = (
  endpoint: Endpoint,
  call: Call,
  send: Send,
  response: WireResponse
): Exit.Exit<GenAiAnswer, AttemptFailed> => {
  const decoded = endpoint.provider.decode(response, send.credential, endpoint.now())
  if (Result.isFailure(decoded)) return Exit.fail(endpoint.failed(call, send, decoded.failure))
  const answeredAt = endpoint.succeeded(send, decoded.success.usage, response.headers, decoded.success)
  return Exit.succeed({
    ...decoded.success,
    ...rawOf(call, response),
    endpoint: endpoint.name,
    attempts: call.attempts,
    latencyMs: answeredAt - call.startedAt
  })
}

/** What the caller wants of the provider's own words. */
const rawOf = ({ request: { keepRaw } }: Call, { body }: WireResponse): Pick<GenAiAnswer, "raw" | "rawText"> => {
  // Whoever passes it on as it is pays for no other reading, and no writing, of it (`benchmarks/server.ts`).
  if (keepRaw === "text") return { rawText: Json.withoutMark(body) }
  // Read once more, since it is seldom wanted and costly to carry along.
  return keepRaw === true ? { raw: Json.parse(body) } : NOTHING
}

const NOTHING = {}

const nothing = (): void => {}
