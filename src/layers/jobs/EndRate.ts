/** How fast jobs end, for telling when there is room again. */

const WINDOW_SECONDS = 60

/** Longer than jobs that wait are left waiting: after such a gap the rate is another one. */
const IDLE_MS = 5_000

const MOST_MS = 60_000
const LEAST_MS = 1_000

/** Counts of the last minute, second by second. */
export class EndRate {
  private readonly counts = new Float64Array(WINDOW_SECONDS)
  private second = 0
  private busySinceMs = Number.NEGATIVE_INFINITY
  private lastEndMs = Number.NEGATIVE_INFINITY

  /** A job runs while no other does. */
  begin(nowMs: number): void {
    if (nowMs - this.lastEndMs <= IDLE_MS) return
    // What did not end while there was nothing to do says nothing of how fast it is.
    this.counts.fill(0)
    this.busySinceMs = nowMs
  }

  add(nowMs: number): void {
    this.moveTo(nowMs)
    this.counts[this.second % WINDOW_SECONDS]! += 1
    this.lastEndMs = nowMs
  }

  /**
   * When a job is likely to have ended, and so to have made room; from 1 s to 1 min. As long as none has ended: once more as
   * long as has been waited for one.
   */
  retryAfterMs(nowMs: number): number {
    this.moveTo(nowMs)
    const elapsedMs = Math.min(WINDOW_SECONDS * 1_000, Math.max(0, nowMs - this.busySinceMs))
    const ended = this.counts.reduce((sum, count) => sum + count, 0)
    return Math.min(MOST_MS, Math.max(LEAST_MS, Math.ceil(elapsedMs / Math.max(1, ended))))
  }

  private moveTo(nowMs: number): void {
    const now = Math.floor(nowMs / 1000)
    if (now - this.second >= WINDOW_SECONDS) this.counts.fill(0)
    else for (let second = this.second + 1; second <= now; second++) this.counts[second % WINDOW_SECONDS] = 0
    this.second = Math.max(this.second, now)
  }
}
