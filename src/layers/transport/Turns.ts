/** Waits for its turn. */
export interface TurnTask {
  /** Its turn has come. */
  onTurn(): void
}

/**
 * Runs what is to be done soon: on an empty stack, once all sockets have been read.
 *
 * What reads a socket must not wake a fiber itself: the fiber would run inside the reading, and fibers that wake each other
 * would fill the stack. And not between two sockets: parsing, then decoding, then writing, each for many answers in a row,
 * keep to the processor's caches. That takes a tenth of the CPU time of a run.
 */
export class Turns {
  private waiting: Array<TurnTask> = []
  /** What one callback of the event loop has put off for a look at the sockets. */
  private looking: Array<TurnTask> | undefined = undefined
  private isRunning = false

  soon(task: TurnTask): void {
    if (this.waiting.push(task) === 1) setImmediate(this.turn)
  }

  /** The same, once all sockets have been looked at after this was called. */
  afterLook(task: TurnTask): void {
    // The sockets are looked at between two turns.
    if (this.isRunning) this.soon(task)
    // The coming turn may be of a look that is over.
    else if (this.looking === undefined) this.beginLooking(task)
    else this.looking.push(task)
  }

  private beginLooking(first: TurnTask): void {
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

  private runAll(all: ReadonlyArray<TurnTask>): void {
    this.isRunning = true
    let next = 0
    try {
      while (next < all.length) all[next++]?.onTurn()
    } finally {
      this.isRunning = false
      // One that throws keeps none of the others from being run.
      while (next < all.length) this.soon(all[next++]!)
    }
  }
}

/** How often the event loop has looked at all sockets. */
const countLooks = (): number => performance.nodeTiming.uvMetricsInfo.loopCount
