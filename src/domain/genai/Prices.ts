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
