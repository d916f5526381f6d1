/** One endpoint as a worker of the dispatcher: encode, send, decode; in the caller's fiber, or without one. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import * as Json from "../../domain/providers/Json.ts"
import type { Credential } from "../../domain/providers/Provider.ts"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { Handler, Turn } from "../../services/Dispatcher.ts"
import type { EndListener, StartedRequest, Transport, TransportError } from "../../services/Transport.ts"
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
    const { send, wire } = begun.success
    return Effect.onExitPrimitive(
      Effect.matchEffect(sending(endpoint, wire, turn), {
        onFailure: (error) => Effect.fail(endpoint.broken(call, send, error)),
        onSuccess: (response) => decode(endpoint, call, send, response)
      }),
      // Interrupted or died: a failure has been counted already.
      (exit) =>
        exit._tag === "Success" || exit.cause.reasons.some((reason) => reason._tag === "Fail")
          ? undefined
          : Effect.sync(() => endpoint.aborted(send))
    )
  }
  return (call, turn) => endpoint.withCredential(call, (credential) => attempt(call, turn, credential))
}

/**
 * Suspended, so that a transport which throws leaves the endpoint's books right, too. A function of its own, because what is made
 * where `wire` is known would keep it in memory until the answer has come.
 */
const sending = (endpoint: Endpoint, wire: WireRequest, turn: Turn): Effect.Effect<WireResponse, TransportError> =>
  Effect.suspend(() => endpoint.transport.send(wire, turn))

type Start = NonNullable<Transport["Service"]["start"]>

/** How an attempt ended. */
export type Attempted = Exit.Exit<GenAiAnswer, AttemptFailed | NotSent>

/** Told how an attempt has ended. */
export interface AttemptListener {
  /** Called once, which may be at once. */
  attempted(exit: Attempted): void
}

/**
 * Makes an attempt without a fiber, and gives what gives it up; then nobody is told any more. That, and that its listener is told
 * once, holds even if the transport does not keep to its part of it.
 */
export type DirectSend = (call: Call, turn: Turn, listener: AttemptListener) => StartedRequest

/** `undefined` where sending takes a fiber: to get the credential, or for the transport. */
export const makeDirectSend = (endpoint: Endpoint): DirectSend | undefined => {
  const { fixedCredential, transport } = endpoint
  const { start } = transport
  if (fixedCredential === undefined || start === undefined) return undefined
  const { credential } = fixedCredential
  return (call, turn, listener) => {
    const attempt = new DirectAttempt(endpoint, call, listener)
    attempt.start(start, credential, turn)
    return attempt
  }
}

class DirectAttempt implements EndListener, StartedRequest {
  private readonly endpoint: Endpoint
  private readonly call: Call
  private readonly listener: AttemptListener
  private send: Send | undefined = undefined
  private request: StartedRequest | undefined = undefined
  private isOver = false

  constructor(endpoint: Endpoint, call: Call, listener: AttemptListener) {
    this.endpoint = endpoint
    this.call = call
    this.listener = listener
  }

  start(start: Start, credential: Credential, turn: Turn): void {
    try {
      const begun = this.endpoint.begin(this.call, credential, "answer")
      if (Result.isSuccess(begun)) {
        this.send = begun.success.send
        this.request = start(begun.success.wire, this, turn)
        return
      }
      this.isOver = true
      this.listener.attempted(Exit.fail(begun.failure))
    } catch (defect) {
      // It has been told how it ended, and whoever was told may have thrown this.
      if (this.isOver) throw defect
      this.isOver = true
      if (this.send !== undefined) this.endpoint.aborted(this.send)
      this.listener.attempted(Exit.die(defect))
    }
  }

  ended(exit: Exit.Exit<WireResponse, TransportError>): void {
    if (this.isOver || this.send === undefined) return
    this.isOver = true
    this.listener.attempted(received(this.endpoint, this.call, this.send, exit))
  }

  giveUp(): void {
    if (this.isOver || this.send === undefined) return
    this.isOver = true
    this.endpoint.aborted(this.send)
    this.request?.giveUp()
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
