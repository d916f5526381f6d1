/** One endpoint, as plain and streamed attempts at it have it in common: what is sent, what came of it, the counts. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import {
  ConnectionFailed,
  type GenAiErrorReason,
  Rejected,
  ServerError,
  TimedOut
} from "../../domain/genai/GenAiError.ts"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import type { Ticket } from "../../domain/genai/health/CircuitBreaker.ts"
import type { Credential, EncodeMode, Provider, ProviderFailure } from "../../domain/providers/Provider.ts"
import * as Providers from "../../domain/providers/Providers.ts"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import type { CredentialError, CredentialSource } from "../../services/Credentials.ts"
import type { Transport, TransportError } from "../../services/Transport.ts"
import { AttemptFailed, type Call, NotSent } from "./Attempt.ts"
import { type AttemptSpan, beginSpan } from "./AttemptSpan.ts"
import type { EndpointRecorder } from "./EndpointRecorder.ts"
import type { HealthMonitor } from "./HealthMonitor.ts"
import type { TokenLimits } from "./TokenLimits.ts"

export interface EndpointOptions {
  readonly endpoint: EndpointConfig
  readonly credentials: CredentialSource
  readonly transport: Transport["Service"]
  readonly recorder: EndpointRecorder
  readonly health: HealthMonitor
  /** Whether an endpoint is left for the call that takes requests before its deadline. */
  readonly hasHope: (call: Call) => boolean
  readonly clock: Clock.Clock
  readonly maxAttempts: number
  /** Why a call must not be sent here, if anything can be; `undefined`: nothing can. */
  readonly refusal: TokenLimits["refusal"]
}

/** What is sent, and what stays of it: what was sent may be large, and is let go. */
export interface BegunSend {
  readonly wire: WireRequest
  readonly send: Send
}

/** One request that is sent: what is known of it until its end. */
export interface Send {
  /** The one that it is sent with. */
  readonly credential: Credential
  /** By the time of the endpoint's health, in milliseconds. */
  readonly at: number
  readonly ticket: Ticket
  /** Present when the caller is traced. */
  readonly span: AttemptSpan | undefined
}

export class Endpoint {
  readonly name: string
  readonly kind: EndpointConfig["kind"]
  readonly provider: Provider
  readonly transport: Transport["Service"]
  private readonly credentials: CredentialSource
  private readonly model: string | undefined
  private readonly recorder: EndpointRecorder
  private readonly health: HealthMonitor
  private readonly hasHope: (call: Call) => boolean
  private readonly clock: Clock.Clock
  private readonly maxAttempts: number
  private readonly timeouts: EndpointConfig["timeouts"]
  private readonly refusal: TokenLimits["refusal"]

  constructor(options: EndpointOptions) {
    const { endpoint, credentials, transport, recorder, health, hasHope, clock, maxAttempts, refusal } = options
    this.name = endpoint.name
    this.kind = endpoint.kind
    this.provider = Providers.make(endpoint.kind, endpoint)
    this.transport = transport
    this.credentials = credentials
    this.model = endpoint.model
    this.recorder = recorder
    this.health = health
    this.hasHope = hasHope
    this.clock = clock
    this.maxAttempts = maxAttempts
    this.timeouts = endpoint.timeouts
    this.refusal = refusal
  }

  /** Wall-clock time, in milliseconds: for times of day that a provider tells. */
  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** The credential to send with, where it is always the same one. */
  get fixedCredential(): { readonly credential: Credential } | undefined {
    return this.credentials._tag === "Fixed" ? this.credentials : undefined
  }

