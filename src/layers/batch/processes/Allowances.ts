/**
 * Divides what is left of a budget among the processes of a run.
 *
 * Invariant: what was spent and what is still allowed never add up to more than the budget, beyond what was in flight when an
 * allowance ran out. So a process may go on by itself for a while, and none has to wait for news of the others. And while
 * something of each limit is left, someone may go on: whoever is held by one limit keeps nothing of the other.
 */
import type { Amounts } from "../../genai/Spending.ts"

const LIMITS = ["cost", "tokens"] as const
type Limit = (typeof LIMITS)[number]

/**
 * The least that is allowed at a time, as a part of the budget: much more than sums of floating-point numbers are wrong by,
 * or the last bit of a budget could hold up a run that has nothing left to spend.
 */
const LEAST = 1e-12

const NOTHING: Amounts = { cost: 0, tokens: 0 }

/** What one process has spent, and may spend. */
export interface Allowance {
  readonly spent: Amounts
  /** Its sends end here, until it is allowed more. */
  readonly upTo: Amounts
}

export class Allowances<Holder> {
  private readonly budget: Amounts
  private readonly parts: number
  private readonly limits: ReadonlyArray<Limit>
  private readonly all = new Map<Holder, Allowance>()
  /** Added up as `Spending` does it, so that both are wrong by the same last bit. */
  private total: Amounts = NOTHING

  /** A limit that is infinite is none. Each holder gets at most half of a part of what is left at a time. */
  constructor(budget: Amounts, parts: number) {
    this.budget = budget
    this.parts = parts
    this.limits = LIMITS.filter((limit) => budget[limit] !== Number.POSITIVE_INFINITY)
  }

  get isLimited(): boolean {
    return this.limits.length > 0
  }

  of(holder: Holder): Allowance {
    return this.all.get(holder) ?? { spent: NOTHING, upTo: this.upTo(NOTHING) }
  }

  /** It has spent so much in all; gives what is new of it. */
  spend(holder: Holder, spent: Amounts): Amounts {
    const { spent: before, upTo } = this.of(holder)
    this.all.set(holder, { spent, upTo })
    const added = { cost: spent.cost - before.cost, tokens: spent.tokens - before.tokens }
    this.total = { cost: this.total.cost + added.cost, tokens: this.total.tokens + added.tokens }
    return added
  }

  /** It has nothing to do: what it was allowed and has not spent is for others. */
  release(holder: Holder): void {
    const { spent } = this.of(holder)
    this.all.set(holder, { spent, upTo: this.upTo(spent) })
  }

  /**
   * Allows a holder more when it has little left and there is more; gives whether it did. One that is held all the same, by
   * whichever limit, has to give back what it may still spend of the others: it sends nothing until it is told more.
   */
  raise(holder: Holder): boolean {
    const { spent, upTo } = this.of(holder)
    const raised = { ...upTo }
    for (const limit of this.limits) {
      const ahead = aheadOf({ spent, upTo }, limit)
      const portion = this.portion(this.free(limit) + ahead, limit)
      if (ahead < portion / 2) raised[limit] = spent[limit] + portion
      if (raised[limit] <= spent[limit]) {
        this.release(holder)
        return false
      }
    }
    this.all.set(holder, { spent, upTo: raised })
    return this.limits.some((limit) => raised[limit] > upTo[limit])
  }

  /** What a holder gets of so much. */
  private portion(of: number, limit: Limit): number {
    return of > 0 ? Math.max(of / (2 * this.parts), this.budget[limit] * LEAST) : 0
  }

  /** What is neither spent nor allowed. */
  private free(limit: Limit): number {
    let free = this.budget[limit] - this.total[limit]
    for (const allowance of this.all.values()) free -= aheadOf(allowance, limit)
    return free
  }

  private upTo(amounts: Amounts): Amounts {
    const at = (limit: Limit) => (this.limits.includes(limit) ? amounts[limit] : this.budget[limit])
    return { cost: at("cost"), tokens: at("tokens") }
  }
}

/** What may still be spent before it ends. */
const aheadOf = ({ spent, upTo }: Allowance, limit: Limit): number => Math.max(upTo[limit] - spent[limit], 0)
