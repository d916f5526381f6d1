/** Puts a run together: the config first, then the layers over it, so that nothing opens before the config is right. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as FileBatchRunner from "../batch/FileBatchRunner.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import * as DispatchedGenAiClient from "../genai/DispatchedGenAiClient.ts"
import { Spending } from "../genai/Spending.ts"
import * as UndiciTransport from "../transport/UndiciTransport.ts"
import { checkBudget } from "./Budgets.ts"
import { dryRun } from "./DryRun.ts"
import { run } from "./Run.ts"
import type { RunPlan } from "./RunPlan.ts"

/** Runs the plan over real files and real HTTP. */
export const execute = Effect.fnUntraced(function* (plan: RunPlan) {
  const { config, source } = yield* ConfigLoader.load({ flags: plan.configFlags })
  yield* checkBudget(plan.budget, config)
  const spending = new Spending(plan.budget)
  const client = Layer.provide(DispatchedGenAiClient.layer(config, { spending }), UndiciTransport.layer)
  const layers = Layer.provideMerge(FileBatchRunner.layer, client)
  const program = plan.dryRun ? dryRun(plan, config, ConfigLoader.describeSource(source)) : run(plan, config, spending)
  yield* Effect.provide(program, layers)
})
