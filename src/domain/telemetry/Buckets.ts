/** Durations counted in the buckets of a Prometheus histogram. */
import type { Histogram } from "../genai/Histogram.ts"

/** From a health check to the longest answer of a model; the same for all durations, so that they can be compared. */
export const BOUNDS_MS: ReadonlyArray<number> = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000
]

export interface Buckets {
  /** Ascending. */
  readonly boundsMs: ReadonlyArray<number>
  /** How many values are at most as large as the bound of the same place. */
  readonly cumulative: ReadonlyArray<number>
  readonly count: number
  readonly sumMs: number
}

/** Of a recorder that exists already. */
export const bucketsOf = (histogram: Histogram): Buckets => ({
  boundsMs: BOUNDS_MS,
  cumulative: histogram.countsUpTo(BOUNDS_MS),
  count: histogram.count,
  sumMs: histogram.sum
})

/** Counts values as they come: finer than a millisecond, and a few hundred bytes. */
export class BucketCounter {
  private readonly counts = new Float64Array(BOUNDS_MS.length + 1)
  private count = 0
  private sumMs = 0

  /** Negative values count as 0, and what is not a number not at all. */
  record(valueMs: number): void {
    if (Number.isNaN(valueMs)) return
    const value = Math.max(0, valueMs)
    let index = 0
    while (index < BOUNDS_MS.length && value > BOUNDS_MS[index]!) index++
    this.counts[index]! += 1
    this.count += 1
    this.sumMs += value
  }

  get buckets(): Buckets {
    let seen = 0
    const cumulative = BOUNDS_MS.map((_, index) => {
      seen += this.counts[index]!
      return seen
    })
    return { boundsMs: BOUNDS_MS, cumulative, count: this.count, sumMs: this.sumMs }
  }
}
