/** How many tokens rows will take and what they will cost, guessed before anything is sent. */
import { costOf, type Prices, totalOf } from "../genai/Prices.ts"
import { shares } from "./Shares.ts"

/** Bytes of text that make one token, as for English. */
export const BYTES_PER_TOKEN = 4

/** Tokens of an answer whose length neither the row nor the endpoint limits. */
export const ASSUMED_ANSWER = 500

/** What the rows ask for, as a whole. */
export interface Asked {
  readonly rows: number
  readonly textBytes: number
  /** Tokens read that do not depend on the text. */
  readonly fixedTokens: number
  /** The sum of the longest answers, over the rows that name one, in tokens. */
  readonly maxTokens: number
  /** Rows that name no longest answer. */
  readonly open: number
}

export interface EstimatedEndpoint {
  readonly name: string
  readonly weight: number
  readonly rows: number
  /** `undefined` for an endpoint that counts no tokens. */
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  /** `undefined` for an endpoint without prices. */
  readonly cost: number | undefined
}

/**
 * The share of each endpoint by weight, each row taken for an average one. Answers are taken to be as long as they may be:
 * what the row says, else the endpoint's own limit, else `ASSUMED_ANSWER`. Retries and cached tokens are not guessed.
 */
export const estimate = (
  asked: Asked,
  endpoints: ReadonlyArray<{
    readonly name: string
    readonly weight: number
    readonly countsTokens: boolean
    /** The longest answer by the endpoint's own parameters. */
    readonly maxTokens: number | undefined
    readonly prices: Prices | undefined
  }>
): ReadonlyArray<EstimatedEndpoint> => {
  const parts = shares(
    asked.rows,
    endpoints.map(({ weight }) => weight)
  )
  return endpoints.map(({ countsTokens, maxTokens, name, prices, weight }, index) => {
    const rows = parts[index] ?? 0
    if (!countsTokens) return { name, weight, rows, inputTokens: undefined, outputTokens: undefined, cost: undefined }
    const share = asked.rows === 0 ? 0 : rows / asked.rows
    const inputTokens = Math.round(share * (asked.textBytes / BYTES_PER_TOKEN + asked.fixedTokens))
    const outputTokens = Math.round(share * (asked.maxTokens + asked.open * (maxTokens ?? ASSUMED_ANSWER)))
    const cost = prices && totalOf(costOf(prices, { inputTokens, cachedInputTokens: 0, outputTokens }))
    return { name, weight, rows, inputTokens, outputTokens, cost }
  })
}
