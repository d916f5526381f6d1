/** One endpoint, as plain and streamed attempts at it have it in common: what is sent, what came of it, the counts. */
import type * as Clock from "effect/Clock"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import { ConnectionFailed, Rejected, TimedOut } from "../../domain/genai/GenAiError.ts"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import type { Credential, EncodeMode, Provider, ProviderFailure } from "../../domain/providers/Provider.ts"
import * as Providers from "../../domain/providers/Providers.ts"
import type { WireRequest } from "../../domain/providers/Wire.ts"
import type { Transport, TransportError } from "../../services/Transport.ts"
import { AttemptFailed, type Call } from "./Attempt.ts"
import type { EndpointRecorder } from "./EndpointRecorder.ts"

export interface EndpointOptions {
  readonly endpoint: EndpointConfig
  readonly transport: Transport["Service"]
  readonly recorder: EndpointRecorder
  readonly clock: Clock.Clock
  readonly maxAttempts: number
}

export class Endpoint {
  readonly name: string
  readonly provider: Provider
  readonly transport: Transport["Service"]
  readonly credential: Credential
  private readonly recorder: EndpointRecorder
  private readonly clock: Clock.Clock
  private readonly maxAttempts: number
  private readonly timeouts: EndpointConfig["timeouts"]

  constructor({ endpoint, transport, recorder, clock, maxAttempts }: EndpointOptions) {
    this.name = endpoint.name
    this.provider = Providers.make(endpoint.kind, endpoint)
    this.transport = transport
    this.credential = endpoint.apiKey === undefined ? undefined : Redacted.value(endpoint.apiKey)
    this.recorder = recorder
    this.clock = clock
    this.maxAttempts = maxAttempts
    this.timeouts = endpoint.timeouts
  }

  /** Wall-clock time, in milliseconds. */
  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /**
   * What is to be sent for a call, counted as sent; or why nothing can be. Exactly one of `succeeded`, `failed`, `broken`
   * and `aborted` must follow.
   */
  begin(call: Call, credential: Credential, mode: EncodeMode): Result.Result<WireRequest, AttemptFailed> {
    if (this.recorder.overBudget) return Result.fail(this.attemptFailed(call, BUDGET_SPENT))
    const encoded = this.provider.encode(call.request, credential, mode)
    if (Result.isFailure(encoded)) return Result.fail(this.attemptFailed(call, encoded.failure))
    call.attempts++
    this.recorder.onSent()
    return Result.succeed({ ...encoded.success, timeouts: this.timeouts })
  }

  /** The whole answer has come. */
  succeeded(usage: Usage | undefined, latencyMs: number): void {
    this.recorder.onSuccess(usage, latencyMs)
  }

  /** The endpoint's answer is a failure. */
  failed(call: Call, failure: ProviderFailure): AttemptFailed {
    this.recorder.onFailure(failure.reason)
    return this.attemptFailed(call, failure)
  }

  /** No whole answer came. */
  broken(call: Call, error: TransportError): AttemptFailed {
    const reason =
      error.phase === "connection"
        ? new ConnectionFailed({ code: error.code })
        : new TimedOut({ phase: error.phase, limitMs: this.timeouts[`${error.phase}Ms`] })
    return this.failed(call, { reason, message: error.message })
  }

  /** The caller gave up. */
  aborted(): void {
    this.recorder.onAborted()
  }

  private attemptFailed(call: Call, { reason, message }: ProviderFailure): AttemptFailed {
    const fields = { call, endpoint: this.name, reason, message }
    const isRetryable = call.note(new AttemptFailed({ ...fields, isRetryable: false }), this.maxAttempts)
    return new AttemptFailed({ ...fields, isRetryable })
  }
}

const BUDGET_SPENT: ProviderFailure = {
  reason: new Rejected({ cause: "BudgetSpent" }),
  message: "the client's budget is spent"
}
