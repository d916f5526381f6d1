/** How long an answer asks to wait before the next try, read from its headers. */

/**
 * The wait in milliseconds that the headers ask for; `undefined` when they ask for none that can be understood.
 *
 * `retry-after-ms` (OpenAI, Azure) comes before `retry-after`, which is seconds or an HTTP date (RFC 9110, 10.2.3). A date
 * that has passed means 0. Hints that a provider puts into its body are that provider's to read: see
 * `ErrorFacts.retryAfterMs`.
 */
export const fromHeaders = (headers: Readonly<Record<string, string>>, nowMs: number): number | undefined => {
  const ms = headers["retry-after-ms"]?.trim()
  if (ms !== undefined && NUMBER.test(ms)) return Number(ms)
  const after = headers["retry-after"]?.trim()
  if (after === undefined) return undefined
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
