/**
 * What Google's APIs say of a failure, and how long they ask to wait.
 *
 * @see https://cloud.google.com/apis/design/errors
 */
import { isObject } from "effect/Predicate"
import * as ErrorBody from "./ErrorBody.ts"
import type { Complaint } from "./Failures.ts"
import * as Json from "./Json.ts"
import * as RetryHint from "./RetryHint.ts"
import type { WireResponse } from "./Wire.ts"

/** How long a quota per minute is spent at most, in milliseconds. */
export const MINUTE_QUOTA_MS = 60_000

/**
 * The complaint in a failed answer; `undefined` when nothing in it can be understood.
 *
 * The wait comes from `RetryInfo`, else from the message (`Please retry in 44.09s`), else from the headers; a quota per
 * minute without any of these is waited for `MINUTE_QUOTA_MS`. A quota per day is used up, whatever wait comes with it.
 */
export const read = (document: unknown, response: WireResponse = IN_A_STREAM): Complaint | undefined => {
  const error = errorIn(document, 0)
  if (error === undefined) return isMissingPage(response) ? { message: MISSING_PAGE } : ErrorBody.read(document)
  const { message, code, type } = ErrorBody.read({ error }) ?? {}
  const details = detailsOf(error)
  const quotas = quotaIds(details)
  const status = Json.text(Json.field(error, "status")) ?? code
  const reason = details.map((detail) => Json.text(Json.field(detail, "reason"))).find((word) => word !== undefined)
  const said = { message, code: status }
  if (quotas.some((id) => PER_DAY.test(id))) return { ...said, type: "daily_quota" }
  return {
    ...said,
    type: meaning(reason, status, message ?? "") ?? type,
    retryAfterMs: retryInfo(details) ?? RetryHint.fromMessage(message ?? "") ?? minuteHint(response, quotas)
  }
}

/** Whether a document that came with a success status tells of a failure all the same. */
export const isError = (document: unknown): boolean => errorIn(document, 0) !== undefined || ErrorBody.isError(document)

/** Errors in the middle of a stream have nothing around them. */
const IN_A_STREAM: WireResponse = { status: 200, headers: {}, body: "" }

/**
 * The innermost error of a document: errors come in lists, and errors of inner services come as JSON in the message of an
 * outer one, which knows less.
 */
const errorIn = (document: unknown, depth: number): object | undefined => {
  if (Array.isArray(document)) {
    if (depth === MAX_DEPTH) return undefined
    return document.map((element) => errorIn(element, depth + 1)).find((found) => found !== undefined)
  }
  const error = Json.field(document, "error")
  if (!isObject(error)) return undefined
  const message = Json.text(Json.field(error, "message"))?.trim() ?? ""
  if (depth === MAX_DEPTH || !/^[{[]/.test(message)) return error
  return errorIn(Json.parse(message), depth + 1) ?? error
}

/** Deeper than errors are wrapped; keeps a hostile document from filling the stack. */
const MAX_DEPTH = 4

const detailsOf = (error: object): ReadonlyArray<unknown> => {
  const details = Json.field(error, "details")
  return Array.isArray(details) ? details : []
}

/** What `QuotaFailure` says is spent, such as `GenerateRequestsPerDayPerProjectPerModel`. */
const quotaIds = (details: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  details.flatMap((detail) => {
    const violations = Json.field(detail, "violations")
    const ofFailure = Array.isArray(violations) ? violations.map((violation) => Json.field(violation, "quotaId")) : []
    const ofInfo = Json.field(Json.field(detail, "metadata"), "quota_limit")
    return [...ofFailure, ofInfo].filter((id) => typeof id === "string")
  })

const PER_DAY = /PerDay/i
const PER_MINUTE = /PerMinute/i

/** The classifier's word for what status and HTTP status leave open; see `Classify`. */
const meaning = (reason: string | undefined, status: string | undefined, message: string): string | undefined => {
  if (reason === "MODEL_CAPACITY_EXHAUSTED") return "overloaded"
  if (reason === "API_KEY_INVALID" || reason === "API_KEY_EXPIRED") return "invalid_api_key"
  if (status === "FAILED_PRECONDITION" && ACCOUNT_WORDS.test(message)) return "invalid_api_key"
  return undefined
}

/** A refused precondition that is the account's, not the request's: another endpoint may be free of it. */
const ACCOUNT_WORDS = /billing|location is not supported|free tier|not available in your country/i

/** `google.rpc.RetryInfo.retryDelay`, a protobuf duration: seconds with a fraction and an `s`. */
const retryInfo = (details: ReadonlyArray<unknown>): number | undefined => {
  for (const detail of details) {
    const delay = Json.text(Json.field(detail, "retryDelay"))
    if (delay !== undefined && /^\d+(\.\d+)?s$/.test(delay)) return RetryHint.durationMs(delay)
  }
  return undefined
}

const minuteHint = ({ headers }: WireResponse, quotas: ReadonlyArray<string>): number | undefined =>
  headers["retry-after"] === undefined && quotas.some((id) => PER_MINUTE.test(id)) ? MINUTE_QUOTA_MS : undefined

/** Google's front end has no JSON for what no API serves, such as the host of a location that does not exist. */
const isMissingPage = ({ status, body }: WireResponse): boolean => status === 404 && /^\s*<(!doctype|html)/i.test(body)

const MISSING_PAGE = "a web page came, not an API's answer: check the location, the project and the path of the baseUrl"
