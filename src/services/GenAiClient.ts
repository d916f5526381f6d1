/** Asks models for answers, over all configured endpoints. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { EndpointStats } from "../domain/genai/EndpointStats.ts"
import type { GenAiError } from "../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../domain/genai/GenAiResponse.ts"

/** How one request is to be treated. */
export interface GenerateOptions {
  /** Requests of one session go to one endpoint while the affinity's TTL lasts. Default: none. */
  readonly session?: string | undefined
  /** From call to answer, retries and waiting included. Default: the config's `deadline` (10 minutes). */
  readonly deadline?: Duration.Input | undefined
}

/** How to end. */
export interface DrainOptions {
  /** Then what still runs is interrupted. */
  readonly timeout: Duration.Input
  /** `finish` sends what is queued, `discard` fails it with reason `Rejected`. Default: `finish`. */
  readonly queued?: "finish" | "discard" | undefined
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
    /** One entry per endpoint, in the order of the config: a snapshot. */
    readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
    /** Takes no new requests and ends those that are there. True when all ended before the timeout. */
    readonly drain: (options: DrainOptions) => Effect.Effect<boolean>
  }
>()("genai-dispatcher/services/GenAiClient") {}
