/** What tokens cost at one endpoint. */

/**
 * Money per 1,000,000 tokens, in whatever currency the user counts; at least 0.
 *
 * Sums over endpoints make sense only when all prices are in the same currency.
 */
export interface Prices {
  /** For tokens read. */
  readonly input: number
  /** For tokens written. */
  readonly output: number
  /** For those tokens read that came from the provider's cache. Default: the price of `input`. */
  readonly cachedInput?: number
}

/** Tokens as counted by a provider. */
export interface TokenCounts {
  /** Tokens read, those from a cache included. */
  readonly inputTokens: number
  /** Those of the tokens read that came from a cache. */
  readonly cachedInputTokens: number
  /** Tokens written. */
  readonly outputTokens: number
}

/** Money, in the currency of the prices. */
export interface Cost {
  /** For tokens read that did not come from a cache. */
  readonly input: number
  readonly cachedInput: number
  readonly output: number
}

const PER = 1_000_000

/** What so many tokens cost. */
export const costOf = (prices: Prices, tokens: TokenCounts): Cost => {
  // A provider that counts cached tokens apart must not lead to a negative cost.
  const cached = Math.min(tokens.cachedInputTokens, tokens.inputTokens)
  return {
    input: ((tokens.inputTokens - cached) * prices.input) / PER,
    cachedInput: (cached * (prices.cachedInput ?? prices.input)) / PER,
    output: (tokens.outputTokens * prices.output) / PER
  }
}

export const totalOf = (cost: Cost): number => cost.input + cost.cachedInput + cost.output

/** Money for JSON: in millionths, so that it has no binary tail. */
export const rounded = (money: number): number => Math.round(money * 1e6) / 1e6

/** The sum; `undefined` for no costs at all. */
export const addCosts = (costs: ReadonlyArray<Cost>): Cost | undefined =>
  costs.length === 0
    ? undefined
    : costs.reduce((sum, cost) => ({
        input: sum.input + cost.input,
        cachedInput: sum.cachedInput + cost.cachedInput,
        output: sum.output + cost.output
      }))
