/** Asks models for answers, over all configured endpoints. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Stream from "effect/Stream"
import type { ChatEvent } from "../domain/genai/ChatEvent.ts"
import type { EndpointStats } from "../domain/genai/EndpointStats.ts"
import type { GenAiError } from "../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../domain/genai/GenAiResponse.ts"
import type { DrainOptions } from "./Dispatcher.ts"

export type { DrainOptions }

/** How one request is to be treated. */
export interface GenerateOptions {
  /** Requests of one session go to one endpoint while the affinity's TTL lasts. Default: none. */
  readonly session?: string | undefined
  /** From call to answer, retries and waiting included. Default: the config's `deadline` (10 minutes). */
  readonly deadline?: Duration.Input | undefined
  /** Names of endpoints that this request must not be sent to. Default: none. */
  readonly exclude?: ReadonlySet<string> | undefined
  /** What happens when every queue that may take it is full: wait for room, or fail with `Rejected` at once, unless it has been sent before. Default: `wait`. */
  readonly onFull?: "wait" | "fail" | undefined
  /** Called each time the request is sent, with the endpoint's name; must not throw. */
  readonly onSend?: ((endpoint: string) => void) | undefined
}

/** Told how a request has ended. */
export interface GenerateListener {
  /** Called once, which may be at once; must not throw. */
  ended(exit: Exit.Exit<GenAiAnswer, GenAiError>): void
}

/** A request that was begun. */
export interface StartedGenerate {
  /**
   * Gives it up: done when nothing of the request is under way any more; the request is then interrupted, unless it ended
   * before.
   */
  readonly interrupt: Effect.Effect<void>
}

/** Begins a request. */
export type StartGenerate = (
  request: GenAiRequest,
  options: GenerateOptions | undefined,
  listener: GenerateListener
) => StartedGenerate

/** Whether there is something to do for more requests, for those who have more than can be sent at once. */
export interface Room {
  /** False while all that may be sent at once is under way, so that another request would only wait. Costs next to nothing. */
  readonly has: () => boolean
  /** Calls the listener each time that `has` may have come true by anything but the end of a request; one listener. */
  readonly watch: (listener: () => void) => void
}

/**
 * The whole path of a request: dispatch to an endpoint, limits, call, retry and failover.
 *
 * `generate` gives one answer or one `GenAiError`, with the number of attempts in both. Interrupting it drops the
 * queued request, or aborts the one that was sent.
 */
export class GenAiClient extends Context.Service<
  GenAiClient,
  {
    readonly generate: (request: GenAiRequest, options?: GenerateOptions) => Effect.Effect<GenAiAnswer, GenAiError>
    /**
     * `generate` for those who make thousands of calls a second: without a fiber for each, which costs as much as all the
     * rest of a call. Requests that are started so belong to whoever runs this, as to tracing. Absent: there is no such way.
     */
    readonly starter?: Effect.Effect<StartGenerate> | undefined
    /**
     * The answer piece by piece, as it is made: text, usage, and last exactly one `Finish`.
     *
     * Failed attempts are followed by others, as in `generate`, until an answer has begun: until its first text, or its
     * end. What fails after that ends the stream with the error. The deadline is for the whole stream, however slowly it
     * is read. Ending or interrupting the stream aborts the request. Nothing is sent before the stream is run; each run
     * is a request of its own.
     */
    readonly stream: (request: GenAiRequest, options?: GenerateOptions) => Stream.Stream<ChatEvent, GenAiError>
    /** One entry per endpoint, in the order of the config: a snapshot. */
    readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
    /**
     * Takes no new requests and waits for those that are there. With `finish` their retries go on; with `discard` only
     * what was sent may end, everything else fails with reason `Rejected` at its next step. True when all ended within
     * the timeout; what still runs then belongs to its callers.
     */
    readonly drain: (options: DrainOptions) => Effect.Effect<boolean>
    /** Absent: there is always room. */
    readonly room?: Room | undefined
  }
>()("genai-dispatcher/services/GenAiClient") {}
