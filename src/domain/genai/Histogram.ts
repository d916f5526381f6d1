/**
 * Counts of values in log-linear buckets: constant memory, quantiles within 1 %.
 *
 * The layout is that of HdrHistogram (hdrhistogram.org): each power of two is cut into 128 equal buckets, so that the
 * relative width of a bucket is under 0.8 %. Values are rounded up to whole units; 2^40 and above are counted as 2^40.
 */
const SUB_BITS = 7
const SUB = 1 << SUB_BITS
const MAX = 2 ** 40
const BUCKETS = (40 - SUB_BITS + 2) * SUB

/** What a histogram has counted, as data: only the buckets that are not empty. */
export interface HistogramCounts {
  readonly buckets: Uint32Array
  readonly counts: Float64Array
  readonly max: number
  readonly sum: number
}

/** A mutable recorder: one writer, any number of readers of `quantile`. */
export class Histogram {
  private readonly counts = new Float64Array(BUCKETS)
  private total = 0
  private largest = 0
  private summed = 0

  /** Number of values recorded. */
  get count(): number {
    return this.total
  }

  /** The largest value recorded, exact; 0 when there is none. */
  get max(): number {
    return this.largest
  }

  /** The sum of the values, as they were counted: rounded up. */
  get sum(): number {
    return this.summed
  }

  /** Counts one value; negative ones count as 0, and what is not a number not at all. */
  record(value: number): void {
    if (Number.isNaN(value)) return
    const bounded = Math.min(Math.max(0, Math.ceil(value)), MAX)
    this.counts[indexOf(bounded)]! += 1
    this.total += 1
    this.summed += bounded
    if (bounded > this.largest) this.largest = bounded
  }

  /** A copy of what was counted. */
  get counted(): HistogramCounts {
    const buckets: Array<number> = []
    for (let index = 0; index < BUCKETS; index++) if (this.counts[index] !== 0) buckets.push(index)
    return {
      buckets: Uint32Array.from(buckets),
      counts: Float64Array.from(buckets, (index) => this.counts[index]!),
      max: this.largest,
      sum: this.summed
    }
  }

  /** Counts what another one has counted. */
  add({ buckets, counts, max, sum }: HistogramCounts): void {
    for (let at = 0; at < buckets.length; at++) {
      this.counts[buckets[at]!]! += counts[at]!
      this.total += counts[at]!
    }
    this.summed += sum
    if (max > this.largest) this.largest = max
  }

  /**
   * The value that a share `q` (0 to 1) of the recorded values do not exceed; `undefined` when there are none.
   *
   * Never below the true quantile, and above it by less than 1 %.
   */
  quantile(q: number): number | undefined {
    if (this.total === 0) return undefined
    const rank = Math.max(1, Math.ceil(Math.min(Math.max(q, 0), 1) * this.total))
    let seen = 0
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.counts[index]!
      if (seen >= rank) return Math.min(upperBound(index), this.largest)
    }
    return this.largest
  }

  /**
   * How many values are at most as large as each of the bounds, which must ascend: the cumulative counts of a Prometheus
   * histogram. A value may count as up to 1 % larger than it is.
   */
  countsUpTo(bounds: ReadonlyArray<number>): ReadonlyArray<number> {
    let seen = 0
    let index = 0
    return bounds.map((bound) => {
      for (; index < BUCKETS && upperBound(index) <= bound; index++) seen += this.counts[index]!
      return bound >= this.largest ? this.total : seen
    })
  }
}

/** Values below 128 have a bucket each; above, the top 8 bits choose. */
function indexOf(value: number): number {
  if (value < SUB) return value
  const exponent = Math.floor(Math.log2(value))
  const shift = exponent - SUB_BITS
  return (shift + 1) * SUB + (Math.floor(value / 2 ** shift) - SUB)
}

function upperBound(index: number): number {
  if (index < SUB) return index
  const shift = Math.floor(index / SUB) - 1
  const sub = (index % SUB) + SUB
  return (sub + 1) * 2 ** shift - 1
}
