/**
 * When a process tells what it has spent.
 *
 * Each message wakes the parent, and costs both more than the answer that it tells of. So it waits to go with others, unless
 * the allowance is running out and the parent may have more.
 */
import type { Amounts } from "../../genai/Spending.ts"

export class SpentReports {
  private readonly tell: (spent: Amounts) => void
  private upTo: Amounts
  private amounts: Amounts = { cost: 0, tokens: 0 }
  private isTold = true
  /** Told at once from here on: when half of what was left, when it was last told or allowed more, is spent. */
  private soonAt: Amounts

  constructor(upTo: Amounts, tell: (spent: Amounts) => void) {
    this.tell = tell
    this.upTo = upTo
    this.soonAt = this.halfway
  }

  /** So much may be spent from now on. */
  allow(upTo: Amounts): void {
    this.upTo = upTo
    this.soonAt = this.halfway
    this.look()
  }

  /** So much was spent in all. */
  spent(amounts: Amounts): void {
    this.amounts = amounts
    this.isTold = false
    this.look()
  }

  /** Tells what is not told yet. */
  flush(): void {
    if (this.isTold) return
    this.isTold = true
    this.soonAt = this.halfway
    this.tell(this.amounts)
  }

  private look(): void {
    const { amounts, soonAt } = this
    if (amounts.cost >= soonAt.cost || amounts.tokens >= soonAt.tokens) this.flush()
  }

  private get halfway(): Amounts {
    const { amounts, upTo } = this
    return {
      cost: amounts.cost + (upTo.cost - amounts.cost) / 2,
      tokens: amounts.tokens + (upTo.tokens - amounts.tokens) / 2
    }
  }
}
