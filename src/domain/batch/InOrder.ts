/** Puts results that come in any order back into the order of their numbers. */
export class InOrder<A extends object> {
  private next = 0
  private readonly waiting = new Map<number, A>()
  private readonly emit: (result: A) => void

  /** `emit` is given each result once all with lower numbers have come. */
  constructor(emit: (result: A) => void) {
    this.emit = emit
  }

  /** Takes the result of a number; numbers count from 0, and each comes once. */
  put(number: number, result: A): void {
    if (number !== this.next) {
      this.waiting.set(number, result)
      return
    }
    this.next += 1
    this.emit(result)
    while (this.waiting.size > 0) {
      const follower = this.waiting.get(this.next)
      if (follower === undefined) return
      this.waiting.delete(this.next)
      this.next += 1
      this.emit(follower)
    }
  }
}
