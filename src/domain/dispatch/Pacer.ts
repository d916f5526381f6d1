/**
 * Spaces events evenly so that a rate limit is used fully and never exceeded. Pure: time is passed in.
 *
 * Two rules at once. A theoretical arrival time, as in the generic cell rate algorithm (ITU-T I.371), spaces events one
 * interval apart; and the times of the last `limit` events are kept, so that no window of `periodMs`, wherever it
 * starts, ever holds more than `limit` (a limit that is no whole number holds over the time of its whole part). The
 * first rule alone loses what a late timer loses; so events that had to wait may make up for up to `MAX_LAG_MS` of
 * lateness, and the second rule keeps that from ever passing the limit. Time without demand is not saved up: there are
 * no bursts after a pause.
 *
 * An event may happen a while after it was allowed: a request that waits for its connection, a process that stands still
 * in between. Until it has, it counts as if it happened at that very moment, so that the second rule holds for when events
 * happen, and not only for when they were allowed.
 */

/** The interval is this much longer than `periodMs / limit`: room for the jitter of the way to the receiver. */
const HEADROOM = 0.003

/**
 * In its first second a pacer goes a tenth slower. The first events open connections and arrive later than those that
 * follow: without this, the receiver's first second would hold more than the limit.
 */
const WARM_UP_MS = 1_000
const WARM_UP_SLOWDOWN = 1.1

/** Lateness of timers that is made up for, in milliseconds. More is a pause of the process and is lost. */
const MAX_LAG_MS = 250

/**
 * Time between two events that does not count as idle, in milliseconds, because whoever has them one after the other needs some for each:
 * without this, 10,000 events a second lost 1.2 % to the microseconds between those that are due together.
 */
const BUSY_MS = 5

/** Most times that are kept. A higher limit is kept in as many equal parts of its period as it takes, and so in the whole. */
const MOST_RECENT = 65_536

/** One rate limit. One writer; times are in milliseconds of any one monotonic clock. */
export class Pacer {
  private readonly intervalMs: number
  private readonly windowMs: number
  /** Ring of the times of the last events; `-Infinity` where there was none yet. */
  private readonly recent: Float64Array
  private oldest = 0
  /** Events that were taken and have not happened yet. */
  private pending = 0
  private next = 0
  private last = 0
  private warmAt = Number.POSITIVE_INFINITY
  /** Whether somebody was told to wait since `last`: then being late is not being idle. */
  private awaited = false

  /**
   * At most `limit` (above 0, may be a fraction) events in each `periodMs`. Another one may have spaced as many until `usedAt`:
   * then this one goes on from there. Default: there was none.
   */
  constructor(limit: number, periodMs: number, usedAt = Number.NEGATIVE_INFINITY) {
    this.intervalMs = (periodMs / limit) * (1 + HEADROOM)
    const parts = Math.ceil(limit / MOST_RECENT)
    const count = Math.max(1, Math.floor(limit / parts))
    this.windowMs = (periodMs / limit) * count
    this.recent = new Float64Array(count)
    for (let event = 0; event < count; event++) this.recent[event] = usedAt - (count - 1 - event) * this.intervalMs
  }

  /** How long to wait at `now` until the next event may happen; 0 when it may happen now. */
  delay(now: number): number {
    const wait = Math.max(this.next - now, this.windowDelay(now), 0)
    if (wait > 0) this.awaited = true
    return wait
  }

  /** Takes the next event, at `now`, to happen then or later: `happened`. Only right after `delay(now)` gave 0. */
  take(now: number): void {
    const idleMs = this.awaited ? 0 : Math.max(0, now - this.last - BUSY_MS)
    const due = Math.min(now, Math.max(this.next + idleMs, now - MAX_LAG_MS))
    if (this.warmAt === Number.POSITIVE_INFINITY) this.warmAt = now + WARM_UP_MS
    this.next = due + (now < this.warmAt ? this.intervalMs * WARM_UP_SLOWDOWN : this.intervalMs)
    this.last = now
    this.awaited = false
    this.pending++
  }

  /** One of the events that were taken has happened, at `now`; this or `withdraw` is to be called once for each. */
  happened(now: number): void {
    this.pending--
    this.recent[this.oldest] = now
    this.oldest = (this.oldest + 1) % this.recent.length
  }

  /** One of the events that were taken will not happen. */
  withdraw(): void {
    this.pending--
  }

  /** Until the window that would end with the next event has room for it. What is pending may happen in any of them. */
  private windowDelay(now: number): number {
    const { length } = this.recent
    if (this.pending >= length) return this.windowMs
    return this.recent[(this.oldest + this.pending) % length]! + this.windowMs - now
  }
}
