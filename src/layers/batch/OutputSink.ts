/** Where the bytes of a result file go. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import type { Scope } from "effect/Scope"
import type { BatchError } from "../../services/BatchRunner.ts"
import type { OutputFile } from "./BatchPaths.ts"
import { outputError } from "./FileErrors.ts"

/** An open result file. One writer at a time. */
export interface OutputSink {
  /** Cuts the file to what is to be kept; before the first write. */
  readonly startAt: (at: OpenAt) => Effect.Effect<void, BatchError>
  /** Writes whole lines: either all of them, or it fails, and then the last one there is still whole where possible. */
  readonly write: (lines: Uint8Array) => Effect.Effect<void, BatchError>
  /** Waits until what was written is on the disk. */
  readonly sync: Effect.Effect<void, BatchError>
}

/** What to do with the bytes that are there. */
export interface OpenAt {
  /** Bytes to keep; what is beyond is cut off. */
  readonly keep: number
  /** Whether the last line that is kept lacks its line end. */
  readonly endLine: boolean
}

const LF = 0x0a

/** Opens a result file, to be closed with the scope, and changes nothing in it; makes it when there is none. */
export const open = (file: OutputFile): Effect.Effect<OutputSink, BatchError, FileSystem.FileSystem | Scope> =>
  file.kind === "stdout" ? openStdout(outputError(file.path)) : openFile(file, outputError(file.path))

const openFile = Effect.fnUntraced(function* (output: OutputFile, toError: (error: PlatformError) => BatchError) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* Effect.mapError(fs.open(output.target, { flag: "a" }), toError)
  let length = 0

  /** Writes all, in as many pieces as the system takes; keeps count, so that a failure leaves no part of a line. */
  const writeAll = (bytes: Uint8Array): Effect.Effect<void, PlatformError> =>
    Effect.gen(function* () {
      let written = 0
      while (written < bytes.length) {
        const more = yield* Effect.onError(file.write(bytes.subarray(written)), () => cutOff(bytes, written))
        written += more
      }
      length += written
    })

  const cutOff = (bytes: Uint8Array, written: number) => {
    const whole = bytes.subarray(0, written).lastIndexOf(LF) + 1
    // When this fails too, the next run finds the torn line and repairs it.
    return output.kind === "file" && whole < written ? Effect.ignore(file.truncate(length + whole)) : Effect.void
  }

  const startAt = ({ endLine, keep }: OpenAt) =>
    Effect.gen(function* () {
      if (output.kind !== "file") return
      length = keep
      if (output.size > keep) yield* file.truncate(keep)
      if (endLine) yield* writeAll(Buffer.from([LF]))
    })

  const settle = (effect: Effect.Effect<void, PlatformError>) =>
    Effect.uninterruptible(Effect.mapError(effect, toError))
  return {
    startAt: (at: OpenAt) => settle(startAt(at)),
    write: (lines: Uint8Array) => settle(writeAll(lines)),
    sync: output.kind === "file" ? settle(file.sync) : Effect.void
  }
})

/**
 * Writes to `process.stdout` itself: the sink of Effect's `Stdio` goes on before a write has ended and so does not see
 * that the last one failed.
 */
const openStdout = (toError: (error: PlatformError) => BatchError) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        // The callback of `write` tells of every failure; without a listener the event would end the process.
        const listener = () => {}
        process.stdout.on("error", listener)
        return listener
      }),
      (listener) => Effect.sync(() => process.stdout.off("error", listener))
    ),
    (): OutputSink => ({
      startAt: () => Effect.void,
      write: (lines) =>
        Effect.uninterruptible(
          Effect.callback<void, BatchError>((resume) => {
            process.stdout.write(lines, (cause) => {
              if (cause === undefined || cause === null) return resume(Effect.void)
              resume(Effect.fail(toError(systemError({ _tag: "Unknown", module: "Stdio", method: "stdout", cause }))))
            })
          })
        ),
      sync: Effect.void
    })
  )
