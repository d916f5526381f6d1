/** A request that got no answer from the endpoints, as a problem of the service. */
import type { GenAiError, GenAiErrorReason } from "../genai/GenAiError.ts"
import { Problem, type ProblemKind } from "./Problem.ts"

/** When a full queue may have room again: queues move all the time. */
const FULL_RETRY_MS = 1_000

const kindOf = (reason: GenAiErrorReason): ProblemKind => {
  switch (reason._tag) {
    case "RateLimited":
    case "QuotaExhausted":
      return "RateLimited"
    case "Overloaded":
      return "Overloaded"
    case "InvalidRequest":
      return reason.status === undefined ? "InvalidRequest" : "Unprocessable"
    case "TimedOut":
    case "DeadlineExceeded":
      return "TimedOut"
    case "Rejected":
      return reason.cause === "Draining" ? "Draining" : "Overloaded"
    case "ServerError":
    case "Unauthorized":
    case "NotFound":
    case "ConnectionFailed":
    case "InvalidAnswer":
      return "UpstreamFailed"
  }
}

/** Its `code` is the reason's `_tag`. */
export const problemOfGenAiError = (error: GenAiError): Problem => {
  const { reason } = error
  const isFull = reason._tag === "Rejected" && reason.cause === "QueueFull"
  const retryAfterMs = isFull ? FULL_RETRY_MS : error.retryAfterMs
  return new Problem({
    kind: kindOf(reason),
    message: error.message,
    code: reason._tag,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })
}
