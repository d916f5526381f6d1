/** Writes lines to one file in large pieces: one writer, whole lines, in the order they came. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type { Scope } from "effect/Scope"
import { free } from "../../domain/batch/Bytes.ts"
import type { BatchError } from "../../services/BatchRunner.ts"
import type { OutputSink } from "./OutputSink.ts"

export interface LineWriter {
  /** Queues a line, given without its line end. It is written within 20 ms, or when the disk comes to it. */
  readonly append: (line: string) => void
  /** Characters queued and not yet written. */
  readonly backlog: () => number
  /** Never succeeds; fails once a write has failed. What is queued then is dropped. */
  readonly failed: Effect.Effect<never, BatchError>
  /** Writes what is queued, waits until it is on the disk, and ends the writer. */
  readonly end: Effect.Effect<void, BatchError>
}

/** The writer of a file. */
export interface FileWriter extends LineWriter {
  /**
   * Queues whole lines, with their line ends, to be written at once. Their memory is the writer's from now on, which gives
   * it back.
   */
  readonly appendLines: (lines: Uint8Array) => void
}

/** So much is written without waiting for more. */
const BATCH = 64 * 1024
/** How long a line waits for more to be written with. */
const INTERVAL = "20 millis"

/** Pieces are brought together in a room of this size that is used again: new ones would be work for the collector. */
const ROOM = 1024 * 1024

/**
 * Starts a writer, to be ended with the scope.
 *
 * `onWritten` is called after each write: the backlog has shrunk.
 */
export const make = (sink: OutputSink, onWritten: () => void): Effect.Effect<FileWriter, never, Scope> =>
  Effect.gen(function* () {
    let lines: Array<string> = []
    /** What was queued before `lines`, when some of it came as bytes. */
    let pieces: Array<Uint8Array> = []
    let size = 0
    let writing = 0
    let ending = false
    const some = Latch.makeUnsafe(false)
    const enough = Latch.makeUnsafe(false)
    const failure = yield* Deferred.make<never, BatchError>()

    const grow = (by: number, isEnough = false): void => {
      size += by
      some.openUnsafe()
      if (isEnough || size >= BATCH) enough.openUnsafe()
    }

    const append = (line: string): void => {
      lines.push(line)
      grow(line.length + 1)
    }

    const appendLines = (more: Uint8Array): void => {
      if (more.length === 0) return
      if (lines.length > 0) pieces.push(takeLines())
      pieces.push(more)
      // They have waited for each other where they come from.
      grow(more.length, true)
    }

    const takeLines = (): Buffer => {
      // A line of its own for the last line end: `join` puts it there without copying the lines once more.
      lines.push("")
      const taken = Buffer.from(lines.join("\n"))
      lines = []
      return taken
    }

    const takeAll = (): Uint8Array => {
      if (lines.length > 0) pieces.push(takeLines())
      const taken = pieces
      pieces = []
      return taken.length === 1 ? taken[0]! : together(taken)
    }

    let room: Buffer | undefined
    const together = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
      const length = parts.reduce((sum, part) => sum + part.length, 0)
      if (length > ROOM) return Buffer.concat(parts)
      room ??= Buffer.allocUnsafeSlow(ROOM)
      let at = 0
      for (const part of parts) {
        room.set(part, at)
        at += part.length
        free(part)
      }
      return room.subarray(0, length)
    }

    const write = Effect.suspend(() => {
      const batch = takeAll()
      writing = size
      size = 0
      some.closeUnsafe()
      enough.closeUnsafe()
      return Effect.andThen(
        sink.write(batch),
        Effect.sync(() => {
          writing = 0
          if (batch.buffer !== room?.buffer) free(batch)
          onWritten()
        })
      )
    })

    const loop = Effect.gen(function* () {
      while (!ending || size > 0) {
        yield* some.await
        if (!ending) yield* Effect.timeoutOption(enough.await, INTERVAL)
        if (size > 0) yield* write
      }
      yield* sink.sync
    }).pipe(Effect.tapError((error) => Deferred.fail(failure, error)))

    const fiber = yield* Effect.forkScoped(loop)

    const end = Effect.suspend(() => {
      ending = true
      some.openUnsafe()
      enough.openUnsafe()
      return Fiber.join(fiber)
    })
    // Runs before the fiber is interrupted. Whoever closes the scope early has had the error from `failed`.
    yield* Effect.addFinalizer(() => Effect.ignore(end))

    return { append, appendLines, backlog: () => size + writing, failed: Deferred.await(failure), end }
  })
