/** Rates over a sliding window, from samples of counters that only grow. */

/** The counters at one moment. */
export interface Sample {
  /** Milliseconds since the start. */
  readonly atMs: number
  /** Rows done by this run. */
  readonly rows: number
  /** Requests sent, retries too. */
  readonly sent: number
  /** Tokens read and written. */
  readonly tokens: number
}

/** The samples of the window, oldest first. */
export type RateWindow = ReadonlyArray<Sample>

/** How far back rates look, in milliseconds: long enough to be calm, short enough to show a change. */
export const WINDOW_MS = 10_000

/** Adds a sample and drops those that are too old; one sample from before the window stays as its left edge. */
export const push = (window: RateWindow, sample: Sample, windowMs: number = WINDOW_MS): RateWindow => {
  const samples = [...window, sample]
  const edge = sample.atMs - windowMs
  let first = 0
  while (first + 1 < samples.length && samples[first + 1]!.atMs <= edge) first++
  return samples.slice(first)
}

/** Growth per second over the window; `undefined` until there are two moments to compare. */
export const perSecond = (window: RateWindow, counter: "rows" | "sent" | "tokens"): number | undefined => {
  const first = window[0]
  const last = window.at(-1)
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined
  return ((last[counter] - first[counter]) * 1000) / (last.atMs - first.atMs)
}

/** Milliseconds until `remaining` more rows are done at the present rate; `undefined` when nothing moves. */
export const etaMs = (window: RateWindow, remaining: number): number | undefined => {
  if (remaining <= 0) return 0
  const rate = perSecond(window, "rows")
  return rate === undefined || rate <= 0 ? undefined : (remaining / rate) * 1000
}
