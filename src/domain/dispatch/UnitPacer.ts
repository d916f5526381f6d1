/**
 * Keeps a rate of units (tokens, bytes, money) that is known only afterwards. Pure: time is passed in.
 *
 * Each event reserves an estimate when it starts and is settled with the actual count when it ends. A unit counts from
 * the start of its event until one period after its end; so whether a provider counts at the start or at the end, no
 * window of a period holds more than the limit, as long as no actual count is above its estimate. One that is above is
 * a debt, and delays what comes next.
 *
 * Events are also spaced evenly by their units, with lateness made up for within a tenth of the period: a period's worth
 * is not spent in its first seconds.
 */

/** What one event has reserved; give it back to `settle`. */
export interface Reservation {
  units: number
}

interface Ended extends Reservation {
  readonly until: number
}

/** Share of a period that lateness and refunds may be made up for in one go. */
const MAX_LAG = 0.1

/** As how many events those count that another one may have had. */
const PARTS = 100

export class UnitPacer {
  private readonly limit: number
  private readonly periodMs: number
  /** Units reserved by running events and used by ended ones within the period. */
  private counted = 0
  /** Events that have started and not ended. */
  private running = 0
  /** Ended events in the order of their ends, from `first` on. */
  private ended: Array<Ended> = []
  private first = 0
  private next = 0
  private last = 0
  private awaited = false

  /**
   * At most `limit` (above 0) units in each `periodMs`. Another one may have spent as many, evenly, until `usedAt`: then this
   * one goes on from there. Default: there was none.
   */
  constructor(limit: number, periodMs: number, usedAt?: number) {
    this.limit = limit
    this.periodMs = periodMs
    if (usedAt === undefined) return
    for (let part = 1; part <= PARTS; part++) {
      const time = usedAt - periodMs * (1 - part / PARTS)
      this.settle(time, this.reserve(time, limit / PARTS), limit / PARTS)
    }
  }

  /**
   * How long to wait at `now` until an event of so many units may start; 0 when it may start now.
   *
   * An event larger than the whole limit waits until nothing else counts. `Infinity` when only the end of a running
   * event can make room: ask again then.
   */
  delay(now: number, units: number): number {
    this.expire(now)
    const wait = Math.max(this.next - now, this.roomIn(now, units), 0)
    if (wait > 0) this.awaited = true
    return wait
  }

  /** Starts an event at `now`. Only right after `delay(now, units)` gave 0. */
  reserve(now: number, units: number): Reservation {
    const idleMs = this.awaited ? 0 : now - this.last
    const due = Math.min(now, Math.max(this.next + idleMs, now - this.periodMs * MAX_LAG))
    this.next = due + this.spacing(units)
    this.last = now
    this.awaited = false
    this.counted += units
    this.running++
    return { units }
  }

  /** The event has ended and took so many units. */
  settle(now: number, reservation: Reservation, actual: number): void {
    this.running--
    this.counted += actual - reservation.units
    this.next += this.spacing(actual - reservation.units)
    this.ended.push({ units: actual, until: now + this.periodMs })
  }

  private spacing(units: number): number {
    return (units / this.limit) * this.periodMs
  }

  private roomIn(now: number, units: number): number {
    const room = Math.max(this.limit - units, 0)
    if (this.counted <= room) return 0
    let left = this.counted
    for (let index = this.first; index < this.ended.length; index++) {
      const { units: freed, until } = this.ended[index]!
      left -= freed
      if (left <= room) return until - now
    }
    // With none running, no end of one would make anybody ask again: what is left over all ended ones is rounding.
    return this.running > 0 ? Number.POSITIVE_INFINITY : this.ended[this.ended.length - 1]!.until - now
  }

  private expire(now: number): void {
    while (this.first < this.ended.length && this.ended[this.first]!.until <= now) {
      this.counted -= this.ended[this.first]!.units
      this.first++
    }
    // Sums of fractions do not come back to 0 by themselves, and what is as large as the limit waits for just that.
    if (this.running === 0 && this.first === this.ended.length) this.counted = 0
    // Amortised: what was read is dropped once it is the greater half.
    if (this.first > 1_024 && this.first * 2 > this.ended.length) {
      this.ended = this.ended.slice(this.first)
      this.first = 0
    }
  }
}
