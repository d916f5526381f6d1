/** How fast jobs end, for telling when there is room again. */

const WINDOW_SECONDS = 60

/** When nothing has ended for a minute: nobody knows, and another minute is no worse a guess. */
const UNKNOWN_MS = 60_000
const LEAST_MS = 1_000

/** Counts of the last minute, second by second. */
export class EndRate {
  private readonly counts = new Float64Array(WINDOW_SECONDS)
  private second = 0

  add(nowMs: number): void {
    this.moveTo(nowMs)
    this.counts[this.second % WINDOW_SECONDS]! += 1
  }

  /** When a job is likely to have ended, and so to have made room; from 1 s to 1 min. */
  retryAfterMs(nowMs: number): number {
    this.moveTo(nowMs)
    const ended = this.counts.reduce((sum, count) => sum + count, 0)
    if (ended === 0) return UNKNOWN_MS
    return Math.min(UNKNOWN_MS, Math.max(LEAST_MS, Math.ceil((WINDOW_SECONDS * 1000) / ended)))
  }

  private moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / 1000)
    if (now - this.second >= WINDOW_SECONDS) this.counts.fill(0)
    else for (let second = this.second + 1; second <= now; second++) this.counts[second % WINDOW_SECONDS] = 0
    this.second = Math.max(this.second, now)
  }
}
