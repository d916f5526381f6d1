/** One request while it is tried: what has been sent so far, where it may still go, and how a try failed. */
import * as Data from "effect/Data"
import { GenAiError, type GenAiErrorReason } from "../../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import { type PromptSize, promptSize } from "../../domain/genai/TokenEstimate.ts"
import type { GenerateOptions } from "../../services/GenAiClient.ts"
import type { AttemptTrace } from "./AttemptSpan.ts"

const NONE: ReadonlySet<string> = new Set()

/** The state of one `generate`, shared by all its attempts. */
export class Call {
  readonly request: GenAiRequest
  readonly session: string | undefined
  /** Of `SteadyTime`, in milliseconds. */
  readonly startedAt: number
  readonly deadlineMs: number
  private readonly endpointCount: number
  private promptSize: PromptSize | undefined = undefined
  /** Sends so far, over all endpoints. */
  attempts = 0
  /** When it could be sent if there were room, of `SteadyTime` in milliseconds; `undefined` once it has been. */
  readyAt: number | undefined
  /** Present when the caller is traced. */
  trace: AttemptTrace | undefined = undefined
  /** The endpoint that failed last: another one is preferred. */
  avoid = NONE
  /** Endpoints that cannot or must not serve this request. */
  exclude: ReadonlySet<string>
  readonly onFull: GenerateOptions["onFull"]
  readonly onSend: GenerateOptions["onSend"]
  /** Called when it is sent, with the endpoint's name. */
  onSent: ((endpoint: string) => void) | undefined = undefined
  /** Set when it is ended because no endpoint is left for it. */
  lost: AttemptFailed | undefined = undefined
  /** The deadline, of the monotonic clock, in whole milliseconds: up, so that it is never early. */
  readonly expiresAt: number
  /** How the last attempt failed. */
  lastFailure: AttemptFailed | undefined = undefined

  constructor(
    request: GenAiRequest,
    options: GenerateOptions | undefined,
    startedAt: number,
    /** Of the monotonic clock, in milliseconds. */
    startedMonotonicMs: number,
    deadlineMs: number,
    endpointCount: number
  ) {
    this.request = request
    this.session = options?.session
    this.exclude = options?.exclude ?? NONE
    this.onFull = options?.onFull
    this.onSend = options?.onSend
    this.startedAt = startedAt
    this.readyAt = startedAt
    this.deadlineMs = deadlineMs
    this.expiresAt = Math.ceil(startedMonotonicMs + deadlineMs)
    this.endpointCount = endpointCount
  }

  /** The size of the prompt, for endpoints with token limits. */
  get size(): PromptSize {
    this.promptSize ??= promptSize(this.request)
    return this.promptSize
  }

  /** Remembers a failure. True when another attempt is allowed and there is an endpoint left for it. */
  note(failure: AttemptFailed, maxAttempts: number): boolean {
    this.lastFailure = failure
    this.avoid = new Set([failure.endpoint])
    if (failure.reason.retry === "elsewhere") this.exclude = new Set([...this.exclude, failure.endpoint])
    return failure.reason.retry !== "never" && this.attempts < maxAttempts && this.exclude.size < this.endpointCount
  }

  error(reason: GenAiErrorReason, message: string, endpoint: string | undefined): GenAiError {
    return new GenAiError({
      reason,
      message,
      attempts: this.attempts,
      ...(endpoint === undefined ? {} : { endpoint })
    })
  }
}

/** An attempt failed; the caller sees it only when it was the last. */
export class AttemptFailed extends Data.TaggedClass("AttemptFailed")<{
  readonly call: Call
  readonly endpoint: string
  readonly reason: GenAiErrorReason
  readonly message: string
  /** Whether another attempt may help. */
  readonly isRetryable: boolean
}> {}

/** The endpoint takes no requests since the request's turn came: nothing was sent. The caller never sees it. */
export class NotSent extends Data.TaggedClass("NotSent")<{ readonly endpoint: string }> {}
