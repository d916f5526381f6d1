/** What a run has done so far: the counts behind progress and report. */

/** The first failures are kept as examples. */
const SAMPLES = 5

/** A failed row, for the summary. */
export interface FailureSample {
  /** 1-based number of the line. */
  readonly line: number
  readonly reason: string
  readonly error: string
}

/** What was done with rows, as data. */
export interface TallyCounts {
  readonly saved: number
  readonly failed: number
  readonly invalid: number
  readonly dropped: number
  readonly failures: Readonly<Record<string, number>>
  readonly samples: ReadonlyArray<FailureSample>
}

/** Nothing was done. */
export const NOTHING_DONE: TallyCounts = { saved: 0, failed: 0, invalid: 0, dropped: 0, failures: {}, samples: [] }

/** A mutable counter of rows: one writer, any number of readers. */
export class Tally {
  /** Rows in the input, up to the limit; `undefined` until known. */
  total: number | undefined
  /** Rows read whose result is not handed to a file yet. */
  outstanding = 0
  /** Rows that were given up unanswered because the run was stopped. */
  dropped = 0
  /** Rows in the save file, those of earlier runs included. */
  saved: number
  /** Rows in the errors file, those of earlier runs included. */
  failed: number
  /** Rows in the errors file that could not be read as a request. */
  invalid: number
  /** Rows that earlier runs had done. */
  readonly resumed: number
  /** Failures of this run by reason. */
  readonly failures: Record<string, number> = {}
  /** The first failures of this run. */
  readonly samples: Array<FailureSample> = []

  constructor(earlier: { readonly saved: number; readonly failed: number; readonly invalid: number }) {
    this.saved = earlier.saved
    this.failed = earlier.failed
    this.invalid = earlier.invalid
    this.resumed = earlier.saved + earlier.failed
  }

  /** Counts a row that failed. */
  addFailure(failure: FailureSample, invalid: boolean): void {
    this.failed += 1
    if (invalid) this.invalid += 1
    this.failures[failure.reason] = (this.failures[failure.reason] ?? 0) + 1
    if (this.samples.length < SAMPLES) this.samples.push(failure)
  }

  /** A copy of what was counted. */
  get counts(): TallyCounts {
    const { dropped, failed, failures, invalid, samples, saved } = this
    return { saved, failed, invalid, dropped, failures: { ...failures }, samples: [...samples] }
  }

  /** Counts what another tally has counted between two looks at it. */
  add(before: TallyCounts, after: TallyCounts): void {
    this.saved += after.saved - before.saved
    this.failed += after.failed - before.failed
    this.invalid += after.invalid - before.invalid
    this.dropped += after.dropped - before.dropped
    for (const [reason, count] of Object.entries(after.failures)) {
      const more = count - (before.failures[reason] ?? 0)
      if (more > 0) this.failures[reason] = (this.failures[reason] ?? 0) + more
    }
    for (const sample of after.samples.slice(before.samples.length)) {
      if (this.samples.length < SAMPLES) this.samples.push(sample)
    }
  }
}
