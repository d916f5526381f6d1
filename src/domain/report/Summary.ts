/** What a run came to: the facts behind the summary, as text or as JSON. */
import type { EndpointStats } from "../genai/EndpointStats.ts"
import { addCosts, type Cost, rounded, totalOf } from "../genai/Prices.ts"
import * as RunView from "./RunView.ts"

/** A row that failed, for the summary. */
export interface FailedRow {
  readonly line: number
  readonly reason: string
  readonly error: string
}

/** One endpoint, over the whole run. */
export interface EndpointSummary {
  readonly name: string
  /** Requests sent, retries too. */
  readonly sent: number
  /** Part of all requests sent, 0 to 1. */
  readonly share: number
  readonly ok: number
  /** Failed attempts by reason. */
  readonly errors: Readonly<Record<string, number>>
  readonly errorCount: number
  /** Requests that were cut off by the end of the run or by a deadline. */
  readonly aborted: number
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
  readonly inputTokens: number
  /** Those of the tokens read that came from a cache. */
  readonly cachedInputTokens: number
  readonly outputTokens: number
  /** Answers without reported usage: missing in the tokens and in the cost. */
  readonly unmetered: number
  /** `undefined` for an endpoint without prices. */
  readonly cost: Cost | undefined
}

export interface Summary {
  readonly outcome: "completed" | "interrupted"
  readonly rows: RunView.RowCounts
  /** Rows that this run did. */
  readonly doneNow: number
  /** Rows of the input that are not done; `undefined` when the input was not read to its end. */
  readonly left: number | undefined
  readonly retried: number
  readonly elapsedMs: number
  readonly rowsPerSecond: number
  /** Failed rows of this run by reason. */
  readonly failures: Readonly<Record<string, number>>
  /** The first failed rows of this run. */
  readonly samples: ReadonlyArray<FailedRow>
  readonly endpoints: ReadonlyArray<EndpointSummary>
  /** Over the endpoints that have prices; `undefined` when none has. */
  readonly cost: Cost | undefined
  /** The budget that ended the run; absent when none did. */
  readonly stoppedBy: StoppedBy | undefined
  readonly saveFile: string
  readonly errorsFile: string
  /** The command that sends the failed rows again; absent when none was a row that can be sent. */
  readonly rerun: string | undefined
  /** The command that goes on; absent when there is nothing left or no way to go on. */
  readonly resume: string | undefined
}

/** The flag of a budget that was spent. */
export type StoppedBy = "--max-cost" | "--max-tokens-total"

export interface SummaryInput {
  readonly report: RunView.RowCounts & {
    readonly outcome: "completed" | "interrupted"
    readonly failures: Readonly<Record<string, number>>
    readonly samples: ReadonlyArray<FailedRow>
    readonly elapsedMs: number
  }
  readonly stats: ReadonlyArray<EndpointStats>
  readonly saveFile: string
  readonly errorsFile: string
  readonly rerun: string
  readonly resume: string | undefined
  readonly stoppedBy?: StoppedBy | undefined
}

/** The reason that the batch gives to rows which could not be read as a request. */
const INVALID = "InvalidRow"

export const make = (input: SummaryInput): Summary => {
  const { report, stats } = input
  const done = report.saved + report.failed
  const doneNow = done - report.resumed
  const failedNow = Object.values(report.failures).reduce((total, n) => total + n, 0)
  const sent = stats.reduce((total, endpoint) => total + endpoint.sent, 0)
  return {
    outcome: report.outcome,
    rows: {
      total: report.total,
      resumed: report.resumed,
      saved: report.saved,
      failed: report.failed,
      invalid: report.invalid
    },
    doneNow,
    left: report.total === undefined ? undefined : Math.max(0, report.total - done),
    retried: RunView.retries(stats, failedNow - (report.failures[INVALID] ?? 0)),
    elapsedMs: report.elapsedMs,
    rowsPerSecond: report.elapsedMs > 0 ? (doneNow * 1000) / report.elapsedMs : 0,
    failures: report.failures,
    samples: report.samples,
    endpoints: stats.map((endpoint) => ({
      name: endpoint.name,
      sent: endpoint.sent,
      share: sent === 0 ? 0 : endpoint.sent / sent,
      ok: endpoint.succeeded,
      errors: endpoint.failures,
      errorCount: RunView.failures(endpoint),
      aborted: endpoint.aborted,
      p50Ms: endpoint.latency.quantile(0.5),
      p95Ms: endpoint.latency.quantile(0.95),
      p99Ms: endpoint.latency.quantile(0.99),
      inputTokens: endpoint.inputTokens,
      cachedInputTokens: endpoint.cachedInputTokens,
      outputTokens: endpoint.outputTokens,
      unmetered: endpoint.unmetered,
      cost: endpoint.cost
    })),
    cost: addCosts(stats.flatMap((endpoint) => endpoint.cost ?? [])),
    stoppedBy: report.outcome === "interrupted" ? input.stoppedBy : undefined,
    saveFile: input.saveFile,
    errorsFile: input.errorsFile,
    rerun: report.failed > report.invalid ? input.rerun : undefined,
    resume: report.outcome === "interrupted" ? input.resume : undefined
  }
}

/** The summary object of `--progress json`. */
export const json = (summary: Summary): Readonly<Record<string, unknown>> => ({
  type: "summary",
  outcome: summary.outcome,
  total: summary.rows.total ?? null,
  saved: summary.rows.saved,
  failed: summary.rows.failed,
  invalid: summary.rows.invalid,
  resumed: summary.rows.resumed,
  left: summary.left ?? null,
  retried: summary.retried,
  elapsed_ms: Math.round(summary.elapsedMs),
  rows_per_second: Math.round(summary.rowsPerSecond * 10) / 10,
  failures: summary.failures,
  samples: summary.samples,
  endpoints: summary.endpoints.map((endpoint) => ({
    name: endpoint.name,
    sent: endpoint.sent,
    share: Math.round(endpoint.share * 10_000) / 10_000,
    ok: endpoint.ok,
    errors: endpoint.errors,
    aborted: endpoint.aborted,
    p50_ms: endpoint.p50Ms ?? null,
    p95_ms: endpoint.p95Ms ?? null,
    p99_ms: endpoint.p99Ms ?? null,
    input_tokens: endpoint.inputTokens,
    cached_input_tokens: endpoint.cachedInputTokens,
    output_tokens: endpoint.outputTokens,
    unmetered: endpoint.unmetered,
    cost: costJson(endpoint.cost)
  })),
  cost: costJson(summary.cost),
  stopped_by: summary.stoppedBy ?? null,
  save_file: summary.saveFile,
  errors_file: summary.errorsFile,
  rerun: summary.rerun ?? null,
  resume: summary.resume ?? null
})

const costJson = (cost: Cost | undefined): Readonly<Record<string, number>> | null =>
  cost === undefined
    ? null
    : {
        input: rounded(cost.input),
        cached_input: rounded(cost.cachedInput),
        output: rounded(cost.output),
        total: rounded(totalOf(cost))
      }
