/** Figures of endpoints that several processes use: as they are sent, and put together. */
import type { EndpointStats } from "./EndpointStats.ts"
import { Histogram, type HistogramCounts } from "./Histogram.ts"
import type { HealthState } from "./health/EndpointHealth.ts"
import { addCosts } from "./Prices.ts"

/** `EndpointStats` with nothing in it but data. */
export interface EndpointCounts extends Omit<EndpointStats, "wait" | "latency"> {
  readonly wait: HistogramCounts
  readonly latency: HistogramCounts
  /** Of a process that is no more: what it has counted stays, how it saw the endpoint does not matter any longer. */
  readonly hasEnded?: true
}

/** A copy that does not change. */
export const countsOf = (stats: EndpointStats): EndpointCounts => ({
  ...stats,
  wait: stats.wait.counted,
  latency: stats.latency.counted
})

/** What a process that has ended has in flight was cut off. */
export const ended = (counts: EndpointCounts): EndpointCounts => ({
  ...counts,
  hasEnded: true,
  inflight: 0,
  queueLen: 0,
  aborted: counts.aborted + counts.inflight
})

/** An endpoint of which nothing is known yet. */
export const unused = ({ kind, name, weight }: Pick<EndpointStats, "kind" | "name" | "weight">): EndpointCounts => {
  const none = new Histogram().counted
  return {
    name,
    kind,
    weight,
    state: "up",
    inflight: 0,
    queueLen: 0,
    sent: 0,
    succeeded: 0,
    failures: {},
    aborted: 0,
    retries: 0,
    wait: none,
    latency: none,
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    unmetered: 0,
    cost: undefined
  }
}

/** The best first: an endpoint takes requests when it takes those of any process. */
const STATES: ReadonlyArray<HealthState> = ["up", "recovering", "cooling", "open", "disabled"]

/** The figures of one endpoint over all processes; there is at least one. */
export const merge = (all: ReadonlyArray<EndpointCounts>): EndpointStats => {
  const [first] = all
  if (first === undefined) throw new RangeError("no figures to put together")
  const sum = (figure: (counts: EndpointCounts) => number) => all.reduce((total, counts) => total + figure(counts), 0)
  const living = all.filter(({ hasEnded }) => hasEnded !== true)
  const seeing = living.length === 0 ? all : living
  const failures: Record<string, number> = {}
  for (const counts of all) {
    for (const [reason, count] of Object.entries(counts.failures)) failures[reason] = (failures[reason] ?? 0) + count
  }
  return {
    name: first.name,
    kind: first.kind,
    weight: first.weight,
    state: STATES.find((state) => seeing.some((counts) => counts.state === state)) ?? first.state,
    ...opening(seeing),
    inflight: sum((counts) => counts.inflight),
    queueLen: sum((counts) => counts.queueLen),
    sent: sum((counts) => counts.sent),
    succeeded: sum((counts) => counts.succeeded),
    failures,
    aborted: sum((counts) => counts.aborted),
    retries: sum((counts) => counts.retries),
    wait: histogramOf(all.map((counts) => counts.wait)),
    latency: histogramOf(all.map((counts) => counts.latency)),
    inputTokens: sum((counts) => counts.inputTokens),
    cachedInputTokens: sum((counts) => counts.cachedInputTokens),
    outputTokens: sum((counts) => counts.outputTokens),
    unmetered: sum((counts) => counts.unmetered),
    cost: addCosts(all.flatMap((counts) => counts.cost ?? []))
  }
}

/** When the first process sends to it again, if none does now. */
const opening = (all: ReadonlyArray<EndpointCounts>): Pick<EndpointStats, "opensInMs"> => {
  const times = all.flatMap(({ opensInMs }) => opensInMs ?? [])
  return times.length < all.length ? {} : { opensInMs: Math.min(...times) }
}

const histogramOf = (all: ReadonlyArray<HistogramCounts>): Histogram => {
  const histogram = new Histogram()
  for (const counts of all) histogram.add(counts)
  return histogram
}
