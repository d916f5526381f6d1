/** Progress for logs: one line of text, or one JSON object. */
import { rounded } from "../genai/Prices.ts"
import * as Format from "./Format.ts"
import type { EndpointView, RunView } from "./RunView.ts"

/**
 * `12.3s  1,234/2,000 (61.7%)  ok 1,200  failed 34  retried 56  in flight 128  412 req/s  51.2K tok/s  cost 1.50  ETA 0:12`;
 * the cost only where endpoints have prices.
 */
export const plain = (view: RunView): string =>
  [
    Format.duration(view.elapsedMs),
    rows(view),
    `ok ${Format.count(view.rows.saved)}`,
    `failed ${Format.count(view.rows.failed)}`,
    `retried ${Format.count(view.retried)}`,
    `in flight ${Format.count(view.inflight)}`,
    `${Format.rate(view.requestsPerSecond)} req/s`,
    `${view.tokensPerSecond === undefined ? Format.unknown : Format.compact(view.tokensPerSecond)} tok/s`,
    ...(view.cost === undefined ? [] : [`cost ${Format.money(view.cost)}`]),
    ...(view.stopping ? ["stopping"] : view.etaMs === undefined ? [] : [`ETA ${Format.clock(view.etaMs)}`])
  ].join("  ")

const rows = (view: RunView): string => {
  const { total } = view.rows
  if (total === undefined) return `${Format.count(view.done)} rows`
  return `${Format.count(view.done)}/${Format.count(total)} (${Format.progress(total === 0 ? 1 : view.done / total)})`
}

/** A progress object of `--progress json`. What is not known is `null`. */
export const json = (view: RunView): Readonly<Record<string, unknown>> => ({
  type: "progress",
  elapsed_ms: Math.round(view.elapsedMs),
  total: view.rows.total ?? null,
  done: view.done,
  saved: view.rows.saved,
  failed: view.rows.failed,
  invalid: view.rows.invalid,
  resumed: view.rows.resumed,
  retried: view.retried,
  in_flight: view.inflight,
  requests_per_second: tenth(view.requestsPerSecond),
  tokens_per_second: tenth(view.tokensPerSecond),
  cost: money(view.cost),
  eta_ms: view.etaMs === undefined ? null : Math.round(view.etaMs),
  stopping: view.stopping,
  endpoints: view.endpoints.map(endpoint)
})

const endpoint = (view: EndpointView): Readonly<Record<string, unknown>> => ({
  name: view.name,
  share: Math.round(view.share * 10_000) / 10_000,
  in_flight: view.inflight,
  queued: view.queued,
  sent: view.sent,
  ok: view.ok,
  errors: view.errors,
  p50_ms: view.p50Ms ?? null,
  cost: money(view.cost)
})

const money = (n: number | undefined): number | null => (n === undefined ? null : rounded(n))

const tenth = (n: number | undefined): number | null => (n === undefined ? null : Math.round(n * 10) / 10)
