/**
 * Why a request got no answer: one error, with a `reason` that says what happened and what may be done about it.
 */
import * as Schema from "effect/Schema"

/**
 * What to do with the request after a failure.
 *
 * - `anywhere`: send it again, preferably to another endpoint, else to the same one;
 * - `elsewhere`: only another endpoint can help (a dead key, an unknown model);
 * - `never`: the request itself is at fault, or its time is up.
 */
export type RetryAdvice = "anywhere" | "elsewhere" | "never"

const HttpFacts = {
  /** HTTP status of the answer. */
  status: Schema.Int
}

/**
 * Where a hint of how long to wait was found: in one of the two headers, in the body (`RetryInfo`, the message's text),
 * or in the headers that tell when a rate limit is whole again.
 */
export const HintSource = Schema.Literals(["retry-after-ms", "retry-after", "body", "rate limit headers"])
export type HintSource = typeof HintSource.Type

const RetryHint = {
  /** How long the provider asks to wait, in milliseconds; absent when it gave no hint. */
  retryAfterMs: Schema.optionalKey(Schema.Finite),
  /** Where `retryAfterMs` comes from. */
  hint: Schema.optionalKey(HintSource)
}

/** The endpoint's rate limit is spent: 429. */
export class RateLimited extends Schema.TaggedClass<RateLimited>()("RateLimited", { ...HttpFacts, ...RetryHint }) {
  readonly retry: RetryAdvice = "anywhere"
}

/** The account's quota is spent: a 429 or 402 that no short wait mends (`insufficient_quota`, a quota per day). */
export class QuotaExhausted extends Schema.TaggedClass<QuotaExhausted>()("QuotaExhausted", {
  ...HttpFacts,
  /** `day`: a new quota comes with the provider's next day. Absent: somebody has to do something about it. */
  period: Schema.optionalKey(Schema.Literal("day"))
}) {
  readonly retry: RetryAdvice = "elsewhere"
}

/** The endpoint has no capacity now: 503, 529. */
export class Overloaded extends Schema.TaggedClass<Overloaded>()("Overloaded", { ...HttpFacts, ...RetryHint }) {
  readonly retry: RetryAdvice = "anywhere"
}

/** The endpoint failed: 500, 502, 504, 408, 409, 425 and other statuses that are worth another try. */
export class ServerError extends Schema.TaggedClass<ServerError>()("ServerError", { ...HttpFacts, ...RetryHint }) {
  readonly retry: RetryAdvice = "anywhere"
}

/** The endpoint refuses the credential: 401, 403. */
export class Unauthorized extends Schema.TaggedClass<Unauthorized>()("Unauthorized", HttpFacts) {
  readonly retry: RetryAdvice = "elsewhere"
}

/** The endpoint does not have the model or the path: 404, or a redirect. */
export class NotFound extends Schema.TaggedClass<NotFound>()("NotFound", HttpFacts) {
  readonly retry: RetryAdvice = "elsewhere"
}

/** The request is wrong and would be wrong everywhere: 400, 413, 422, other 4xx; or it cannot be encoded. */
export class InvalidRequest extends Schema.TaggedClass<InvalidRequest>()("InvalidRequest", {
  status: Schema.optionalKey(Schema.Int)
}) {
  readonly retry: RetryAdvice = "never"
}

/** No connection, or it broke before the answer was whole (refused, reset, DNS, TLS). */
export class ConnectionFailed extends Schema.TaggedClass<ConnectionFailed>()("ConnectionFailed", {
  /** The system's or the HTTP client's error code, such as `ECONNREFUSED`. */
  code: Schema.String
}) {
  readonly retry: RetryAdvice = "anywhere"
}

/** The endpoint took longer than the endpoint's `timeouts` allow. */
export class TimedOut extends Schema.TaggedClass<TimedOut>()("TimedOut", {
  /** Which of the four timeouts it was. */
  phase: Schema.Literals(["connect", "firstByte", "idle", "total"]),
  /** The limit that was passed, in milliseconds. */
  limitMs: Schema.Finite
}) {
  readonly retry: RetryAdvice = "anywhere"
}

/** A success status with a body that is no answer: truncated JSON, an HTML page, nothing at all, missing fields. */
export class InvalidAnswer extends Schema.TaggedClass<InvalidAnswer>()("InvalidAnswer", HttpFacts) {
  readonly retry: RetryAdvice = "anywhere"
}

/** The request's own deadline passed before an answer came. */
export class DeadlineExceeded extends Schema.TaggedClass<DeadlineExceeded>()("DeadlineExceeded", {
  /** The deadline, in milliseconds from the call. */
  deadlineMs: Schema.Finite
}) {
  readonly retry: RetryAdvice = "never"
}

/**
 * The client did not take the request: it is draining, or full and told not to wait, or its budget is spent, or the request
 * may use none of the endpoints, or it may take more tokens than this process may ever send to the endpoint (`TooLarge`).
 */
export class Rejected extends Schema.TaggedClass<Rejected>()("Rejected", {
  cause: Schema.Literals(["Draining", "QueueFull", "BudgetSpent", "NoEndpoint", "TooLarge"])
}) {
  readonly retry: RetryAdvice = this.cause === "TooLarge" ? "elsewhere" : "never"
}

/** What happened; `_tag` says which, `retry` whether another try may help. */
export const GenAiErrorReason = Schema.Union([
  RateLimited,
  QuotaExhausted,
  Overloaded,
  ServerError,
  Unauthorized,
  NotFound,
  InvalidRequest,
  ConnectionFailed,
  TimedOut,
  InvalidAnswer,
  DeadlineExceeded,
  Rejected
])
export type GenAiErrorReason = typeof GenAiErrorReason.Type

/**
 * A request that got no answer.
 *
 * `message` is a sentence for people and holds neither keys nor headers; `reason` is for programs.
 */
export class GenAiError extends Schema.TaggedError<GenAiError>()("GenAiError", {
  message: Schema.String,
  reason: GenAiErrorReason,
  /** Name of the endpoint that failed last; absent when none was reached. */
  endpoint: Schema.optionalKey(Schema.String),
  /** How many times the request was sent, over all endpoints. */
  attempts: Schema.Int
}) {
  /** How long the provider asks to wait before the next try, in milliseconds. */
  get retryAfterMs(): number | undefined {
    return "retryAfterMs" in this.reason ? this.reason.retryAfterMs : undefined
  }
}
