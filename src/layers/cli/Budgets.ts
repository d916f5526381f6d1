/** `--max-cost` and `--max-tokens-total`: whether they can be kept, and what is said when they are spent. */
import * as Effect from "effect/Effect"
import type { DispatcherConfig, EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import { totalOf } from "../../domain/genai/Prices.ts"
import * as Format from "../../domain/report/Format.ts"
import type { Summary } from "../../domain/report/Summary.ts"
import type { Budget, Spent } from "../genai/Spending.ts"
import { type RunPlan, UsageError } from "./RunPlan.ts"

const flags = { maxCost: "--max-cost", maxTokensTotal: "--max-tokens-total" } as const

/** The flag of the limit that was reached. */
export const flagOf = ({ limit }: Spent): (typeof flags)[Spent["limit"]] => flags[limit]

/** Refuses a budget that could not be kept: costs without prices, and endpoints that report no usage. */
export const checkBudget = (budget: Budget, config: DispatcherConfig): Effect.Effect<void, UsageError> => {
  const wanted = (["maxCost", "maxTokensTotal"] as const).find((limit) => budget[limit] !== undefined)
  if (wanted === undefined) return Effect.void
  const raw = config.endpoints.filter(({ kind }) => kind === "raw")
  if (raw.length > 0) {
    return refuse(`${flags[wanted]} cannot be kept: endpoints of kind raw report no usage, such as ${names(raw)}.`)
  }
  const unpriced = config.endpoints.filter(({ prices }) => prices === undefined)
  return budget.maxCost !== undefined && unpriced.length > 0
    ? refuse(
        `--max-cost needs the prices of every endpoint; give ${names(unpriced)} some in the config, ` +
          "per 1,000,000 tokens: prices: { input: 0.15, output: 0.60 }"
      )
    : Effect.void
}

const refuse = (message: string) => Effect.fail(new UsageError({ message }))

const names = (endpoints: ReadonlyArray<EndpointConfig>): string => {
  const all = endpoints.map(({ name }) => name)
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : all.join()
}

const amountOf = (limit: Spent["limit"], amount: number): string =>
  limit === "maxCost" ? Format.money(amount) : `${Format.count(amount)} tokens`

/** While the run stops. */
export const stoppingSentence = (plan: RunPlan, spent: Spent): string =>
  `${flagOf(spent)} ${limitOf(plan, spent)} is spent: ${amountOf(spent.limit, spent.amount)} by reported usage`

const limitOf = ({ budget }: RunPlan, { limit }: Spent): string => {
  const value = budget[limit] ?? 0
  return limit === "maxCost" ? String(value) : Format.count(value)
}

/** When the run has stopped. */
export const stoppedSentence = (plan: RunPlan, spent: Spent, summary: Summary): string => {
  const total =
    spent.limit === "maxCost"
      ? summary.endpoints.reduce((sum, { cost }) => sum + (cost === undefined ? 0 : totalOf(cost)), 0)
      : summary.endpoints.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0)
  const goOn = plan.resumeCommand === undefined ? "" : `; go on, with as much again, with: ${plan.resumeCommand}`
  return `stopped: ${flagOf(spent)} ${limitOf(plan, spent)} is spent, ${amountOf(spent.limit, total)} in all${goOn}`
}
