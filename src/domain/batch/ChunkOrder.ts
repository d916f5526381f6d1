/** Puts the results of chunks, which come piece by piece and in any order, into the order of the chunks. */

/** Whole lines for the two result files. */
export interface ResultBytes {
  readonly save: Uint8Array
  readonly errors: Uint8Array
}

interface Slot {
  /** Rows whose results have not come. */
  left: number
  /** Rows whose results wait here. */
  held: number
  readonly waiting: Array<ResultBytes>
}

/**
 * Results of the first chunk that is not complete go through at once; those of later ones wait for it. Within a chunk they
 * stay as they come.
 */
export class ChunkOrder {
  /** Rows whose results wait. */
  held = 0
  /** Bytes of the results that wait. */
  bytes = 0

  private first = 0
  private readonly slots = new Map<number, Slot>()
  private readonly write: (results: ResultBytes) => void

  constructor(write: (results: ResultBytes) => void) {
    this.write = write
  }

  /** A chunk with this number has been made; numbers count from 0. */
  open(sequence: number, rows: number): void {
    this.slots.set(sequence, { left: rows, held: 0, waiting: [] })
  }

  /** Results of `rows` rows of a chunk. */
  put(sequence: number, rows: number, results: ResultBytes): void {
    const slot = this.slots.get(sequence)
    if (slot === undefined || slot.left < rows) throw new RangeError(`chunk ${sequence} has no ${rows} rows open`)
    slot.left -= rows
    if (sequence === this.first) this.write(results)
    else {
      slot.waiting.push(results)
      slot.held += rows
      this.held += rows
      this.bytes += sizeOf(results)
    }
    this.advance()
  }

  private advance(): void {
    for (let slot = this.slots.get(this.first); slot?.left === 0; slot = this.slots.get(this.first)) {
      this.slots.delete(this.first)
      this.first += 1
      const next = this.slots.get(this.first)
      if (next !== undefined) this.release(next)
    }
  }

  private release(slot: Slot): void {
    for (const results of slot.waiting.splice(0)) {
      this.bytes -= sizeOf(results)
      this.write(results)
    }
    this.held -= slot.held
    slot.held = 0
  }
}

const sizeOf = ({ errors, save }: ResultBytes): number => save.length + errors.length
