/** A problem as ProblemDetails (RFC 9457). */
import * as Schema from "effect/Schema"
import { type Problem, type ProblemKind, wordOf } from "./Problem.ts"

export const problemContentType = "application/problem+json"

/** The body of every answer of the control plane that is an error. */
export const ProblemBody = Schema.Struct({
  /** `about:blank`: the title says it all (RFC 9457, 4.2.1). */
  type: Schema.String,
  title: Schema.String,
  status: Schema.Int,
  /** A sentence for people. */
  detail: Schema.String,
  /** A word for programs. */
  code: Schema.String,
  /** The place in the request, such as `messages[0].role`. */
  field: Schema.optionalKey(Schema.String),
  /** All places that are known to be wrong. */
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })))
}).annotate({ identifier: "ProblemDetails" })
export type ProblemBody = typeof ProblemBody.Type

const titles: Readonly<Record<ProblemKind, string>> = {
  InvalidRequest: "The request is not valid",
  Unauthorized: "A valid API key is needed",
  Forbidden: "The API key may not do this",
  NotFound: "Not found",
  MethodNotAllowed: "The method is not allowed",
  Conflict: "It conflicts with what is there",
  TooLarge: "The body is too large",
  UnsupportedMediaType: "The body's type is not supported",
  Unprocessable: "The endpoints refuse the request",
  RateLimited: "Too many requests",
  Internal: "The service failed",
  UpstreamFailed: "The endpoints failed",
  Overloaded: "The service is full",
  Draining: "The service is shutting down",
  TimedOut: "No answer in time"
}

export const problemBody = (problem: Problem): ProblemBody => {
  const { field, message } = problem.told
  return {
    type: "about:blank",
    title: titles[problem.kind],
    status: problem.status,
    detail: message,
    code: wordOf(problem),
    ...(field === undefined ? {} : { field, errors: [{ path: field, message }] })
  }
}

/**
 * When to try again, in whole seconds (RFC 9110, 10.2.3): rounded up, so that nobody comes too early, and never 0, which
 * clients take for no hint.
 */
export const retryAfter = ({ retryAfterMs }: Problem): Readonly<Record<string, string>> =>
  retryAfterMs === undefined ? {} : { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }
