/**
 * Latency as a moving average that believes bad news at once and good news slowly. Pure: time is passed in.
 *
 * The estimate of Finagle's and tower's peak EWMA balancers: a value above the average replaces it, one below is mixed
 * in with a weight that grows with the time since the last one.
 *
 * @see https://docs.rs/tower/latest/tower/load/peak_ewma/index.html
 */
export class PeakEwma {
  private readonly decayMs: number
  private average = 0
  private updated = Number.NEGATIVE_INFINITY

  /** After `decayMs` without news the estimate has fallen to 37 %. Default: 10 seconds. */
  constructor(decayMs = 10_000) {
    this.decayMs = decayMs
  }

  /** Takes in one latency. */
  observe(latencyMs: number, now: number): void {
    const weight = Math.exp((this.updated - now) / this.decayMs)
    this.average = latencyMs > this.average ? latencyMs : latencyMs * (1 - weight) + this.average * weight
    this.updated = now
  }

  /** The estimate in milliseconds; 0 while nothing is known, so that everybody is tried. */
  read(now: number): number {
    return this.average * Math.exp((this.updated - now) / this.decayMs)
  }
}
