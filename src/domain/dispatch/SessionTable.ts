/**
 * Which worker each session belongs to: a table with a time to live and a bounded size, least recently used first out.
 * Pure: time is passed in.
 *
 * All is O(1) and stays quick with millions of sessions, where the time goes to memory that is in no cache. So a session is a
 * record of half a cache line, found by way of one bucket, and nothing else is waited for: numbers alone, which are no work
 * for the garbage collector and allocate nothing. A `Map` keeps names to compare them with, each somewhere else in memory: among a
 * million sessions in no order it took more than twice as long, by itself.
 *
 * A session is known by 64 bits of its name, under a key that is secret (`NameHash`), and the name is not kept. Among a
 * million sessions two are taken for one with a chance of 1 in 37 million, and then have the same worker.
 */
import { NameHash } from "./NameHash.ts"

const NONE = -1
const FIRST_SIZE = 64

/** Numbers of 32 bits in a record; at which of them is what. The rest is the end of the time to live, see `UNTIL`. */
const RECORD = 8
const LOW = 0
const HIGH = 1
const WORKER = 2
/** Neighbours in the order of use. */
const OLDER = 3
const NEWER = 4

/** The same record as numbers of 64 bits. */
const WIDE_RECORD = RECORD / 2
const UNTIL = 3

/** Numbers in a bucket: the session's slot and 1, or 0 when it is free, and the low half of the hash. */
const BUCKET = 2

/** Half of them are free, so that a session is at its own bucket or shortly after it. */
const BUCKETS_PER_RECORD = 2

export class SessionTable {
  private readonly capacity: number
  private readonly hash: NameHash
  private count = 0
  private records: Int32Array = new Int32Array(FIRST_SIZE * RECORD)
  /** Over the same memory. */
  private wide = new Float64Array(this.records.buffer)
  private buckets = new Int32Array(FIRST_SIZE * BUCKETS_PER_RECORD * BUCKET)
  /** The number of buckets is a power of 2; this is one less. */
  private mask = FIRST_SIZE * BUCKETS_PER_RECORD - 1
  private oldest = NONE
  private newest = NONE

  /** At most `capacity` sessions, at least 1. `key` is two random numbers of 32 bits, which nobody else should know. */
  constructor(capacity: number, key: readonly [number, number]) {
    this.capacity = capacity
    this.hash = new NameHash(key)
  }

  get size(): number {
    return this.count
  }

  /**
   * The session's worker; -1 when it has none, or its time is over at `now`. Counts as use, and the session then belongs to
   * the worker before `renewedUntil`, if that is given.
   */
  get(session: string, now: number, renewedUntil?: number): number {
    const slot = this.find(session)
    if (slot === NONE || this.wide[slot * WIDE_RECORD + UNTIL]! <= now) return NONE
    if (renewedUntil !== undefined) this.wide[slot * WIDE_RECORD + UNTIL] = renewedUntil
    this.use(slot)
    return this.records[slot * RECORD + WORKER]!
  }

  /** The session belongs to the worker before `until`. When there is no more place, the least recently used is forgotten. */
  set(session: string, worker: number, until: number): void {
    let slot = this.find(session)
    if (slot === NONE) slot = this.place()
    this.records[slot * RECORD + WORKER] = worker
    this.wide[slot * WIDE_RECORD + UNTIL] = until
    this.use(slot)
  }

  /** Its slot; leaves its name's hash in `hash`. */
  private find(session: string): number {
    const { buckets, hash, mask, records } = this
    hash.of(session)
    const { high, low } = hash
    for (let at = low & mask; ; at = (at + 1) & mask) {
      const slot = buckets[at * BUCKET]! - 1
      if (slot === NONE) return NONE
      // The bucket has the low half, so that no other record is read than the session's own.
      if (buckets[at * BUCKET + 1] === low && records[slot * RECORD + HIGH] === high) return slot
    }
  }

  /** A slot for the session that was looked for last; it takes part in the order of use already. */
  private place(): number {
    const slot = this.count < this.capacity ? this.addSlot() : this.freeOldest()
    const { low, high } = this.hash
    this.records[slot * RECORD + LOW] = low
    this.records[slot * RECORD + HIGH] = high
    this.addBucket(slot + 1, low)
    return slot
  }

  private addSlot(): number {
    const slot = this.count
    if (slot * RECORD === this.records.length) this.grow()
    this.count++
    this.append(slot)
    return slot
  }

  private freeOldest(): number {
    const slot = this.oldest
    this.removeBucket(slot + 1, this.records[slot * RECORD + LOW]!)
    return slot
  }

  private addBucket(entry: number, low: number): void {
    const { buckets, mask } = this
    let at = low & mask
    while (buckets[at * BUCKET] !== 0) at = (at + 1) & mask
    buckets[at * BUCKET] = entry
    buckets[at * BUCKET + 1] = low
  }

  /** Closes the gap too: those behind it that it keeps from their own bucket move up. */
  private removeBucket(entry: number, low: number): void {
    const { buckets, mask } = this
    let gap = low & mask
    while (buckets[gap * BUCKET] !== entry) gap = (gap + 1) & mask
    for (let at = (gap + 1) & mask; buckets[at * BUCKET] !== 0; at = (at + 1) & mask) {
      const own = buckets[at * BUCKET + 1]! & mask
      if (((at - own) & mask) < ((at - gap) & mask)) continue
      buckets[gap * BUCKET] = buckets[at * BUCKET]!
      buckets[gap * BUCKET + 1] = buckets[at * BUCKET + 1]!
      gap = at
    }
    buckets[gap * BUCKET] = 0
  }

  private use(slot: number): void {
    if (slot === this.newest) return
    const { records } = this
    const before = records[slot * RECORD + OLDER]!
    const after = records[slot * RECORD + NEWER]!
    if (before === NONE) this.oldest = after
    else records[before * RECORD + NEWER] = after
    records[after * RECORD + OLDER] = before
    this.append(slot)
  }

  private append(slot: number): void {
    const { newest, records } = this
    records[slot * RECORD + OLDER] = newest
    records[slot * RECORD + NEWER] = NONE
    if (newest === NONE) this.oldest = slot
    else records[newest * RECORD + NEWER] = slot
    this.newest = slot
  }

  private grow(): void {
    const records = new Int32Array(Math.min(this.capacity * RECORD, 2 * this.records.length))
    records.set(this.records)
    this.records = records
    this.wide = new Float64Array(records.buffer)
    const { buckets } = this
    this.buckets = new Int32Array(2 * buckets.length)
    this.mask = 2 * this.mask + 1
    for (let at = 0; at < buckets.length; at += BUCKET) {
      if (buckets[at] !== 0) this.addBucket(buckets[at]!, buckets[at + 1]!)
    }
  }
}