  /** Goes on with the credential to send with, or fails when it cannot be had. Costs nothing where it is fixed. */
  withCredential<A, E>(
    call: Call,
    use: (credential: Credential) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | AttemptFailed> {
    if (this.credentials._tag === "Fixed") return use(this.credentials.credential)
    return Effect.matchEffect(this.credentials.get, {
      onFailure: (error) => Effect.fail(this.withoutCredential(call, error)),
      onSuccess: use
    })
  }

  /**
   * Begins a send for a call, or says why there is none. Once it has begun, exactly one of `succeeded`, `failed`,
   * `broken` and `aborted` must follow.
   */
  begin(call: Call, credential: Credential, mode: EncodeMode): Result.Result<BegunSend, AttemptFailed | NotSent> {
    if (this.recorder.overBudget) return Result.fail(this.attemptFailed(call, BUDGET_SPENT))
    if (this.recorder.isHeld) return Result.fail(new NotSent({ endpoint: this.name }))
    const tooLarge = this.refusal?.(call)
    if (tooLarge !== undefined) {
      return Result.fail(this.attemptFailed(call, { reason: TOO_LARGE, message: tooLarge }))
    }
    const encoded = this.provider.encode(call.request, credential, mode)
    if (Result.isFailure(encoded)) return Result.fail(this.attemptFailed(call, encoded.failure))
    const at = this.health.now()
    if (!this.health.allows(at)) return Result.fail(this.turnedAway(call))
    call.attempts++
    this.recorder.onSent(call.attempts === 1, call.readyAt === undefined ? undefined : at - call.readyAt)
    call.readyAt = undefined
    call.onSent?.(this.name)
    call.onSend?.(this.name)
    // Field by field: a copy by `...` costs an object more, for as long as the request is under way.
    const { method, origin, path, headers, body } = encoded.success
    const span = call.trace && beginSpan(call.trace, call, this, origin, this.model)
    return Result.succeed({
      wire: { method, origin, path, headers, body, timeouts: this.timeouts },
      send: { credential, at, ticket: this.health.sent(), span }
    })
  }

  /** The whole answer has come. Gives when, of `SteadyTime`. */
  succeeded(
    send: Send,
    usage: Usage | undefined,
    headers: WireResponse["headers"],
    answer: { readonly model: string | undefined; readonly finishReason: string | undefined } | undefined
  ): number {
    const now = this.health.now()
    send.span?.succeeded(usage, answer)
    this.recorder.onSuccess(usage, now - send.at)
    this.health.answered(send.ticket, send.at, now, headers)
    return now
  }

  /** The endpoint's answer is a failure. */
  failed(call: Call, send: Send, said: ProviderFailure): AttemptFailed {
    const failure = this.isTokenRefused(send, said.reason) ? renewed(said) : said
    this.recorder.onFailure(failure.reason)
    send.span?.failed(failure.reason)
    this.health.failed(send.ticket, failure, send.at, this.isItsOwn(call, failure.reason))
    return this.attemptFailed(call, failure)
  }

  /** No whole answer came. */
  broken(call: Call, send: Send, error: TransportError): AttemptFailed {
    const reason =
      error.phase === "connection"
        ? new ConnectionFailed({ code: error.code })
        : new TimedOut({ phase: error.phase, limitMs: this.timeouts[`${error.phase}Ms`] })
    return this.failed(call, send, { reason, message: error.message })
  }

  /** The caller gave up. */
  aborted(send: Send): void {
    this.recorder.onAborted()
    send.span?.aborted()
    this.health.aborted(send.ticket)
  }

  /** Nothing was sent. It counts as an attempt all the same, so that the call comes to an end. */
  private withoutCredential(call: Call, { reason, message }: CredentialError): AttemptFailed {
    call.attempts++
    this.health.failed(this.health.sent(), { reason, message }, this.health.now())
    return this.attemptFailed(call, { reason, message })
  }

  /** Whether it is a token that was refused, and the next send has another: not the account, which would be refused again. */
  private isTokenRefused({ credential }: Send, reason: GenAiErrorReason): boolean {
    if (this.credentials._tag === "Fixed" || credential === undefined) return false
    return reason._tag === "Unauthorized" && reason.status === 401 && this.credentials.refused(credential)
  }

  /** The endpoint has gone since the call was given its turn. */
  private turnedAway(call: Call): AttemptFailed | NotSent {
    const { failure, isDisabled } = this.health
    return isDisabled && failure !== undefined
      ? this.attemptFailed(call, failure)
      : new NotSent({ endpoint: this.name })
  }

  /** A refusal by 403 or a spent quota may hold for the model alone that this call has asked for. */
  private isItsOwn({ request }: Call, reason: GenAiErrorReason): boolean {
    if (request.model === undefined || request.model === this.model) return true
    return "status" in reason && reason.status === 401
  }

  private attemptFailed(call: Call, { reason, message }: ProviderFailure): AttemptFailed {
    const fields = { call, endpoint: this.name, reason, message }
    const mayRetry = call.note(new AttemptFailed({ ...fields, isRetryable: false }), this.maxAttempts)
    return new AttemptFailed({ ...fields, isRetryable: mayRetry && this.hasHope(call) })
  }
}

/** The same failure as one that another try may mend. */
const renewed = ({ message }: ProviderFailure): ProviderFailure => ({
  reason: new ServerError({ status: 401 }),
  message: `${message} (the access token is renewed)`
})

const TOO_LARGE = new Rejected({ cause: "TooLarge" })

const BUDGET_SPENT: ProviderFailure = {
  reason: new Rejected({ cause: "BudgetSpent" }),
  message: "the client's budget is spent"
}
