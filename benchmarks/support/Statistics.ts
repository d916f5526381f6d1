/** What is made of the rounds: medians with their spread, and ratios within rounds. */
import type { Benchmark, Chart, Figures, Measurement, Target } from "./Benchmark.ts"

/** The rounds of one case, in order. */
export type Rounds = ReadonlyArray<Measurement>

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface CaseResult {
  readonly name: string
  readonly group?: string | undefined
  readonly isBaseline: boolean
  readonly perSecond: Spread
  readonly millisPerOperation: Spread
  readonly cpuMicrosPerOperation: Spread
  readonly peakRssMb: Spread
  /** How many times the rate of its group's baseline, in the same rounds; absent without a baseline. */
  readonly ratio?: Spread | undefined
  readonly figures: Readonly<Record<string, Spread>>
}

export interface TargetResult {
  readonly claim: string
  readonly figure: number
  readonly atLeast?: number | undefined
  readonly atMost?: number | undefined
  readonly isMet: boolean
}

export interface Result {
  readonly name: string
  readonly workload: string
  readonly operation: string
  readonly measure: "rate" | "time"
  readonly repeats: number
  readonly isQuick: boolean
  /** What it ran on. */
  readonly machine: {
    readonly cores: number
    readonly memoryGb: number
    readonly node: string
    readonly system: string
  }
  /** ISO 8601. */
  readonly date: string
  readonly cases: ReadonlyArray<CaseResult>
  readonly targets: ReadonlyArray<TargetResult>
  /** How long all of it took. */
  readonly tookSeconds: number
  readonly charts: ReadonlyArray<Chart>
}

/** The middle value; the mean of the middle two. NaN for none. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const spread = (values: ReadonlyArray<number>): Spread => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values)
})

const rateOf = ({ operations, seconds }: Measurement): number => operations / seconds

/** The rate of one case in terms of another, round by round. */
export const ratios = (one: Rounds, other: Rounds): ReadonlyArray<number> =>
  one.map((measurement, round) => rateOf(measurement) / rateOf(other[round]!))

/** Sums up the rounds of one case; `baseline`: those of its group's baseline. */
export const caseResult = (
  { name, group, isBaseline = false }: Benchmark["cases"][number],
  rounds: Rounds,
  baseline: Rounds | undefined
): CaseResult => ({
  name,
  group,
  isBaseline,
  perSecond: spread(rounds.map(rateOf)),
  millisPerOperation: spread(rounds.map((one) => 1_000 / rateOf(one))),
  cpuMicrosPerOperation: spread(rounds.map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations)),
  peakRssMb: spread(rounds.map(({ peakRssBytes }) => peakRssBytes / 1_048_576)),
  ratio: baseline && spread(ratios(rounds, baseline)),
  figures: Object.fromEntries(
    Object.keys(rounds[0]?.figures ?? {}).map((figure) => [
      figure,
      spread(rounds.map(({ figures }) => figures?.[figure] ?? Number.NaN))
    ])
  )
})

/** All cases of a benchmark, in its order. Those without rounds, since they were not asked for, are left out. */
export const caseResults = (benchmark: Benchmark, rounds: ReadonlyMap<string, Rounds>): ReadonlyArray<CaseResult> =>
  benchmark.cases.flatMap((one) => {
    const own = rounds.get(one.name)
    const baseline = benchmark.cases.find(({ group, isBaseline }) => isBaseline === true && group === one.group)
    return own === undefined ? [] : [caseResult(one, own, baseline && rounds.get(baseline.name))]
  })

/** What targets are held against. */
export const figuresOf = (rounds: ReadonlyMap<string, Rounds>): Figures => {
  const of = (name: string): Rounds => {
    const own = rounds.get(name)
    if (own === undefined) throw new Error(`There is no case ${JSON.stringify(name)}`)
    return own
  }
  return {
    rate: (name) => median(of(name).map(rateOf)),
    ratio: (name, other) => median(ratios(of(name), of(other))),
    cpuMicros: (name) => median(of(name).map(({ cpuSeconds, operations }) => (cpuSeconds * 1e6) / operations)),
    peakRssMb: (name) => median(of(name).map(({ peakRssBytes }) => peakRssBytes / 1_048_576)),
    figure: (name, figure) =>
      median(
        of(name).map(({ figures }) => {
          const value = figures?.[figure]
          if (value === undefined) throw new Error(`${JSON.stringify(name)} has no figure ${JSON.stringify(figure)}`)
          return value
        })
      )
  }
}

export const targetResult = ({ atLeast, atMost, claim, figure }: Target, figures: Figures): TargetResult => {
  const value = figure(figures)
  const isMet = value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY)
  return { claim, figure: value, atLeast, atMost, isMet }
}

/** The order of the cases in a round: every second one is backwards, so that none is always the one after another. */
export const orderOf = <A>(cases: ReadonlyArray<A>, round: number): ReadonlyArray<A> =>
  round % 2 === 0 ? cases : cases.toReversed()
