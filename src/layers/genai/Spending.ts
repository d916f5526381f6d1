/** What a client has spent over all its endpoints, and where it has to stop. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
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
 * Counts what answers cost, for the clients that are made with it. Once a limit is reached nothing more is sent, so that it
 * is exceeded by no more than what is in flight at that moment.
 */
export class Spending {
  /** The most that may be spent, by all; infinite where there is no limit. */
  readonly limits: Amounts
  private readonly signal = Deferred.makeUnsafe<Spent>()
  private readonly allowed = Latch.makeUnsafe(true)
  private cost = 0
  private tokens = 0
  private upTo: Amounts = { cost: Number.POSITIVE_INFINITY, tokens: Number.POSITIVE_INFINITY }
  /** Called with what was spent so far, at each answer. */
  onSpent: (amounts: Amounts) => void = () => {}
  /** Called when sends may go on that were held back. */
  onAllowed: () => void = () => {}
  /** The limit that was reached; `undefined` while there is something left. */
  spent: Spent | undefined = undefined

  /** Throws a `RangeError` when a limit is not above 0: a budget that is wrong by mistake must not go for none. */
  constructor(budget: Budget) {
    for (const limit of ["maxCost", "maxTokensTotal"] as const) {
      const most = budget[limit]
      if (most !== undefined && !(most > 0)) throw new RangeError(`${limit}: expected a number above 0, got ${most}`)
    }
    const { maxCost = Number.POSITIVE_INFINITY, maxTokensTotal = Number.POSITIVE_INFINITY } = budget
    this.limits = { cost: maxCost, tokens: maxTokensTotal }
  }

  /** Counts one answer. */
  add(prices: Prices | undefined, usage: Usage | undefined): void {
    if (usage === undefined) return
    const { cachedInputTokens = 0, inputTokens = 0, outputTokens = 0 } = usage
    this.tokens += inputTokens + outputTokens
    if (prices !== undefined) this.cost += totalOf(costOf(prices, { cachedInputTokens, inputTokens, outputTokens }))
    if (this.spent === undefined) this.look()
    this.onSpent(this.amounts)
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
    this.resume()
  }

  /** Whoever keeps the whole budget lets so much be spent here before it is asked again. Default: no limit. */
  allow(upTo: Amounts): void {
    this.upTo = upTo
    if (this.isHeld) this.allowed.closeUnsafe()
    else this.resume()
  }

  /** Whether nothing may be sent until more is allowed, or the budget is spent. */
  get isHeld(): boolean {
    return this.spent === undefined && (this.cost >= this.upTo.cost || this.tokens >= this.upTo.tokens)
  }

  /** Waits until that is over. */
  get awaitAllowed(): Effect.Effect<void> {
    return this.allowed.await
  }

  get isSpent(): boolean {
    return this.spent !== undefined
  }

  /** Waits until a limit is reached. */
  get awaitSpent(): Effect.Effect<Spent> {
    return Deferred.await(this.signal)
  }

  private look(): void {
    const { cost, tokens } = this.limits
    if (this.cost >= cost) this.stop({ limit: "maxCost", amount: this.cost })
    else if (this.tokens >= tokens) this.stop({ limit: "maxTokensTotal", amount: this.tokens })
    else if (this.isHeld) this.allowed.closeUnsafe()
  }

  private resume(): void {
    this.allowed.openUnsafe()
    this.onAllowed()
  }

  private stop(spent: Spent): void {
    this.spent = spent
    Deferred.doneUnsafe(this.signal, Effect.succeed(spent))
  }
}
