/** The rows that a child was given, as an input to be read. */

import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import { NO_BYTES } from "../../../domain/batch/Bytes.ts"
import type { FormatName } from "../../../domain/batch/Row.ts"
import { type ChunkLines, lineAt } from "../../../domain/batch/RowChunk.ts"
import type { LineReader } from "../LineReader.ts"
import type { ReadAt } from "./Spool.ts"

export interface ChildReader extends LineReader {
  /** More rows have come. */
  readonly push: (lines: ChunkLines) => void
  /** No more rows will come. */
  readonly end: () => void
  /** Whether this row (by its number) is the last of a chunk. Asked once for each row. */
  readonly isLast: (number: number) => boolean
}

export interface ChildReaderOptions {
  /** The next rows are of this format. */
  readonly onFormat: (format: FormatName | undefined) => void
  /** So many rows have been begun: more may come. */
  readonly onTaken: (rows: number) => void
  /** Reads the input from a position on until the bytes are full. */
  readonly readAt: (bytes: Uint8Array, position: number) => ReadAt
  /**
   * Lines that the parent has seen cannot be read any more: there will be no more rows. With the system's error code, when
   * it gave one; otherwise the input has become shorter.
   */
  readonly onUnreadable: (code: string | undefined) => void
}

/** Most chunks are no larger. */
const ROOM = 1024 * 1024

export const make = ({ onFormat, onTaken, onUnreadable, readAt }: ChildReaderOptions): ChildReader => {
  const chunks: Array<ChunkLines> = []
  const lasts = new Set<number>()
  const more = Latch.makeUnsafe(false)
  let current: ChunkLines | undefined
  /** Where the lines of the current chunk are. */
  let bytes = NO_BYTES
  /** For one chunk after the other: a line is valid no longer than until the next one is asked for. */
  let room = Buffer.alloc(0)
  let position = 0
  let taken = 0
  let told = 0
  let offset = 0
  let ended = false

  const tell = (): void => {
    if (told === taken) return
    told = taken
    onTaken(taken)
  }

  /**
   * Brings the lines here; `undefined` when they cannot be read any more. Then they must not be settled: what would be
   * noted of them is not what the input has.
   *
   * Not in the background: the parent has just read them, so that they are in memory.
   */
  const load = (chunk: ChunkLines): ChunkLines | undefined => {
    bytes = chunk.bytes
    if (chunk.at === undefined) return chunk
    const length = chunk.ends.at(-1) ?? 0
    if (length > room.length) room = Buffer.allocUnsafeSlow(Math.max(length, ROOM))
    bytes = room.subarray(0, length)
    const read = readAt(bytes, chunk.at)
    if (read.length === length) return chunk
    chunks.length = 0
    ended = true
    onUnreadable(read.code)
    return undefined
  }

  const take = () => {
    if (current === undefined || position === current.indexes.length) {
      const next = chunks.shift()
      current = next && load(next)
      if (current === undefined) return undefined
      tell()
      position = 0
      lasts.add(taken + current.indexes.length - 1)
      onFormat(current.format)
    }
    const line = lineAt(current, position, bytes)
    position += 1
    taken += 1
    offset += line.bytes.length + 1
    return line
  }

  return {
    take,
    fill: Effect.suspend(() => {
      tell()
      if (chunks.length > 0) return Effect.succeed(true)
      if (ended) return Effect.succeed(false)
      more.closeUnsafe()
      return Effect.map(more.await, () => chunks.length > 0 || !ended)
    }),
    count: () => taken,
    offset: () => offset,
    push: (lines) => {
      chunks.push(lines)
      more.openUnsafe()
    },
    end: () => {
      ended = true
      more.openUnsafe()
    },
    isLast: (number) => lasts.delete(number)
  }
}
