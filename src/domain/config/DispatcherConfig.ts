/**
 * The settled configuration of a client: every default filled in, every credential resolved.
 *
 * The file that users write is `ConfigFile.ts` beside this.
 */
import type * as Redacted from "effect/Redacted"
import type { OnUnavailable, Policy } from "../dispatch/Policy.ts"
import type { Prices } from "../genai/Prices.ts"
import type { WireTimeouts } from "../providers/Wire.ts"

/** The dialects that endpoints speak. */
export type EndpointKind = "openai" | "azure" | "gemini" | "vertex" | "anthropic" | "cloudflare" | "raw"

/** Rate limits of one endpoint; every send counts, retries too. Absent means unlimited. */
export interface EndpointLimits {
  /** Evenly spaced; no second, wherever it starts, holds more. */
  readonly requestsPerSecond?: number
  /** Evenly spaced; no minute, wherever it starts, holds more. */
  readonly requestsPerMinute?: number
  /** Tokens read and written together. */
  readonly tokensPerMinute?: number
  /** Tokens read. */
  readonly inputTokensPerMinute?: number
  /** Tokens written. */
  readonly outputTokensPerMinute?: number
}

/** When an endpoint that fails is left alone for a while. */
export interface BreakerConfig {
  /** Failures in a row, all within `windowMs`, that open the breaker; at least 1. */
  readonly failures: number
  readonly windowMs: number
  /** How long it stays open before one request may try again. */
  readonly openMs: number
}

/** Keeps an outage from becoming a storm: how many of the sends may be retries. */
export interface RetryBudgetConfig {
  /** Retries per first send, such as 0.2; at least 0. */
  readonly ratio: number
  /** Retries per second that are always allowed; at least 0. */
  readonly minPerSecond: number
}

/** A second send to another endpoint for requests that take long; the loser is cancelled. */
export interface HedgeConfig {
  /** The quantile of the latency after which the second send starts; between 0 and 1. */
  readonly afterQuantile: number
  /** Most second sends per request; above 0, at most 1. */
  readonly maxExtra: number
}

/** `concurrency` of an endpoint with `autoConcurrency`: so many requests at once still fit into memory. */
export const AUTO_CONCURRENCY_BOUND = 32_768

/** One endpoint, settled. */
export interface EndpointConfig {
  /** Unique; stands in answers, errors and figures. */
  readonly name: string
  readonly kind: EndpointKind
  /**
   * What the provider adds its path to, with all that identifies the deployment in it (project, location, account,
   * api-version); for `raw` the URL itself.
   */
  readonly baseUrl: URL
  /** `undefined`: each request names its own. */
  readonly model: string | undefined
  /** The name of the environment variable that the key came from, for messages. */
  readonly apiKeyEnv: string | undefined
  /** `undefined`: none is sent; for `vertex`, access tokens are. */
  readonly apiKey: Redacted.Redacted<string> | undefined
  /** For `vertex`: path of a service-account key file. Default: application default credentials. */
  readonly keyFile?: string
  /** For `vertex`: the e-mail of a service account to impersonate. Default: none. */
  readonly serviceAccount?: string
  /** Endpoints of the lowest number come first; the next ones only while those are unavailable. A whole number from 0. */
  readonly priority: number
  /** Share of the requests relative to the other endpoints; above 0. */
  readonly weight: number
  /** Most requests in flight at once. */
  readonly concurrency: number
  /** Whether to find by itself how many below `concurrency` do best; that is then no more than what memory allows. */
  readonly autoConcurrency: boolean
  /** Whether to go below `concurrency` by itself while the endpoint is overloaded, and back up. */
  readonly adaptiveConcurrency: boolean
  /** Most requests waiting for this endpoint. */
  readonly queueCapacity: number
  readonly limits: EndpointLimits
  readonly timeouts: WireTimeouts
  readonly breaker: BreakerConfig
  /** `undefined` when the costs are not to be counted. */
  readonly prices?: Prices
  /** Default request parameters in the provider's own names. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Sent with each request. Those of a config file print as they are written there, without the values of variables. */
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

/** All settings of a client. `ConfigLoader.load` settles one from a file, flags and the environment. */
export interface DispatcherConfig {
  /** How requests are spread over the endpoints of one priority. */
  readonly policy: Policy
  /** Over all endpoints; every send counts, retries too. `undefined` means unlimited. */
  readonly maxRequestsPerSecond: number | undefined
  /** Sends per request, over all endpoints; at least 1. */
  readonly maxAttempts: number
  /** Per request, from call to answer. */
  readonly deadlineMs: number
  readonly retry: RetryConfig
  readonly retryBudget: RetryBudgetConfig
  /** `undefined`: no second sends. */
  readonly hedge?: HedgeConfig
  /** `undefined`: `session` has no effect. */
  readonly affinity: AffinityConfig | undefined
  /** At least one; names are unique. */
  readonly endpoints: ReadonlyArray<EndpointConfig>
  /** Whether a process in whose place this one is may have used all limits up to now; see `PoolOptions.limitsUsed`. Default: no. */
  readonly limitsUsed?: boolean
  /** Of how many processes on this machine this is the share of one. Default: 1. */
  readonly processes?: number
}
