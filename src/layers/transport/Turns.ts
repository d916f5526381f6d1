/**
 * Runs what is to be done soon: on an empty stack, once all sockets have been read.
 *
 * What reads a socket must not wake a fiber itself: the fiber would run inside the reading, and fibers that wake each other
 * would fill the stack. And not between two sockets: parsing, then decoding, then writing, each for many answers in a row,
 * keep to the processor's caches. That takes a tenth of the CPU time of a run.
 */
export class Turns {
  private waiting: Array<() => void> = []
  /** What one callback of the event loop has put off for a look at the sockets. */
  private looking: Array<() => void> | undefined = undefined
  private isRunning = false

  soon(run: () => void): void {
    if (this.waiting.push(run) === 1) setImmediate(this.turn)
  }

  /** The same, once all sockets have been looked at after this was called. */
  afterLook(run: () => void): void {
    // The sockets are looked at between two turns.
    if (this.isRunning) this.soon(run)
    // The coming turn may be of a look that is over.
    else if (this.looking === undefined) this.beginLooking(run)
    else this.looking.push(run)
  }

  private beginLooking(first: () => void): void {
    const looking = [first]
    this.looking = looking
    const looks = countLooks()
    setImmediate(() => {
      // Called while sockets were read: those that came first have not been looked at since.
      if (countLooks() === looks) setImmediate(() => this.runAll(looking))
      else this.runAll(looking)
    })
    process.nextTick(() => {
      this.looking = undefined
    })
  }

  private readonly turn = (): void => {
    const { waiting } = this
    this.waiting = []
    this.runAll(waiting)
  }

  private runAll(all: ReadonlyArray<() => void>): void {
    this.isRunning = true
    let next = 0
    try {
      while (next < all.length) all[next++]?.()
    } finally {
      this.isRunning = false
      // One that throws keeps none of the others from being run.
      for (const run of all.slice(next)) this.soon(run)
    }
  }
}

/** How often the event loop has looked at all sockets. */
const countLooks = (): number => performance.nodeTiming.uvMetricsInfo.loopCount
