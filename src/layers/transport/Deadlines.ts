/** Time limits for many calls at once, from one coarse clock. */

/** How often the clock looks, in milliseconds: a limit is noticed up to this much late, never early. */
export const TICK_MS = 25

/**
 * The most that one tick counts, in milliseconds. When the process itself stood still (a long garbage collection, a
 * suspended machine), the time is not the endpoint's: its answer may be waiting to be read.
 */
const MAX_STEP_MS = 250

/** A place in a ring of deadlines. */
class Link {
  previous: Link = this
  next: Link = this

  unlink(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.previous = this
    this.next = this
  }
}

/**
 * One limit of one call; it is under way between `Deadlines.start` and `Deadlines.stop`, or until it has passed.
 *
 * What it limits extends it, so that thousands in flight have no object more for it each.
 */
export abstract class Deadline extends Link {
  /** When it passes, on the clock of `Deadlines`; usually whole milliseconds, because a fraction is an object of its own. */
  passesAt = 0
  /** The tick at which it is looked at, which may be too soon; -1 while it is not under way. */
  slot = -1

  /** It has passed, and is not under way any more. */
  abstract onPassed(): void
}

/**
 * Starting, moving and stopping a deadline is a few field writes and makes no timer, because a request has four limits and
 * there are thousands of requests a second: `benchmarks/transport.ts`. Deadlines stand in the slot of the tick at which they
 * pass. One that is put off stays in its slot and is moved on when the clock comes there, which is seldom: most calls have
 * ended by then. The one interval runs while there is something to wait for, and keeps the process alive if that is wanted.
 *
 * Uses the monotonic clock and not Effect's `Clock`: what is limited is real sockets.
 */
export class Deadlines {
  private readonly slots = new Map<number, Link>()
  /** Deadlines under way. */
  private count = 0
  private interval: NodeJS.Timeout | undefined = undefined
  /** The clock at the last tick, and the real time then. */
  private tickedMs = 0
  private tickedAt = 0
  /** All slots before this one are empty. */
  private first = 0
  private readonly keepsProcess: boolean

  /** `keepsProcess`: the process does not end by itself while a deadline is under way. */
  constructor({ keepsProcess }: { readonly keepsProcess: boolean }) {
    this.keepsProcess = keepsProcess
  }

  /** Milliseconds on the clock of the deadlines, while any is under way. */
  now(): number {
    return this.tickedMs + Math.min(performance.now() - this.tickedAt, MAX_STEP_MS)
  }

  /**
   * Starts a deadline, or starts it anew: it passes after so long, or at a time of `now` if that is sooner. Gives the time of `now`
   * from which it runs.
   *
   * That time is whole milliseconds, rounded up so that no deadline is early.
   */
  start(deadline: Deadline, limitMs: number, latestAt = Number.POSITIVE_INFINITY): number {
    this.run()
    const now = Math.ceil(this.now())
    this.startAt(deadline, Math.min(now + limitMs, latestAt))
    return now
  }

  /** Starts a deadline that passes at a time of `now`, or moves it there. */
  startAt(deadline: Deadline, atMs: number): void {
    this.run()
    deadline.passesAt = atMs
    const isUnderWay = deadline.slot >= 0
    if (isUnderWay && slotOf(atMs) >= deadline.slot) return
    if (isUnderWay) deadline.unlink()
    else this.count++
    this.put(deadline)
  }

  stop(deadline: Deadline): void {
    if (deadline.slot < 0) return
    deadline.unlink()
    deadline.slot = -1
    this.count--
  }

  private run(): void {
    if (this.interval !== undefined) return
    this.tickedAt = performance.now()
    this.interval = setInterval(this.tick, TICK_MS)
    if (!this.keepsProcess) this.interval.unref()
  }

  private put(deadline: Deadline): void {
    deadline.slot = slotOf(deadline.passesAt)
    let ring = this.slots.get(deadline.slot)
    if (ring === undefined) {
      ring = new Link()
      this.slots.set(deadline.slot, ring)
    }
    deadline.previous = ring.previous
    deadline.next = ring
    ring.previous.next = deadline
    ring.previous = deadline
  }

  /** No closure within `run`, which would make room for what it refers to at each call, also when the clock runs already. */
  private readonly tick = (): void => {
    this.tickedMs = this.now()
    this.tickedAt = performance.now()
    const current = slotOf(this.tickedMs)
    for (; this.first < current; this.first++) this.pass(this.first)
    this.pass(current)
    if (this.count > 0) return
    clearInterval(this.interval)
    this.interval = undefined
    this.slots.clear()
  }

  /** Deals with those that stand in a slot now; those that are put there meanwhile wait for the next tick. */
  private pass(slot: number): void {
    const ring = this.slots.get(slot)
    if (ring === undefined) return
    this.slots.delete(slot)
    const deadlines: Array<Deadline> = []
    for (let link = ring.next; link !== ring; link = link.next) if (link instanceof Deadline) deadlines.push(link)
    for (const deadline of deadlines) {
      // One that passed before it may have stopped or moved it.
      if (deadline.slot !== slot) continue
      if (deadline.passesAt > this.tickedMs) {
        deadline.unlink()
        this.put(deadline)
      } else {
        this.stop(deadline)
        deadline.onPassed()
      }
    }
  }
}

const slotOf = (ms: number): number => Math.floor(ms / TICK_MS)
