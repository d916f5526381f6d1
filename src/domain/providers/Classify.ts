/** What a failed answer means for the request: shared by all dialects. */
import {
  type GenAiErrorReason,
  type HintSource,
  InvalidRequest,
  NotFound,
  Overloaded,
  QuotaExhausted,
  RateLimited,
  ServerError,
  Unauthorized
} from "../genai/GenAiError.ts"

/** What is known of a failed answer. */
export interface ErrorFacts {
  /** HTTP status of the answer. */
  readonly status: number
  /** The provider's own code or status word, such as `rate_limit_exceeded`; numbers as text. */
  readonly code?: string | undefined
  /** The provider's class of error, such as `invalid_request_error`. */
  readonly type?: string | undefined
  /** How long to wait in milliseconds: from the headers, or from the body where a provider puts hints there. */
  readonly retryAfterMs?: number | undefined
  /** Where `retryAfterMs` comes from. */
  readonly hint?: HintSource | undefined
}

/**
 * The reason for a failed answer.
 *
 * The provider's own code decides where it is clearer than the status: 429 is "slow down" or "no money left", and some
 * gateways put errors into answers with status 200. The type `daily_quota` is no provider's: it is how a dialect says that
 * a quota per day is used up. Everything else goes by status; see each reason in `GenAiError`.
 */
export const reasonOf = (facts: ErrorFacts): GenAiErrorReason => {
  const status = facts.status >= 200 && facts.status < 300 ? statusWithin(facts) : facts.status
  return byStatus(byCode(status, facts) ?? status, facts)
}

/** The status that a code or type amounts to where it says more than the status of a refused request. */
const byCode = (status: number, { code = "", type = "" }: ErrorFacts): number | undefined => {
  if (status < 400 || status >= 500) return undefined
  if (QUOTA_CODES.has(code) || QUOTA_CODES.has(type)) return 402
  if (code === "invalid_api_key" || type === "invalid_api_key") return 401
  if (type === "overloaded") return 503
  if (code === "model_not_found" || type === "model_not_found") return 404
  return undefined
}

const QUOTA_CODES = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  "daily_quota",
  "billing_error"
])

/** The status that an error in a successful answer stands for: its code when it is one, else by its words. */
const statusWithin = ({ code = "", type = "" }: ErrorFacts): number => {
  const number = Number(code)
  if (Number.isInteger(number) && number >= 400 && number < 600) return number
  const words = `${code} ${type}`.toLowerCase()
  return STATUS_OF_WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? 500
}

const STATUS_OF_WORDS: ReadonlyArray<readonly [pattern: RegExp, status: number]> = [
  [/quota|billing|rate_?limit|resource_exhausted/, 429],
  [/api_key|authenticat|permission|unauthorized|forbidden/, 401],
  [/not_?found/, 404],
  [/overloaded|unavailable|capacity/, 503],
  [/invalid|context_length|too_large|bad_?request/, 400]
]

const byStatus = (status: number, facts: ErrorFacts): GenAiErrorReason => {
  const http = { status: facts.status }
  const { retryAfterMs, hint } = facts
  const hinted =
    retryAfterMs === undefined ? http : { ...http, retryAfterMs, ...(hint === undefined ? undefined : { hint }) }
  switch (status) {
    case 402:
      return new QuotaExhausted(facts.type === "daily_quota" ? { ...http, period: "day" } : http)
    case 429:
      return new RateLimited(hinted)
    case 401:
    case 403:
      return new Unauthorized(http)
    case 404:
      return new NotFound(http)
    case 503:
    case 529:
      return new Overloaded(hinted)
    case 408:
    case 409:
    case 425:
      return new ServerError(hinted)
  }
  if (status >= 500) return new ServerError(hinted)
  // A redirect: what is asked for is not here, so another endpoint may have it.
  return status < 400 ? new NotFound(http) : new InvalidRequest(http)
}
