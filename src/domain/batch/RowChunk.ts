/** Rows of an input that are given to a process together, and which of them are still to be done. */
import { free } from "./Bytes.ts"
import type { RawLine } from "./LineSplitter.ts"
import type { FormatName } from "./Row.ts"

/** Some lines of an input, not necessarily next to each other, in few pieces: cheap to send to another process. */
export interface ChunkLines {
  /** 0-based number of each line in the input. */
  readonly indexes: Float64Array
  /** Where each line ends in `bytes`; the next one starts there. */
  readonly ends: Uint32Array
  readonly bytes: Uint8Array
  /** Positions (in this chunk) of the lines that are longer than is allowed, and cut. */
  readonly oversized: ReadonlyArray<number>
  /** The format of the rows; `undefined` while it is not known, so that these are rows in none. */
  readonly format: FormatName | undefined
}

/** Copies lines, which are valid only until more is read, into a chunk. */
export const chunkOf = (lines: ReadonlyArray<RawLine>, format: FormatName | undefined): ChunkLines => {
  const indexes = new Float64Array(lines.length)
  const ends = new Uint32Array(lines.length)
  const oversized: Array<number> = []
  let size = 0
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    size += line.bytes.length
    indexes[at] = line.index
    ends[at] = size
    if (line.oversized) oversized.push(at)
  }
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let at = 0; at < lines.length; at++) bytes.set(lines[at]!.bytes, at === 0 ? 0 : ends[at - 1])
  return { indexes, ends, bytes, oversized, format }
}

/** The line at a position, as it was read from the input. */
export const lineAt = ({ bytes, ends, indexes, oversized }: ChunkLines, position: number): RawLine => {
  const start = position === 0 ? 0 : ends[position - 1]!
  return {
    index: indexes[position]!,
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset + start, ends[position]! - start),
    oversized: oversized.includes(position),
    ended: true
  }
}

/**
 * A chunk of which more and more rows are settled; the lines are its own, and are gone when no row is left. Holds no more
 * than about four times the bytes of those that are not.
 */
export class RowChunk {
  /** Where the chunk stands among all that were cut from the input; what is left of a chunk keeps its number. */
  readonly sequence: number
  /** Rows, the settled ones too. */
  readonly rows: number
  /** Rows that are not settled. */
  left: number
  /** The number of its first row among all that were given to the process that has it. */
  firstNumber = 0

  private lines: ChunkLines
  /** For each line that is kept, its position in the whole chunk. */
  private positions: Uint32Array | undefined = undefined
  private readonly isSettled: Uint8Array

  constructor(sequence: number, lines: ChunkLines) {
    this.sequence = sequence
    this.lines = lines
    this.rows = lines.indexes.length
    this.left = this.rows
    this.isSettled = new Uint8Array(this.rows)
  }

  /** Bytes that it holds. */
  get size(): number {
    return this.lines.bytes.length
  }

  /** Its lines, as long as none of them is settled. */
  get all(): ChunkLines {
    return this.lines
  }

  /** The row at this position is done, or given up. Each is settled once. */
  settle(position: number): void {
    if (this.isSettled[position] !== 0) throw new RangeError(`row ${position} of a chunk of ${this.rows} is not open`)
    this.isSettled[position] = 1
    this.left -= 1
    const { bytes, indexes } = this.lines
    if (this.left * 4 > indexes.length) return
    this.compact()
    // A row is settled after its process has got the chunk: nobody reads these bytes any more.
    free(bytes)
  }

  /** A chunk of what is left, to be given to another process; `undefined` when that is nothing. */
  rest(): RowChunk | undefined {
    if (this.left === 0) return undefined
    this.compact()
    return new RowChunk(this.sequence, this.lines)
  }

  private compact(): void {
    const { lines, positions } = this
    const kept: Array<RawLine> = []
    const at: Array<number> = []
    for (let slot = 0; slot < lines.indexes.length; slot++) {
      const position = positions === undefined ? slot : positions[slot]!
      if (this.isSettled[position] !== 0) continue
      kept.push(lineAt(lines, slot))
      at.push(position)
    }
    this.lines = chunkOf(kept, lines.format)
    this.positions = Uint32Array.from(at)
  }
}
