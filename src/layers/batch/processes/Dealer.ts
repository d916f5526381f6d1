/**
 * Decides which process gets rows, and how many.
 *
 * Each has enough of them ahead to be busy until the next ones come, and no more: rows that wait at one process cannot be
 * done by another when the input ends. How much is enough shows by how fast it takes them: twice what it took in the last
 * 100 ms, doubled whenever it has run out.
 */
import type { RowChunk } from "../../../domain/batch/RowChunk.ts"

/** Rows ahead, at least and at most. */
const FEWEST = 16
export const MOST_AHEAD = 4096
/** Bytes of rows ahead; one chunk may always be. */
const MOST_BYTES = 1024 * 1024
const WINDOW_MS = 100

/** The rows that one process has. */
export class Hand {
  /** Bytes of the chunks with rows that are not settled. */
  bytes = 0

  /** Rows given to it so far. */
  private dealt = 0
  /** Rows that it has begun. */
  private taken = 0
  private ahead = FEWEST
  private readonly unread: Array<{ readonly until: number; readonly bytes: number }> = []
  private unreadBytes = 0
  private windowMs = 0
  private windowTaken = 0
  /** With rows that are not settled, in the order that they were given. */
  private chunks: Array<RowChunk> = []

  /** Rows that it has not begun. */
  get waiting(): number {
    return this.dealt - this.taken
  }

  get hasRoom(): boolean {
    return this.waiting === 0 || (this.waiting < this.ahead && this.unreadBytes < MOST_BYTES)
  }

  /** Whether all rows that it was given are settled. */
  get isEmpty(): boolean {
    return this.chunks.length === 0
  }

  /** How many rows to give to it at once. */
  get portion(): number {
    return Math.ceil(this.ahead / 2)
  }

  /** It has been given a chunk. */
  give(chunk: RowChunk): void {
    chunk.firstNumber = this.dealt
    this.dealt += chunk.rows
    this.chunks.push(chunk)
    this.bytes += chunk.size
    this.unread.push({ until: this.dealt, bytes: chunk.size })
    this.unreadBytes += chunk.size
  }

  /** It has begun so many rows in all. */
  take(rows: number, nowMs: number): void {
    this.taken = rows
    while (this.unread.length > 0 && this.unread[0]!.until <= rows) this.unreadBytes -= this.unread.shift()!.bytes
    const passed = nowMs - this.windowMs
    if (passed >= WINDOW_MS) {
      const rate = (rows - this.windowTaken) / Math.min(passed / WINDOW_MS, 1000)
      this.ahead = Math.min(Math.max(FEWEST, Math.ceil(2 * rate)), MOST_AHEAD)
      this.windowMs = nowMs
      this.windowTaken = rows
    }
    if (this.waiting === 0) this.ahead = Math.min(2 * this.ahead, MOST_AHEAD)
  }

  /** Settles a row by its number, and gives its chunk. */
  settle(number: number): RowChunk {
    const { chunks } = this
    let low = 0
    let high = chunks.length - 1
    // Rows of the oldest chunk are settled first, mostly.
    while (low < high) {
      const middle = (low + high) >> 1
      const { firstNumber, rows } = chunks[middle]!
      if (number < firstNumber + rows) high = middle
      else low = middle + 1
    }
    const chunk = chunks[low]
    if (chunk === undefined || number < chunk.firstNumber) throw new RangeError(`row ${number} is not under way here`)
    const size = chunk.size
    chunk.settle(number - chunk.firstNumber)
    this.bytes += chunk.size - size
    if (chunk.left === 0) chunks.splice(low, 1)
    return chunk
  }

  /** What it will not do any more, in the order of the input. */
  giveUp(): ReadonlyArray<RowChunk> {
    const rests = this.chunks.flatMap((chunk) => chunk.rest() ?? [])
    this.chunks = []
    this.bytes = 0
    return rests
  }
}

/** Of those with room the one with the fewest rows ahead. */
export const neediest = <A extends { readonly hand: Hand }>(all: ReadonlyArray<A>): A | undefined => {
  let best: A | undefined
  for (const one of all) {
    if (one.hand.hasRoom && (best === undefined || one.hand.waiting < best.hand.waiting)) best = one
  }
  return best
}
