/** How long an answer asks to wait before the next try, read from its headers and from the words of its message. */
import type { HintSource } from "../genai/GenAiError.ts"

/**
 * The wait in milliseconds that the headers ask for; `undefined` when they ask for none that can be understood.
 *
 * `retry-after-ms` (OpenAI, Azure) comes before `retry-after`, which is seconds or an HTTP date (RFC 9110, 10.2.3). A date
 * that has passed means 0. Hints that a provider puts into its body are that provider's to read: see
 * `ErrorFacts.retryAfterMs`.
 */
export const fromHeaders = (headers: Readonly<Record<string, string>>, nowMs: number): number | undefined =>
  read(headers, nowMs)?.retryAfterMs

/** How long to wait, and who says so. */
export interface RetryHint {
  readonly retryAfterMs: number
  readonly hint: HintSource
}

/** `fromHeaders`, with the header that it comes from. */
export const read = (headers: Readonly<Record<string, string>>, nowMs: number): RetryHint | undefined => {
  const ms = headers["retry-after-ms"]?.trim()
  if (ms !== undefined && NUMBER.test(ms)) return { retryAfterMs: Number(ms), hint: "retry-after-ms" }
  const after = headers["retry-after"]?.trim()
  const retryAfterMs = after === undefined ? undefined : fromRetryAfter(after, nowMs)
  return retryAfterMs === undefined ? undefined : { retryAfterMs, hint: "retry-after" }
}

const fromRetryAfter = (after: string, nowMs: number): number | undefined => {
  if (NUMBER.test(after)) return Number(after) * 1000
  if (!HTTP_DATE.test(after)) return undefined
  // The asctime form names no zone: HTTP dates are always GMT.
  const date = Date.parse(after.endsWith("GMT") ? after : `${after} GMT`)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

/** Seconds are whole in the standard, but some servers send fractions. */
const NUMBER = /^\d+(\.\d+)?$/

/** All three forms begin with the name of a day; `Date.parse` alone takes nearly anything. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /

/**
 * The wait in milliseconds that a message for people asks for: `Please try again in 6m0s.` (OpenAI), `Please retry after 26
 * seconds.` (Azure), `Please retry in 44.097740004s.`, `900.2ms` (Gemini). `undefined` when it asks for none.
 */
export const fromMessage = (message: string): number | undefined => {
  const wait = WAIT.exec(message.slice(0, 4096))?.[1]
  return wait === undefined ? undefined : durationMs(wait)
}

/** One or more numbers with units, such as `1h2m3.5s`, in whole milliseconds; rounded up, a shorter wait is no use. */
export const durationMs = (text: string): number => {
  let sum = 0
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?) ?(ms|h|m|s)/gi)) {
    sum += Number(value) * (UNIT_MS[unit!.toLowerCase()] ?? 0)
  }
  return Math.ceil(sum)
}

/** The first letters of `second`, `minute` and `hour` are their units; `milliseconds` are in nobody's messages. */
const WAIT = /(?:retry|try again) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|h|m|s))+|\d+(?:\.\d+)? (?:s|m|h)(?:ec|in|our))/i

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
