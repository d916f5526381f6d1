/** What `GET /stats` tells: what the sandbox really received, and what it did with it. */
import * as Schema from "effect/Schema"

const Counts = Schema.Record(Schema.String, Schema.Int)

/**
 * Counts since the start or the last reset, of requests to a model only (not of `/stats`, `/control`, `/health`, `/v1/models`).
 *
 * `received` is always the sum of all `answered`, `aborted`, `cut`, `inflight` and the `reset` in `faults`.
 */
export const SandboxStats = Schema.Struct({
  /** Requests whose head arrived, whatever became of them. */
  received: Schema.Int,
  /** Requests that were answered to the end, by HTTP status; made-up failures and refusals included. */
  answered: Counts,
  /** Failures that were made up, by name; what the limits refused is not among them. */
  faults: Counts,
  /** Requests whose client went away before the answer was complete; those that were stalled included. */
  aborted: Schema.Int,
  /** Requests whose connection the sandbox cut because it was told to be dead. */
  cut: Schema.Int,
  /** Requests that have neither been answered nor aborted, nor reset or cut. */
  inflight: Schema.Int,
  /** The largest `inflight` there was. */
  maxInflight: Schema.Int,
  /** Requests refused by the sandbox's own rate limit. */
  rateLimited: Schema.Int,
  /** Requests refused because of `maxConcurrency`. */
  overloaded: Schema.Int,
  /** Arrivals by calendar second (Unix time), oldest first, seconds without any left out; the last 3,600 of them. */
  perSecond: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])),
  /**
   * Arrivals by tenths of a second, each by the Unix time in milliseconds at which it begins, oldest first, those
   * without any left out; of the last 5 minutes before the last arrival.
   */
  perTenth: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])),
  /** The most arrivals in any 1,000 ms, wherever they start (half-open), by a monotonic clock. */
  maxPerSlidingSecond: Schema.Int,
  /**
   * Requests by credential: `sha256:` and the first 12 hex digits of the key's SHA-256, `none` for requests without a
   * key. After 1,000 different keys, new ones count as `other`.
   */
  perKey: Counts,
  /** Tokens of the prompts that were answered properly. */
  promptTokens: Schema.Int,
  /** Tokens of the proper answers. */
  completionTokens: Schema.Int,
  /**
   * Tokens by calendar minute, each by the Unix time in seconds at which it begins, then prompts', then answers';
   * oldest first, minutes without any left out; the last 1,440 of them. They count when the answer has been sent.
   */
  tokensPerMinute: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])),
  /** The most tokens in any 60 s, wherever they start (half-open), by a monotonic clock: each maximum by itself. */
  maxTokensPerSlidingMinute: Schema.Struct({ input: Schema.Int, output: Schema.Int, total: Schema.Int }),
  /** Requests to paths that the sandbox does not have: a client's base URL may be wrong. */
  unknownPaths: Schema.Int,
  /** Unix time of the first arrival in milliseconds; null when there was none. */
  firstArrivalMs: Schema.NullOr(Schema.Finite),
  /** Unix time of the last arrival in milliseconds; null when there was none. */
  lastArrivalMs: Schema.NullOr(Schema.Finite)
})
export type SandboxStats = typeof SandboxStats.Type
