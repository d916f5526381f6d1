/**
 * The settled configuration of a client: every default filled in, every credential resolved.
 *
 * The file that users write is `ConfigFile.ts` beside this.
 */
import type * as Redacted from "effect/Redacted"
import type { OnUnavailable, Policy } from "../dispatch/Policy.ts"
import type { WireTimeouts } from "../providers/Wire.ts"

/** The dialects that endpoints speak. */
export type EndpointKind = "openai" | "raw"

/** Rate limits of one endpoint; every send counts, retries too. Absent means unlimited. */
export interface EndpointLimits {
  readonly requestsPerSecond?: number
  readonly requestsPerMinute?: number
}

/** One endpoint, settled. */
export interface EndpointConfig {
  readonly name: string
  readonly kind: EndpointKind
  /** For `openai` the base that `/chat/completions` is added to; for `raw` the URL itself. */
  readonly baseUrl: URL
  readonly model: string | undefined
  /** The name of the environment variable that the key came from, for messages. */
  readonly apiKeyEnv: string | undefined
  readonly apiKey: Redacted.Redacted<string> | undefined
  /** Share of the requests relative to the other endpoints; above 0. */
  readonly weight: number
  /** Most requests in flight at once. */
  readonly concurrency: number
  /** Most requests waiting for this endpoint. */
  readonly queueCapacity: number
  readonly limits: EndpointLimits
  readonly timeouts: WireTimeouts
  /** Default request parameters in the provider's own names. */
  readonly parameters: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
}

/** Exponential backoff with full jitter: the n-th wait is random between 0 and min(capMs, baseMs * factor^(n-1)). */
export interface RetryConfig {
  readonly baseMs: number
  readonly factor: number
  readonly capMs: number
}

/** Session affinity. */
export interface AffinityConfig {
  readonly ttlMs: number
  /** Whether each request of a session starts its TTL anew. */
  readonly sliding: boolean
  /** Most sessions remembered; the least recently used are forgotten first. */
  readonly capacity: number
  readonly onUnavailable: OnUnavailable
}

export interface DispatcherConfig {
  readonly policy: Policy
  /** Over all endpoints; every send counts, retries too. `undefined` means unlimited. */
  readonly maxRequestsPerSecond: number | undefined
  /** Sends per request, over all endpoints; at least 1. */
  readonly maxAttempts: number
  /** Per request, from call to answer. */
  readonly deadlineMs: number
  readonly retry: RetryConfig
  readonly affinity: AffinityConfig | undefined
  /** At least one; names are unique. */
  readonly endpoints: ReadonlyArray<EndpointConfig>
}
