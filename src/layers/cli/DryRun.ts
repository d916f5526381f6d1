/** `run --dry-run`: checks the config and every row, and says what would be sent where. */
import * as Effect from "effect/Effect"
import { describeText } from "../../domain/config/Describe.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { maxTokensOf } from "../../domain/genai/TokenEstimate.ts"
import * as DryRunText from "../../domain/report/DryRunText.ts"
import { estimate } from "../../domain/report/Estimate.ts"
import * as Line from "../../domain/report/Line.ts"
import { type BatchCheck, BatchRunner } from "../../services/BatchRunner.ts"
import { ExitCode, ExitStatus } from "./ExitStatus.ts"
import { warn } from "./Failures.ts"
import { Output } from "./Output.ts"
import { batchOptions } from "./Run.ts"
import type { RunPlan } from "./RunPlan.ts"

/** Reads all rows, sends none. Fails with `ExitStatus` when some are invalid, with `BatchError` when the files are not right. */
export const dryRun = Effect.fn("Cli.dryRun")(function* (plan: RunPlan, config: DispatcherConfig, source: string) {
  const runner = yield* BatchRunner
  const { out } = yield* Output
  const check = yield* runner.check(batchOptions(plan, config))
  const { width } = yield* out.size
  const lines = DryRunText.lines(
    {
      source,
      settings: describeText(config).split("\n"),
      input: plan.input,
      saveFile: plan.saveFile,
      errorsFile: plan.errorsFile,
      valid: check.valid,
      invalid: check.invalid,
      resumed: check.resumed,
      samples: check.samples,
      endpoints: estimates(check, config),
      maxCost: plan.budget.maxCost,
      exactShares: config.policy === "weighted"
    },
    width
  )
  yield* out.write(`${lines.map((line) => Line.render(line, { colors: out.colors })).join("\n")}\n`)
  yield* warn(check.warnings)
  if (check.invalid > 0) return yield* new ExitStatus({ code: ExitCode.failed })
})

/** The endpoints with what they would be asked for; those of kind `raw` count no tokens. */
const estimates = ({ asked, valid }: BatchCheck, { endpoints }: DispatcherConfig) =>
  estimate(
    { ...asked, rows: valid },
    endpoints.map(({ kind, name, parameters, prices, weight }) => ({
      name,
      weight,
      countsTokens: kind !== "raw",
      maxTokens: maxTokensOf(parameters),
      prices
    }))
  )
