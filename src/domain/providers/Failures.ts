/** The failures of one endpoint, in sentences for people that hold none of its secrets. */
import { type GenAiErrorReason, InvalidAnswer, InvalidRequest } from "../genai/GenAiError.ts"
import { reasonOf } from "./Classify.ts"
import type { ErrorBody } from "./ErrorBody.ts"
import type { Credential, ProviderFailure, ProviderTarget } from "./Provider.ts"
import * as RateLimitHeaders from "./RateLimitHeaders.ts"
import * as RetryHint from "./RetryHint.ts"
import { cut, EXCERPT_LIMIT, MESSAGE_LIMIT, makeHide, oneLine, words } from "./Text.ts"
import type { WireResponse } from "./Wire.ts"

/** What an endpoint says of a failure; absent fields were not said. */
export interface Complaint extends ErrorBody {
  /** How long it asks to wait, in milliseconds, where a provider says so in the body; it outranks the headers. */
  readonly retryAfterMs?: number | undefined
}

export interface Failures {
  /** An answer that tells of a failure, by status or by its body. Without a message the body itself is quoted. */
  readonly answered: (
    response: WireResponse,
    complaint: Complaint | undefined,
    credential: Credential,
    nowMs: number
  ) => ProviderFailure
  /** A success status with a body that is no answer. `problem` is a sentence that says what is wrong with it. */
  readonly invalidAnswer: (response: WireResponse, problem: string, credential: Credential) => ProviderFailure
}

export const make = (target: ProviderTarget): Failures => {
  const hide = makeHide(target)
  const quote = (text: string, limit: number, credential: Credential) =>
    cut(oneLine(words(hide(text.slice(0, QUOTED_FROM), credential))), limit)

  return {
    answered: (response, complaint = {}, credential, nowMs) => {
      const { status, body } = response
      const hint = hintOf(complaint, response, nowMs)
      const reason = reasonOf({ status, code: complaint.code, type: complaint.type, ...hint })
      const said =
        complaint.message === undefined
          ? quote(body, EXCERPT_LIMIT, credential)
          : quote(complaint.message, MESSAGE_LIMIT, credential)
      const code = complaint.code === String(status) ? "" : quote(complaint.code ?? "", 80, credential)
      const lead = `${leadOf(reason, response, credential)} (${code === "" ? status : `${status} ${code}`})`
      return { reason, message: said === "" ? lead : `${lead}: ${said}` }
    },
    invalidAnswer: (response, problem, credential) => {
      const excerpt = quote(response.body, EXCERPT_LIMIT, credential)
      return {
        reason: new InvalidAnswer({ status: response.status }),
        message: excerpt === "" ? problem : `${problem}: ${excerpt}`
      }
    }
  }
}

/** A request that cannot be sent. */
export const invalidRequest = (message: string): ProviderFailure => ({ reason: new InvalidRequest({}), message })

/** Far more than is shown, so that a secret at the end, cut in two and therefore not found, is not shown either. */
const QUOTED_FROM = 65_536

/** The body's hint, else the headers', else the message's; a spent rate limit that says when it is whole again is one too. */
const hintOf = (
  complaint: Complaint,
  { status, headers }: WireResponse,
  nowMs: number
): RetryHint.RetryHint | undefined => {
  if (complaint.retryAfterMs !== undefined) return { retryAfterMs: complaint.retryAfterMs, hint: "body" }
  const said = RetryHint.read(headers, nowMs)
  if (said !== undefined) return said
  const inWords = RetryHint.fromMessage(complaint.message ?? "")
  if (inWords !== undefined) return { retryAfterMs: inWords, hint: "body" }
  if (status !== 429) return undefined
  const retryAfterMs = RateLimitHeaders.spentForMs(RateLimitHeaders.read(headers, nowMs))
  return retryAfterMs === undefined ? undefined : { retryAfterMs, hint: "rate limit headers" }
}

const leadOf = (reason: GenAiErrorReason, response: WireResponse, credential: Credential): string => {
  const { location } = response.headers
  if (response.status >= 300 && response.status < 400) {
    return `the endpoint redirects${placeOf(location)}: set its baseUrl to where the API is`
  }
  if (reason._tag === "Unauthorized" && credential === undefined) {
    return "the endpoint wants a credential and has none: set its API key"
  }
  return LEADS[reason._tag] ?? "the endpoint gave no answer"
}

/** Where a redirect leads, without the query: it may hold secrets. */
const placeOf = (location: string | undefined): string => {
  const url = location === undefined ? null : URL.parse(location)
  return url === null ? "" : ` to ${url.origin}${url.pathname}`
}

const LEADS: Partial<Record<GenAiErrorReason["_tag"], string>> = {
  RateLimited: "rate limit reached",
  QuotaExhausted: "the account's quota is used up",
  Overloaded: "the endpoint has no capacity now",
  ServerError: "the endpoint failed",
  Unauthorized: "the endpoint refuses the credential",
  NotFound: "the endpoint does not have this model or path",
  InvalidRequest: "the endpoint refuses the request"
}
