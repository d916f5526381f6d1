/** What a client has spent over all its endpoints, and where it has to stop. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import { costOf, type Prices, totalOf } from "../../domain/genai/Prices.ts"

/** What may be spent, by the usage that providers report. Absent means no limit. */
export interface Budget {
  /** Money, in the currency of the endpoints' prices; above 0. Answers of endpoints without prices cost nothing here. */
  readonly maxCost?: number | undefined
  /** Tokens read and written; above 0. */
  readonly maxTokensTotal?: number | undefined
}

/** Which limit of the budget was reached, and what had been spent when it was. */
export interface Spent {
  readonly limit: "maxCost" | "maxTokensTotal"
  readonly amount: number
}

/** What was spent. */
export interface Amounts {
  readonly cost: number
  readonly tokens: number
}

/**
 * Counts what answers cost. Once a limit is reached nothing more is sent, so that it is exceeded by no more than what is
 * in flight at that moment.
 */
export class Spending {
  private readonly budget: Budget
  private readonly signal = Deferred.makeUnsafe<Spent>()
  private cost = 0
  private tokens = 0
  /** The limit that was reached; `undefined` while there is something left. */
  spent: Spent | undefined = undefined

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** Counts one answer. */
  add(prices: Prices | undefined, usage: Usage | undefined): void {
    if (usage === undefined) return
    const { cachedInputTokens = 0, inputTokens = 0, outputTokens = 0 } = usage
    this.tokens += inputTokens + outputTokens
    if (prices !== undefined) this.cost += totalOf(costOf(prices, { cachedInputTokens, inputTokens, outputTokens }))
    if (this.spent === undefined) this.look()
  }

  /** Counts what was spent elsewhere. */
  addAmounts({ cost, tokens }: Amounts): void {
    this.cost += cost
    this.tokens += tokens
    if (this.spent === undefined) this.look()
  }

  /** What was spent so far. */
  get amounts(): Amounts {
    return { cost: this.cost, tokens: this.tokens }
  }

  /** A budget that this is a part of is spent. */
  exhaust(spent: Spent): void {
    if (this.spent === undefined) this.stop(spent)
  }

  /** Whether there is any limit. */
  get isLimited(): boolean {
    return this.budget.maxCost !== undefined || this.budget.maxTokensTotal !== undefined
  }

  get isSpent(): boolean {
    return this.spent !== undefined
  }

  /** Waits until a limit is reached. */
  get awaitSpent(): Effect.Effect<Spent> {
    return Deferred.await(this.signal)
  }

  private look(): void {
    const { maxCost = Number.POSITIVE_INFINITY, maxTokensTotal = Number.POSITIVE_INFINITY } = this.budget
    if (this.cost >= maxCost) this.stop({ limit: "maxCost", amount: this.cost })
    else if (this.tokens >= maxTokensTotal) this.stop({ limit: "maxTokensTotal", amount: this.tokens })
  }

  private stop(spent: Spent): void {
    this.spent = spent
    Deferred.doneUnsafe(this.signal, Effect.succeed(spent))
  }
}
