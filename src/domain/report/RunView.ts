/** One moment of a run, as displays show it: what the counters say, made comparable. */
import type { EndpointStats } from "../genai/EndpointStats.ts"
import type { Cost } from "../genai/Prices.ts"
import { addCosts, totalOf } from "../genai/Prices.ts"
import type { RateWindow } from "./Rates.ts"
import * as Rates from "./Rates.ts"

/** Counts of rows, now; `done` = `saved` + `failed`. */
export interface RowCounts {
  /** `undefined` while unknown. */
  readonly total: number | undefined
  /** Done by an earlier run; included in `saved` or `failed`. */
  readonly resumed: number
  readonly saved: number
  /** The invalid ones included. */
  readonly failed: number
  /** Rows that could not be read as a request. */
  readonly invalid: number
}

/** One endpoint, now. */
export interface EndpointView {
  readonly name: string
  /** Part of all requests that were sent so far, 0 to 1. */
  readonly share: number
  readonly inflight: number
  readonly queued: number
  readonly sent: number
  readonly ok: number
  /** Attempts that failed. */
  readonly errors: number
  readonly p50Ms: number | undefined
  /** Money spent; `undefined` for an endpoint without prices. */
  readonly cost: number | undefined
}

/** A run, now. */
export interface RunView {
  /** What is being run: the name of the input. */
  readonly title: string
  readonly elapsedMs: number
  readonly rows: RowCounts
  /** `saved` + `failed`. */
  readonly done: number
  /** Attempts that failed and were, or will be, made again. */
  readonly retried: number
  readonly inflight: number
  readonly requestsPerSecond: number | undefined
  /** Tokens read and written. */
  readonly tokensPerSecond: number | undefined
  readonly etaMs: number | undefined
  /** Money spent over all endpoints that have prices; `undefined` when none has. */
  readonly cost: number | undefined
  /** The run was told to stop and waits for what is in flight. */
  readonly stopping: boolean
  readonly endpoints: ReadonlyArray<EndpointView>
}

export interface RunViewInput {
  readonly title: string
  readonly elapsedMs: number
  readonly rows: RowCounts
  /** The counts when the run began: what earlier runs had done. */
  readonly before: RowCounts
  readonly window: RateWindow
  readonly stopping: boolean
  readonly stats: ReadonlyArray<EndpointStats>
}

/** The counters as a sample for `Rates`. */
export const sample = (atMs: number, rows: RowCounts, stats: ReadonlyArray<EndpointStats>): Rates.Sample => ({
  atMs,
  rows: rows.saved + rows.failed,
  sent: sum(stats, (endpoint) => endpoint.sent),
  tokens: sum(stats, (endpoint) => endpoint.inputTokens + endpoint.outputTokens)
})

export const make = (input: RunViewInput): RunView => {
  const { before, rows, stats } = input
  const done = rows.saved + rows.failed
  const sent = sum(stats, (endpoint) => endpoint.sent)
  return {
    title: input.title,
    elapsedMs: input.elapsedMs,
    rows,
    done,
    retried: retries(stats, rows.failed - before.failed - (rows.invalid - before.invalid)),
    inflight: sum(stats, (endpoint) => endpoint.inflight),
    requestsPerSecond: Rates.perSecond(input.window, "sent"),
    tokensPerSecond: Rates.perSecond(input.window, "tokens"),
    etaMs: rows.total === undefined ? undefined : Rates.etaMs(input.window, rows.total - done),
    cost: moneyOf(addCosts(stats.flatMap((endpoint) => endpoint.cost ?? []))),
    stopping: input.stopping,
    endpoints: stats.map((endpoint) => ({
      name: endpoint.name,
      share: sent === 0 ? 0 : endpoint.sent / sent,
      inflight: endpoint.inflight,
      queued: endpoint.queueLen,
      sent: endpoint.sent,
      ok: endpoint.succeeded,
      errors: failures(endpoint),
      p50Ms: endpoint.latency.quantile(0.5),
      cost: moneyOf(endpoint.cost)
    }))
  }
}

/**
 * Attempts that were, or will be, made again: every failed attempt but the last one of a row that failed.
 *
 * Counted from failures, not from sends minus rows: a row is counted as done only when it is written, so that answers
 * which wait to be written would look like retries.
 */
export const retries = (stats: ReadonlyArray<EndpointStats>, failedRows: number): number =>
  Math.max(0, sum(stats, failures) - failedRows)

/** Failed attempts of an endpoint, whatever the reason. */
export const failures = (endpoint: EndpointStats): number =>
  Object.values(endpoint.failures).reduce((total, n) => total + n, 0)

const moneyOf = (cost: Cost | undefined): number | undefined => (cost === undefined ? undefined : totalOf(cost))

const sum = (stats: ReadonlyArray<EndpointStats>, figure: (endpoint: EndpointStats) => number): number =>
  stats.reduce((total, endpoint) => total + figure(endpoint), 0)
