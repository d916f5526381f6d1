/** Time limits for many calls at once, from one coarse clock. */

/** How often the clock looks, in milliseconds: a limit is noticed up to this much late, never early. */
export const TICK_MS = 25

/**
 * The most that one tick counts, in milliseconds. When the process itself stood still (a long garbage collection, a
 * suspended machine), the time is not the endpoint's: its answer may be waiting to be read.
 */
const MAX_STEP_MS = 250

/** One limit of one call; it is under way between `Deadlines.start` and `Deadlines.stop`, or until it has passed. */
export class Deadline {
  readonly onPassed: () => void
  /** When it passes, on the clock of `Deadlines`. */
  at = 0
  queue: Set<Deadline> | undefined = undefined

  constructor(onPassed: () => void) {
    this.onPassed = onPassed
  }
}

/**
 * Starting and stopping costs a fraction of a microsecond and makes no timer, because a request has up to four limits
 * and there are thousands a second. Deadlines with equal limits pass in the order in which they were started, so a
 * tick looks at the oldest of each limit only. The one interval runs while there is something to wait for, and does not
 * keep the process alive.
 *
 * Uses the monotonic clock and not Effect's `Clock`: what is limited is real sockets.
 */
export class Deadlines {
  private readonly queues = new Map<number, Set<Deadline>>()
  private interval: NodeJS.Timeout | undefined = undefined
  /** The clock at the last tick, and the real time then. */
  private now = 0
  private tickedAt = 0

  /** Starts a deadline, or starts it anew. */
  start(deadline: Deadline, limitMs: number): void {
    if (this.interval === undefined) {
      this.tickedAt = performance.now()
      this.interval = setInterval(() => this.tick(), TICK_MS).unref()
    }
    let queue = this.queues.get(limitMs)
    if (queue === undefined) {
      queue = new Set()
      this.queues.set(limitMs, queue)
    }
    deadline.queue?.delete(deadline)
    deadline.queue = queue.add(deadline)
    deadline.at = this.read() + limitMs
  }

  stop(deadline: Deadline): void {
    deadline.queue?.delete(deadline)
    deadline.queue = undefined
  }

  private read(): number {
    return this.now + Math.min(performance.now() - this.tickedAt, MAX_STEP_MS)
  }

  private tick(): void {
    this.now = this.read()
    this.tickedAt = performance.now()
    for (const [limitMs, queue] of this.queues) {
      if (queue.size === 0) this.queues.delete(limitMs)
      for (const deadline of queue) {
        if (deadline.at > this.now) break
        this.stop(deadline)
        deadline.onPassed()
      }
    }
    if (this.queues.size === 0) {
      clearInterval(this.interval)
      this.interval = undefined
    }
  }
}
