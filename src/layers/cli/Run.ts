/** `run`, once flags and config are settled: sends the rows, shows progress, sums up. */

import * as path from "node:path"
import * as Effect from "effect/Effect"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { formatDuration } from "../../domain/config/DurationText.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import * as Format from "../../domain/report/Format.ts"
import * as Line from "../../domain/report/Line.ts"
import * as Summary from "../../domain/report/Summary.ts"
import * as SummaryText from "../../domain/report/SummaryText.ts"
import type { BatchError, BatchReport, BatchRun } from "../../services/BatchRunner.ts"
import { type BatchOptions, BatchRunner } from "../../services/BatchRunner.ts"
import type { Spending, Spent } from "../genai/Spending.ts"
import { flagOf, stoppedSentence, stoppingSentence } from "./Budgets.ts"
import { ExitCode, ExitStatus } from "./ExitStatus.ts"
import { errorLine, warn } from "./Failures.ts"
import { Output, type OutputStream } from "./Output.ts"
import type { DisplayMode } from "./ProgressDisplay.ts"
import * as ProgressDisplay from "./ProgressDisplay.ts"
import type { RunPlan } from "./RunPlan.ts"
import { StopSignals } from "./StopSignals.ts"

/**
 * Sends the rows and accounts for them.
 *
 * Fails with `BatchError` when the files are not right and nothing was sent, and with `ExitStatus` when not every row was
 * saved: what there is to say about that has been said.
 */
export const run = (plan: RunPlan, config: DispatcherConfig, spending: Spending) =>
  Effect.gen(function* () {
    const runner = yield* BatchRunner
    const batch = yield* runner.start(batchOptions(plan, config))
    const { report, signalled } = yield* Effect.catchTag(follow(plan, batch, spending), "BatchError", (error) =>
      breakOff(plan, error)
    )
    yield* warn(report.warnings)
    const interrupted = report.outcome === "interrupted"
    // Whoever was first has stopped it: what is in flight at Ctrl-C may spend the rest of the budget.
    const spent = interrupted && !signalled ? spending.spent : undefined
    yield* sumUp(plan, report, yield* batch.endpoints, spent)
    if (interrupted && signalled) return yield* new ExitStatus({ code: ExitCode.interrupted })
    if (interrupted || report.failed > 0) return yield* new ExitStatus({ code: ExitCode.failed })
  }).pipe(
    Effect.scoped,
    // Outside the scope: only when it has closed is everything written that came in.
    Effect.onInterrupt(() => stoppedAtOnce(plan))
  )

/** What the batch needs to know; `anyObject` when no endpoint looks into the rows. */
export const batchOptions = (plan: RunPlan, config: DispatcherConfig): BatchOptions => ({
  input: plan.input,
  saveFile: plan.saveFile,
  errorsFile: plan.errorsFile,
  existing: plan.existing,
  format: plan.format,
  outputFormat: plan.outputFormat,
  ordered: plan.ordered,
  limit: plan.limit,
  maxOutstanding: maxOutstanding(config),
  anyObject: config.endpoints.every((endpoint) => endpoint.kind === "raw")
})

/**
 * Enough rows to keep every slot busy while others wait to be sent again or written; no more, for memory's sake. Where
 * endpoints find their concurrency by themselves this is what may ever be needed: the client's `room` holds rows to what it is
 * at the time.
 */
const maxOutstanding = (config: DispatcherConfig): number =>
  2 * config.endpoints.reduce((sum, endpoint) => sum + endpoint.concurrency, 0) + 64

/** Shows the run until it ends; the first stop signal ends it early, and so does a budget that is spent. */
const follow = (plan: RunPlan, batch: BatchRun, spending: Spending) =>
  Effect.scoped(
    Effect.gen(function* () {
      const output = yield* Output
      const signals = yield* StopSignals
      const display = yield* ProgressDisplay.show(displayMode(plan, output), output.err, {
        title: plan.input === "-" ? "standard input" : path.basename(plan.input),
        rows: batch.progress,
        stats: batch.endpoints
      })
      const stop = Effect.fnUntraced(function* (why: string, howToCut: string) {
        const inflight = (yield* batch.endpoints).reduce((sum, endpoint) => sum + endpoint.inflight, 0)
        const grace = formatDuration(plan.graceMs)
        yield* display.stopping(`stopping: ${why}${Format.count(inflight)} in flight, up to ${grace}; ${howToCut}`)
        yield* batch.stop(plan.graceMs)
      })
      let signalled = false
      yield* signals.intercept(
        Effect.suspend(() => {
          signalled = spending.spent === undefined
          return stop("", "Ctrl-C again to stop at once")
        })
      )
      yield* Effect.forkScoped(
        Effect.flatMap(spending.awaitSpent, (spent) =>
          signalled ? Effect.void : stop(`${stoppingSentence(plan, spent)}; `, "Ctrl-C twice to stop at once")
        )
      )
      const report = yield* batch.await
      return { report, signalled }
    })
  )

/** `auto` decided: a live display needs a terminal of its own, not one that answers are written to. */
const displayMode = (plan: RunPlan, output: Output["Service"]): DisplayMode => {
  if (plan.progress !== "auto") return plan.progress
  const shared = plan.saveFile === "-" && output.out.isTerminal
  return output.err.isTerminal && !shared ? "live" : "plain"
}

/** Results that go to standard output have it for themselves. */
const reportStream = (plan: RunPlan, output: Output["Service"]): OutputStream =>
  plan.saveFile === "-" ? output.err : output.out

const sumUp = Effect.fnUntraced(function* (
  plan: RunPlan,
  report: BatchReport,
  stats: ReadonlyArray<EndpointStats>,
  spent: Spent | undefined
) {
  const output = yield* Output
  const stream = reportStream(plan, output)
  const summary = Summary.make({
    report,
    stats,
    saveFile: plan.saveFile,
    errorsFile: plan.errorsFile,
    rerun: plan.rerunCommand,
    resume: plan.resumeCommand,
    stoppedBy: spent && flagOf(spent)
  })
  if (plan.progress === "json") yield* stream.write(`${JSON.stringify(Summary.json(summary))}\n`)
  else {
    const { width } = yield* stream.size
    const lines = SummaryText.lines(summary, width).map((line) => Line.render(line, { colors: stream.colors }))
    yield* stream.write(`${lines.join("\n")}\n`)
  }
  if (spent !== undefined) {
    yield* output.err.write(`${errorLine(output.err, stoppedSentence(plan, spent, summary))}\n`)
  }
})

/** A file failed on the way, such as a full disk: some rows were sent, so this is no wrong usage. */
const breakOff = Effect.fnUntraced(function* (plan: RunPlan, error: BatchError) {
  const { err } = yield* Output
  yield* err.write(`${errorLine(err, error.message)}\n${goOn(plan)}`)
  return yield* new ExitStatus({ code: ExitCode.failed })
})

const stoppedAtOnce = Effect.fnUntraced(function* (plan: RunPlan) {
  const { err } = yield* Output
  yield* err.write(`Stopped at once: what was answered is saved, what was in flight is dropped.\n${goOn(plan)}`)
})

const goOn = (plan: RunPlan): string => (plan.resumeCommand === undefined ? "" : `Go on with: ${plan.resumeCommand}\n`)
