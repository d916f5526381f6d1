/** The figures of one of the processes of a service, and how those of all of them are put together. */
import type { EndpointStats } from "../genai/EndpointStats.ts"
import { countsOf, type EndpointCounts, ended as endpointEnded, merge as mergeEndpoint } from "../genai/MergeStats.ts"
import type { Buckets } from "./Buckets.ts"
import type { Family, Labels, Sample } from "./PrometheusText.ts"

/** Nothing in it but data: it goes from one process to another. */
export interface ProcessFigures {
  /** Requests to the service that have begun and not ended. */
  readonly inflight: number
  /** In the order of the configuration. */
  readonly endpoints: ReadonlyArray<EndpointCounts>
  /** All other metrics. Samples of several processes with the same labels are one, and their values are added. */
  readonly families: ReadonlyArray<Family>
}

/** What stays of a process that has ended: what it has counted, and nothing of how it was at the time. */
export const ended = ({ endpoints, families }: ProcessFigures): ProcessFigures => ({
  inflight: 0,
  endpoints: endpoints.map(endpointEnded),
  families: families.filter(({ samples }) => samples.type !== "gauge")
})

/** Two as if they were one. */
export const add = (a: ProcessFigures, b: ProcessFigures): ProcessFigures => ({
  inflight: a.inflight + b.inflight,
  endpoints: endpointsOf([a, b]).map(countsOf),
  families: familiesOf([a, b])
})

/** The endpoints over all processes; every process has the same ones. */
export const endpointsOf = (all: ReadonlyArray<ProcessFigures>): ReadonlyArray<EndpointStats> =>
  (all[0]?.endpoints ?? []).map((_, index) => mergeEndpoint(all.flatMap(({ endpoints }) => endpoints[index] ?? [])))

/** The other metrics over all processes. */
export const familiesOf = (all: ReadonlyArray<ProcessFigures>): ReadonlyArray<Family> => {
  const byName = new Map<string, Family>()
  for (const family of all.flatMap(({ families }) => families)) {
    const known = byName.get(family.name)
    byName.set(family.name, known === undefined ? family : addFamilies(known, family))
  }
  return [...byName.values()]
}

const addFamilies = (a: Family, b: Family): Family => {
  if (a.samples.type === "histogram" && b.samples.type === "histogram") {
    return { ...a, samples: { type: "histogram", values: added(a.samples.values, b.samples.values, addBuckets) } }
  }
  if (a.samples.type !== "histogram" && b.samples.type !== "histogram") {
    const values: ReadonlyArray<Sample> = added(a.samples.values, b.samples.values, (one, other) => one + other)
    return { ...a, samples: { type: a.samples.type, values } }
  }
  throw new TypeError(`${a.name} is of two types`)
}

const added = <A>(
  a: ReadonlyArray<readonly [Labels, A]>,
  b: ReadonlyArray<readonly [Labels, A]>,
  add: (one: A, other: A) => A
): ReadonlyArray<readonly [Labels, A]> => {
  const byLabels = new Map(a.map((sample) => [keyOf(sample[0]), sample] as const))
  for (const sample of b) {
    const key = keyOf(sample[0])
    const known = byLabels.get(key)
    byLabels.set(key, known === undefined ? sample : [known[0], add(known[1], sample[1])])
  }
  return [...byLabels.values()]
}

/** Every process gives the labels of a family in the same order. */
const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels))

/** The bounds are the same for all durations. */
const addBuckets = (a: Buckets, b: Buckets): Buckets => ({
  boundsMs: a.boundsMs,
  cumulative: a.cumulative.map((count, index) => count + (b.cumulative[index] ?? 0)),
  count: a.count + b.count,
  sumMs: a.sumMs + b.sumMs
})
