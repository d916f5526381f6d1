/**
 * Why the service did not answer a request: one error for all of its routes. Each route says it in its clients' own
 * format: ProblemDetails (RFC 9457) or a dialect's error body.
 */
import * as Schema from "effect/Schema"

/** What went wrong, and the HTTP status that says so. */
export const statuses = {
  /** The request cannot be understood; `field` names the place. */
  InvalidRequest: 400,
  /** No API key, or one that is not known. */
  Unauthorized: 401,
  /** The API key may not do this: another owner's job, a model that is not allowed. */
  Forbidden: 403,
  /** No such route, job or model. */
  NotFound: 404,
  MethodNotAllowed: 405,
  /** An idempotency key that was used for another request, or a job that has ended. */
  Conflict: 409,
  /** The body is longer than the service takes. */
  TooLarge: 413,
  /** The body is not JSON. */
  UnsupportedMediaType: 415,
  /** The endpoints understood the request and refuse it. */
  Unprocessable: 422,
  /** The API key's own limit, or the endpoints' rate limit. */
  RateLimited: 429,
  /** A defect of the service. */
  Internal: 500,
  /** The endpoints failed: broken connections, answers that are none, credentials that are refused. */
  UpstreamFailed: 502,
  /** Every queue is full, or no endpoint takes requests. */
  Overloaded: 503,
  /** The service is shutting down. */
  Draining: 503,
  /** No answer within the deadline. */
  TimedOut: 504
} as const

/** What went wrong, as a word; `Problem.status` is the HTTP status that says so. */
export const ProblemKind = Schema.Literals(
  Object.keys(statuses) as [keyof typeof statuses, ...Array<keyof typeof statuses>]
)
export type ProblemKind = keyof typeof statuses

/** `message` is a sentence for people that holds no secrets and says what to do. */
export class Problem extends Schema.TaggedError<Problem>()("Problem", {
  kind: ProblemKind,
  message: Schema.String,
  /** A finer word for programs, such as `model_not_found` or a `GenAiError` reason. */
  code: Schema.optionalKey(Schema.String),
  /** The place in the request, such as `messages[0].role`. */
  field: Schema.optionalKey(Schema.String),
  /** When another try may succeed, in milliseconds from now. */
  retryAfterMs: Schema.optionalKey(Schema.Finite)
}) {
  get status(): number {
    return statuses[this.kind]
  }

  /** As clients are told it: a sentence that quotes their own words is cut, however long those were. */
  get told(): { readonly message: string; readonly field: string | undefined } {
    return { message: cut(this.message, 2_000), field: this.field === undefined ? undefined : cut(this.field, 200) }
  }
}

/** To whoever asks for something new of a service that ends, or whose answer it does not finish. */
export const draining = new Problem({
  kind: "Draining",
  message: "The service is shutting down: send the request again, to another instance if there is one."
})

/** One word for a problem: the finest that there is. */
export const wordOf = ({ code, kind }: Problem): string => code ?? kind

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most).toWellFormed()}...`
