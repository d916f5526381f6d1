/** Puts a run together: the config first, then the layers over it, so that nothing opens before the config is right. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { ConfigError, type ConfigProblem } from "../../domain/config/ConfigError.ts"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import * as ProcessShares from "../../domain/config/ProcessShares.ts"
import * as ProcessBatchRunner from "../batch/processes/ProcessBatchRunner.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import { Spending } from "../genai/Spending.ts"
import { checkBudget } from "./Budgets.ts"
import { dryRun } from "./DryRun.ts"
import { script } from "./Program.ts"
import { run } from "./Run.ts"
import type { RunPlan } from "./RunPlan.ts"

/** Runs the plan over real files and real HTTP. */
export const execute = Effect.fnUntraced(function* (plan: RunPlan) {
  const { config, source } = yield* ConfigLoader.load({ flags: plan.configFlags, usualConcurrency: "auto" })
  yield* checkBudget(plan.budget, config)
  const shares = yield* Result.match(ProcessShares.split(config, plan.processes), {
    onSuccess: Effect.succeed,
    onFailure: (problems) =>
      Effect.fail(
        new ConfigError({
          source: source.file ?? "flags",
          problems: problems.map((problem) => asWritten(problem, plan.configFlags))
        })
      )
  })
  const spending = new Spending(plan.budget)
  if (plan.processes > 1 && !plan.dryRun) {
    const processes = ProcessBatchRunner.layer({ script: script(), shares, spending })
    return yield* Effect.provide(run(plan, config, spending), processes)
  }
  const here = yield* Effect.promise(() => import("./RunHere.ts"))
  const program = plan.dryRun ? dryRun(plan, config, ConfigLoader.describeSource(source)) : run(plan, config, spending)
  yield* Effect.provide(program, here.layer(config, spending))
})

/** What a flag has set is called by the name of the flag. */
const asWritten = ({ message, path }: ConfigProblem, flags: ConfigFlags): ConfigProblem => {
  if (path === "maxRequestsPerSecond" && flags.maxRequestsPerSecond !== undefined) {
    return { path: "--max-requests-per-second", message }
  }
  if (path.endsWith(".concurrency") && flags.concurrency !== undefined) return { path: "--concurrency", message }
  return { path, message }
}
