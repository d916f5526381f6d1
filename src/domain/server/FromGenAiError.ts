/** What a client is told of a request that got no answer. */
import type { GenAiError, Rejected } from "../genai/GenAiError.ts"
import { Problem, type ProblemKind } from "./Problem.ts"

/** OpenAI's word for an account without money, which its clients know not to retry. */
export const QUOTA_CODE = "insufficient_quota"

/**
 * The problem in an error.
 *
 * What an endpoint holds against the service itself (its credential, its configured model) is the service's to mend: a
 * client must not read it as said of its own API key or model.
 */
export const fromGenAiError = (error: GenAiError): Problem => {
  const { reason, message } = error
  switch (reason._tag) {
    case "RateLimited":
      return problem("RateLimited", reason._tag, message, reason.retryAfterMs)
    case "QuotaExhausted":
      return problem("RateLimited", QUOTA_CODE, message)
    case "Overloaded":
      return problem("Overloaded", reason._tag, message, reason.retryAfterMs)
    case "ServerError":
      return problem("UpstreamFailed", reason._tag, message, reason.retryAfterMs)
    case "ConnectionFailed":
    case "InvalidAnswer":
      return problem("UpstreamFailed", reason._tag, message)
    case "Unauthorized":
      return problem("UpstreamFailed", reason._tag, `${refused(error)} the service's credential: tell who runs it`)
    case "NotFound":
      return problem("UpstreamFailed", reason._tag, `${refused(error)} the service's model or path: tell who runs it`)
    case "InvalidRequest":
      return problem(INVALID.get(reason.status) ?? "InvalidRequest", reason._tag, message)
    case "TimedOut":
    case "DeadlineExceeded":
      return problem("TimedOut", reason._tag, message)
    case "Rejected":
      return problem(REJECTED[reason.cause], reason._tag, message)
  }
}

const problem = (kind: ProblemKind, code: string, message: string, retryAfterMs?: number): Problem =>
  new Problem({ kind, code, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })

const refused = ({ endpoint }: GenAiError): string =>
  endpoint === undefined ? "The endpoints refuse" : `Endpoint ${endpoint} refuses`

/** Kinds of wrong requests that have a status of their own. */
const INVALID: ReadonlyMap<number | undefined, ProblemKind> = new Map([
  [413, "TooLarge"],
  [422, "Unprocessable"]
])

/** Where no endpoint may be used there is nothing to wait for: that is no overload. */
const REJECTED: Readonly<Record<Rejected["cause"], ProblemKind>> = {
  Draining: "Draining",
  QueueFull: "Overloaded",
  BudgetSpent: "Overloaded",
  NoEndpoint: "UpstreamFailed",
  TooLarge: "TooLarge"
}
