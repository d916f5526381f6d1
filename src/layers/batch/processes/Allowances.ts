/**
 * Divides what is left of a budget among the processes of a run.
 *
 * Invariant: what was spent and what is still allowed never add up to more than the budget, beyond what was in flight when an
 * allowance ran out. So a process may go on by itself for a while, and none has to wait for news of the others.
 */
import type { Amounts } from "../../genai/Spending.ts"

const LIMITS = ["cost", "tokens"] as const

/** What one process has spent, and may spend. */
export interface Allowance {
  readonly spent: Amounts
  /** Its sends end here, until it is allowed more. */
  readonly upTo: Amounts
}

export class Allowances<Holder> {
  private readonly budget: Amounts
  private readonly parts: number
  private readonly limits: ReadonlyArray<(typeof LIMITS)[number]>
  /** Of those that have ended, too: what they have spent is gone. */
  private readonly all = new Map<Holder, Allowance>()

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
    return { cost: spent.cost - before.cost, tokens: spent.tokens - before.tokens }
  }

  /** It has nothing to do: what it was allowed and has not spent is for others. */
  release(holder: Holder): void {
    const { spent } = this.of(holder)
    this.all.set(holder, { spent, upTo: this.upTo(spent) })
  }

  /** Allows a holder more when it has little left and there is more; gives whether it did. */
  raise(holder: Holder): boolean {
    const { spent, upTo } = this.of(holder)
    const raised = { ...upTo }
    for (const limit of this.limits) {
      const ahead = Math.max(upTo[limit] - spent[limit], 0)
      const portion = (this.free(limit) + ahead) / (2 * this.parts)
      if (ahead < portion / 2) raised[limit] = spent[limit] + portion
    }
    this.all.set(holder, { spent, upTo: raised })
    return this.limits.some((limit) => raised[limit] > upTo[limit])
  }

  /** What is neither spent nor allowed. */
  private free(limit: (typeof LIMITS)[number]): number {
    let free = this.budget[limit]
    for (const { spent, upTo } of this.all.values()) free -= Math.max(spent[limit], upTo[limit])
    return free
  }

  private upTo(amounts: Amounts): Amounts {
    const at = (limit: (typeof LIMITS)[number]) => (this.limits.includes(limit) ? amounts[limit] : this.budget[limit])
    return { cost: at("cost"), tokens: at("tokens") }
  }
}

const NOTHING: Amounts = { cost: 0, tokens: 0 }
