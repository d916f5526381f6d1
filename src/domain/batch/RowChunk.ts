/** Rows of an input that are given to a process together, and which of them are still to be done. */
import { free, NO_BYTES } from "./Bytes.ts"
import type { RawLine } from "./LineSplitter.ts"
import type { FormatName } from "./Row.ts"

/**
 * Some lines of an input, not necessarily next to each other, in few pieces: cheap to send to another process.
 *
 * The lines are sent along, or only where they stand (`at`), for a process that can read the input by itself.
 */
export interface ChunkLines {
  /** 0-based number of each line in the input. */
  readonly indexes: Float64Array
  /** Where each line starts and ends, in `bytes` or from `at` on. */
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /** Position in the input, in bytes; `undefined` when the lines are in `bytes`, which are none otherwise. */
  readonly at: number | undefined
  readonly bytes: Uint8Array
  /** Positions (in this chunk) of the lines that are longer than is allowed, and cut. */
  readonly oversized: ReadonlyArray<number>
  /** The format of the rows; `undefined` while it is not known, so that these are rows in none. */
  readonly format: FormatName | undefined
}

/** Copies lines, which are valid only until more is read, into a chunk. */
export const chunkOf = (lines: ReadonlyArray<RawLine>, format: FormatName | undefined): ChunkLines => {
  let size = 0
  const { ends, starts, ...rest } = placesOf(lines, (line) => {
    const start = size
    size += line.bytes.length
    return start
  })
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let at = 0; at < lines.length; at++) bytes.set(lines[at]!.bytes, starts[at])
  return { ...rest, starts, ends, at: undefined, bytes, format }
}

/** A chunk of where the lines stand, which must be known of each; no more than 4 GiB from the first to the last. */
export const spanOf = (lines: ReadonlyArray<RawLine>, format: FormatName | undefined): ChunkLines => {
  const at = lines[0]?.start ?? 0
  return { ...placesOf(lines, ({ start = Number.NaN }) => start - at), at, bytes: NO_BYTES, format }
}

const placesOf = (lines: ReadonlyArray<RawLine>, startOf: (line: RawLine) => number) => {
  const indexes = new Float64Array(lines.length)
  const starts = new Uint32Array(lines.length)
  const ends = new Uint32Array(lines.length)
  const oversized: Array<number> = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    indexes[at] = line.index
    starts[at] = startOf(line)
    ends[at] = starts[at]! + line.bytes.length
    if (line.oversized) oversized.push(at)
  }
  return { indexes, starts, ends, oversized }
}

/** The line at a position, as it was read from the input; of a chunk that has its lines, or whose lines were read. */
export const lineAt = (
  { bytes: own, ends, indexes, oversized, starts }: ChunkLines,
  position: number,
  bytes = own
): RawLine => {
  const start = starts[position]!
  return {
    index: indexes[position]!,
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset + start, ends[position]! - start),
    oversized: oversized.includes(position),
    ended: true
  }
}

/** The lines at some positions, in as much memory as they need. */
const pick = (lines: ChunkLines, slots: ReadonlyArray<number>): ChunkLines => {
  if (lines.at === undefined)
    return chunkOf(
      slots.map((slot) => lineAt(lines, slot)),
      lines.format
    )
  return {
    ...lines,
    indexes: Float64Array.from(slots, (slot) => lines.indexes[slot]!),
    starts: Uint32Array.from(slots, (slot) => lines.starts[slot]!),
    ends: Uint32Array.from(slots, (slot) => lines.ends[slot]!),
    oversized: slots.flatMap((slot, position) => (lines.oversized.includes(slot) ? [position] : []))
  }
}

const sizeOf = ({ ends, starts }: ChunkLines): number => ends.reduce((sum, end, at) => sum + end - starts[at]!, 0)

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
  /** Bytes of the lines that are held, here or in the process that has them. */
  size: number
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
    this.size = sizeOf(lines)
    this.isSettled = new Uint8Array(this.rows)
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
    const kept: Array<number> = []
    const at: Array<number> = []
    for (let slot = 0; slot < lines.indexes.length; slot++) {
      const position = positions === undefined ? slot : positions[slot]!
      if (this.isSettled[position] !== 0) continue
      kept.push(slot)
      at.push(position)
    }
    this.lines = pick(lines, kept)
    this.size = sizeOf(this.lines)
    this.positions = Uint32Array.from(at)
  }
}
