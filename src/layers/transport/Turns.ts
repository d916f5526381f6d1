/**
 * Runs what is to be done soon: on an empty stack, once all sockets have been read.
 *
 * What reads a socket must not wake a fiber itself: the fiber would run inside the reading, and fibers that wake each other
 * would fill the stack. And not between two sockets: parsing, then decoding, then writing, each for many answers in a row,
 * keep to the processor's caches. That takes a tenth of the CPU time of a run.
 */
export class Turns {
  private waiting: Array<() => void> = []
  private isRunning = false

  soon(run: () => void): void {
    if (this.waiting.push(run) === 1) setImmediate(this.run)
  }

  /** The same, once all sockets have been looked at after this was called. */
  afterLook(run: () => void): void {
    // The sockets are looked at between two turns. What is called in none may be called after the look that is before the next.
    if (this.isRunning) this.soon(run)
    else this.soon(() => this.soon(run))
  }

  private readonly run = (): void => {
    const { waiting } = this
    this.waiting = []
    this.isRunning = true
    let next = 0
    try {
      while (next < waiting.length) waiting[next++]?.()
    } finally {
      this.isRunning = false
      // One that throws keeps none of the others from being run.
      for (const run of waiting.slice(next)) this.soon(run)
    }
  }
}
