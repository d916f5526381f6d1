/**
 * Which worker each session belongs to: a table with a time to live and a bounded size, least recently used first out.
 * Pure: time is passed in.
 *
 * All is O(1) and stays quick with millions of sessions: beside the map from name to slot there are only typed arrays (the
 * worker, the end of the time to live, and the doubly linked list of use), so nothing here is work for the garbage
 * collector, and reading a session allocates nothing.
 */

const NONE = -1
const FIRST_SIZE = 64

export class SessionTable {
  private readonly capacity: number
  private readonly slots = new Map<string, number>()
  private readonly names: Array<string> = []
  private workers = new Int32Array(FIRST_SIZE)
  private until = new Float64Array(FIRST_SIZE)
  /** Neighbours in the order of use. */
  private older = new Int32Array(FIRST_SIZE)
  private newer = new Int32Array(FIRST_SIZE)
  private oldest = NONE
  private newest = NONE

  /** At most `capacity` sessions, at least 1. */
  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.slots.size
  }

  /** The session's worker; -1 when it has none, or its time is over at `now`. Counts as use. */
  get(session: string, now: number): number {
    const slot = this.slots.get(session)
    if (slot === undefined || this.until[slot]! <= now) return NONE
    this.use(slot)
    return this.workers[slot]!
  }

  /** The session belongs to the worker before `until`. When there is no more place, the least recently used is forgotten. */
  set(session: string, worker: number, until: number): void {
    const slot = this.slots.get(session) ?? this.place(session)
    this.workers[slot] = worker
    this.until[slot] = until
    this.use(slot)
  }

  /** A slot for a new session, which takes part in the order of use already. */
  private place(session: string): number {
    let slot = this.names.length
    if (slot < this.capacity) {
      if (slot === this.workers.length) this.grow()
      this.append(slot)
    } else {
      slot = this.oldest
      this.slots.delete(this.names[slot]!)
    }
    this.names[slot] = session
    this.slots.set(session, slot)
    return slot
  }

  private use(slot: number): void {
    if (slot === this.newest) return
    const [before, after] = [this.older[slot]!, this.newer[slot]!]
    if (before === NONE) this.oldest = after
    else this.newer[before] = after
    this.older[after] = before
    this.append(slot)
  }

  private append(slot: number): void {
    this.older[slot] = this.newest
    this.newer[slot] = NONE
    if (this.newest === NONE) this.oldest = slot
    else this.newer[this.newest] = slot
    this.newest = slot
  }

  private grow(): void {
    const size = Math.min(this.capacity, 2 * this.workers.length)
    this.workers = copied(new Int32Array(size), this.workers)
    this.until = copied(new Float64Array(size), this.until)
    this.older = copied(new Int32Array(size), this.older)
    this.newer = copied(new Int32Array(size), this.newer)
  }
}

const copied = <A extends Int32Array | Float64Array>(to: A, from: A): A => {
  to.set(from)
  return to
}
