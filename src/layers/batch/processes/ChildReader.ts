/** The rows that a child was given, as an input to be read. */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { FormatName } from "../../../domain/batch/Row.ts"
import { type ChunkLines, lineAt } from "../../../domain/batch/RowChunk.ts"
import type { LineReader } from "../LineReader.ts"

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
}

export const make = ({ onFormat, onTaken }: ChildReaderOptions): ChildReader => {
  const chunks: Array<ChunkLines> = []
  const lasts = new Set<number>()
  const more = Latch.makeUnsafe(false)
  let current: ChunkLines | undefined
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

  const take = () => {
    if (current === undefined || position === current.indexes.length) {
      current = chunks.shift()
      if (current === undefined) return undefined
      tell()
      position = 0
      lasts.add(taken + current.indexes.length - 1)
      onFormat(current.format)
    }
    const line = lineAt(current, position)
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
