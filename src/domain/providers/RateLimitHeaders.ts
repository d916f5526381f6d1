/**
 * What answers say about the rate limits of their endpoint, in the headers of OpenAI (and Azure, Groq, ...) and of
 * Anthropic.
 *
 * @see https://platform.openai.com/docs/guides/rate-limits
 * @see https://docs.anthropic.com/en/api/rate-limits
 */

/** One limit, as the endpoint tells it. Absent: not told, or not to be understood. */
export interface LimitStatus {
  readonly limit: number | undefined
  readonly remaining: number | undefined
  /** Until the limit is whole again, in milliseconds. */
  readonly resetMs: number | undefined
}

export interface RateLimitStatus {
  readonly requests: LimitStatus
  /** Tokens, however they are counted: those of input and output separately where the endpoint has it. */
  readonly tokens: ReadonlyArray<LimitStatus>
}

type Headers = Readonly<Record<string, string>>

/** `undefined` for an answer without such headers, which costs two look-ups. */
export const read = (headers: Headers, nowMs: number): RateLimitStatus | undefined => {
  if (
    headers["x-ratelimit-remaining-requests"] !== undefined ||
    headers["x-ratelimit-remaining-tokens"] !== undefined
  ) {
    return { requests: openAi(headers, "requests"), tokens: [openAi(headers, "tokens")] }
  }
  if (
    headers["anthropic-ratelimit-requests-remaining"] !== undefined ||
    headers["anthropic-ratelimit-tokens-remaining"] !== undefined
  ) {
    const limit = (unit: string) => anthropic(headers, unit, nowMs)
    return { requests: limit("requests"), tokens: [limit("tokens"), limit("input-tokens"), limit("output-tokens")] }
  }
  return undefined
}

/** How long what is spent stays spent, in milliseconds: the longest reset of the limits of which nothing is left. */
export const spentForMs = (status: RateLimitStatus | undefined): number | undefined => {
  if (status === undefined) return undefined
  let longest: number | undefined
  for (const { remaining, resetMs } of [status.requests, ...status.tokens]) {
    if (remaining === 0 && resetMs !== undefined && resetMs > (longest ?? 0)) longest = resetMs
  }
  return longest
}

/**
 * The limit in requests per minute, where the headers show that it is one: `undefined` while too little of it is used to
 * tell, or when it is whole again much sooner or later than a limit per minute would be (some servers have limits per
 * second or per day under the same names).
 */
export const requestsPerMinute = (status: RateLimitStatus): number | undefined => {
  const { limit, remaining, resetMs } = status.requests
  if (limit === undefined || remaining === undefined || limit <= 0) return undefined
  const used = (limit - remaining) / limit
  if (used < 0.1) return undefined
  // Azure tells of resets in whole seconds or not at all; its limits are per minute.
  if (resetMs === undefined) return limit
  const periodMs = resetMs / used
  return resetMs <= MINUTE_MS * 1.02 && periodMs >= MINUTE_MS / 2 ? limit : undefined
}

const MINUTE_MS = 60_000

const openAi = (headers: Headers, unit: string): LimitStatus => ({
  limit: count(headers[`x-ratelimit-limit-${unit}`]),
  remaining: count(headers[`x-ratelimit-remaining-${unit}`]),
  resetMs: goDuration(headers[`x-ratelimit-reset-${unit}`])
})

const anthropic = (headers: Headers, unit: string, nowMs: number): LimitStatus => ({
  limit: count(headers[`anthropic-ratelimit-${unit}-limit`]),
  remaining: count(headers[`anthropic-ratelimit-${unit}-remaining`]),
  resetMs: untilTime(headers[`anthropic-ratelimit-${unit}-reset`], nowMs)
})

const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined

/** A Go duration (`6m0s`, `12ms`), or whole seconds as Azure has it, where 0 and -1 mean nothing. */
const goDuration = (text: string | undefined): number | undefined => {
  const trimmed = text?.trim() ?? ""
  if (/^\d+$/.test(trimmed)) return trimmed === "0" ? undefined : Number(trimmed) * 1000
  if (!/^(\d+(\.\d+)?(h|ms|us|µs|ns|m|s))+$/.test(trimmed)) return undefined
  let sum = 0
  for (const [, value, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)/g)) {
    sum += Number(value) * UNIT_MS[unit as keyof typeof UNIT_MS]
  }
  return Math.ceil(sum)
}

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 }

/** RFC 3339. */
const untilTime = (text: string | undefined, nowMs: number): number | undefined => {
  if (text === undefined || !/^\d{4}-\d\d-\d\dT/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : Math.max(0, time - nowMs)
}
