/** Puts a run together: the config first, then the layers over it, so that nothing opens before the config is right. */
import * as Effect from "effect/Effect"
import * as ProcessBatchRunner from "../batch/processes/ProcessBatchRunner.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import { Spending } from "../genai/Spending.ts"
import { checkBudget } from "./Budgets.ts"
import { dryRun } from "./DryRun.ts"
import { script } from "./Program.ts"
import { run } from "./Run.ts"
import type { RunPlan } from "./RunPlan.ts"
import { splitAmong } from "./SplitConfig.ts"

/** Runs the plan over real files and real HTTP. */
export const execute = Effect.fnUntraced(function* (plan: RunPlan) {
  const { config, source } = yield* ConfigLoader.load({ flags: plan.configFlags, usualConcurrency: "auto" })
  yield* checkBudget(plan.budget, config)
  const shares = yield* splitAmong(config, plan.processes, { source, flags: plan.configFlags })
  const spending = new Spending(plan.budget)
  if (plan.processes > 1 && !plan.dryRun) {
    const processes = ProcessBatchRunner.layer({ script: script(), shares, spending })
    return yield* Effect.provide(run(plan, config, spending), processes)
  }
  const here = yield* Effect.promise(() => import("./RunHere.ts"))
  const program = plan.dryRun ? dryRun(plan, config, ConfigLoader.describeSource(source)) : run(plan, config, spending)
  yield* Effect.provide(program, here.layer(config, spending))
})
