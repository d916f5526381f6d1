/**
 * Writes one line per request, in batches: a write for each line would cost more than the rest of the request. Never in the
 * way of requests: when nobody takes the lines they are dropped and counted.
 */
import * as Fs from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import type { RequestRecord } from "../../domain/server/RequestRecord.ts"
import { jsonLine, textLine } from "../../domain/telemetry/LogLine.ts"

/** A line waits at most so long. */
const BATCH_MS = 100

/** A batch of so many characters does not wait. */
const BATCH_LENGTH = 65_536

/** Most characters that wait: some ten thousand lines, for when the reader of the log stands still. */
const MOST_LENGTH = 8 * 1_048_576

/** How long the end of the process may wait for the reader of the log. */
const LAST_MS = 1_000

/** A pipe that is full is tried again after so long. */
const FULL_MS = 10

export interface RequestLog {
  /** Takes a line; it is written a moment later. Never fails. */
  readonly write: (record: RequestRecord) => void
  /** Lines that could not be written, ever. */
  readonly dropped: () => number
}

export interface RequestLogOptions {
  readonly format: ServerConfig["requestLog"]
  /** An open file. Default: 2, standard error. */
  readonly fd?: number | undefined
  /** Whether other processes write lines to the same file. Default: false. */
  readonly isShared?: boolean | undefined
}

/** Makes a log; what waits when the scope closes, or the process exits, is written then. */
export const make = Effect.fnUntraced(function* (
  options: RequestLogOptions
): Effect.fn.Return<RequestLog, never, Scope.Scope> {
  if (options.format === "none") return { write: () => {}, dropped: () => 0 }
  const writer = new BatchWriter(yield* patient(options.fd ?? 2), options.isShared ?? false)
  const lineOf = options.format === "json" ? jsonLine : textLine
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("exit", writer.last)),
    () => Effect.sync(() => process.off("exit", writer.last))
  )
  yield* Effect.addFinalizer(() => Effect.timeoutOption(writer.flush, LAST_MS))
  yield* Effect.forkScoped(writer.run, { startImmediately: true })
  return { write: (record) => writer.add(lineOf(record)), dropped: () => writer.dropped }
})

/**
 * A pipe is opened once more so that it does not block: a write to one that nobody reads would otherwise keep the process
 * from its exit. What others do with the file is not changed by that. Other files, and systems without /proc, stay as they are.
 */
const patient = (fd: number): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      try {
        if (!Fs.fstatSync(fd).isFIFO()) return fd
        return Fs.openSync(`/proc/self/fd/${fd}`, Fs.constants.O_WRONLY | Fs.constants.O_NONBLOCK)
      } catch {
        return fd
      }
    }),
    (own) =>
      Effect.sync(() => {
        if (own !== fd) Fs.closeSync(own)
      })
  )

/** A pipe takes so many bytes at once or not at all, and nothing of others between them (PIPE_BUF on Linux). */
const ATOMIC = 4096

/** As many of the lines as are written in one piece; or one that is too long for that. */
const atomic = (lines: Buffer): Buffer => {
  if (lines.length <= ATOMIC) return lines
  const end = lines.lastIndexOf(10, ATOMIC - 1)
  return lines.subarray(0, (end < 0 ? lines.indexOf(10) : end) + 1)
}

class BatchWriter {
  dropped = 0
  private readonly fd: number
  private readonly isShared: boolean
  private lines: Array<string> = []
  private length = 0
  /** The reader has gone: nothing can be written any more. */
  private isClosed = false
  /** Open while lines wait. */
  private readonly some = Latch.makeUnsafe()
  /** Open while so many wait that they should not. */
  private readonly many = Latch.makeUnsafe()
  /** Done when the write under way is: only one at a time, so that batches stay whole and in order. */
  private writing: Deferred.Deferred<void> | undefined = undefined

  constructor(fd: number, isShared: boolean) {
    this.fd = fd
    this.isShared = isShared
  }

  add(line: string): void {
    if (this.isClosed || this.length > MOST_LENGTH) {
      this.dropped++
      return
    }
    this.lines.push(line)
    this.length += line.length
    if (this.lines.length === 1) this.some.openUnsafe()
    if (this.length >= BATCH_LENGTH) this.many.openUnsafe()
  }

  /** Writes batches, for ever. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(
      Effect.andThen(
        Effect.andThen(this.some.await, Effect.raceFirst(Effect.sleep(BATCH_MS), this.many.await)),
        this.flush
      )
    )
  )

  /** Writes what waits, after what is being written. */
  get flush(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.writing === undefined ? this.batch : Effect.andThen(Deferred.await(this.writing), this.flush)
    )
  }

  /** For the end of the process, when there is no time for more than one try. */
  readonly last = (): void => {
    const { count, bytes } = this.take()
    if (this.isClosed || count === 0) return
    try {
      Fs.writeSync(this.fd, bytes)
    } catch {
      // Nobody is left to be told.
      this.dropped += count
    }
  }

  /** A fiber of its own takes and writes them, which nobody interrupts: half a line would spoil the next one. */
  private get batch(): Effect.Effect<void> {
    const write = Effect.suspend(() => {
      const { bytes, count } = this.take()
      if (count === 0) return Effect.void
      const written = Deferred.makeUnsafe<void>()
      this.writing = written
      const done = Effect.sync(() => {
        this.writing = undefined
        Deferred.doneUnsafe(written, Effect.void)
      })
      return Effect.ensuring(this.writeAll(bytes, count), done)
    })
    return Effect.andThen(
      Effect.forkDetach(write, { startImmediately: true, uninterruptible: true }),
      Effect.suspend(() => (this.writing === undefined ? Effect.void : Deferred.await(this.writing)))
    )
  }

  private take(): { readonly bytes: Buffer; readonly count: number } {
    const { lines } = this
    this.lines = []
    this.length = 0
    this.some.closeUnsafe()
    this.many.closeUnsafe()
    return { bytes: Buffer.from(lines.join("")), count: lines.length }
  }

  private writeAll(bytes: Buffer, count: number): Effect.Effect<void> {
    return Effect.flatMap(this.writeSome(this.isShared ? atomic(bytes) : bytes), (outcome) => {
      if (typeof outcome === "number") {
        return outcome === bytes.length ? Effect.void : this.writeAll(bytes.subarray(outcome), count)
      }
      if (outcome === "EAGAIN") return Effect.andThen(Effect.sleep(FULL_MS), this.writeAll(bytes, count))
      // The reader has gone for good; anything else, such as a full disk, may get better.
      if (outcome === "EPIPE" || outcome === "EIO" || outcome === "EBADF") this.isClosed = true
      this.dropped += count
      return Effect.void
    })
  }

  /** How many bytes were written, or the code of the failure. */
  private writeSome(bytes: Buffer): Effect.Effect<number | string> {
    return Effect.callback((resume) => {
      Fs.write(this.fd, bytes, (error, written) => {
        resume(Effect.succeed(error === null ? written : (error.code ?? "UNKNOWN")))
      })
    })
  }
}
