/** Reads an input line by line, only as far as it is asked to. */
import { createReadStream } from "node:fs"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Pull from "effect/Pull"
import type { Scope } from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { LineCounter, LineSplitter, type RawLine } from "../../domain/batch/LineSplitter.ts"
import type { BatchError } from "../../services/BatchRunner.ts"
import type { InputFile } from "./BatchPaths.ts"
import { inputError } from "./FileErrors.ts"
import * as FileIdentity from "./FileIdentity.ts"

/**
 * The lines of one input.
 *
 * Taking a line costs no effect: some hundred lines come from each `fill`.
 */
export interface LineReader {
  /** The next line; `undefined` when none is at hand: then `fill`. Its bytes are valid until the next `take` or `fill`. */
  readonly take: () => RawLine | undefined
  /** Reads on. False at the end of the input. */
  readonly fill: Effect.Effect<boolean, BatchError>
  /** Lines taken so far. */
  readonly count: () => number
  /** Where the next line starts, in bytes from the start of the input. */
  readonly offset: () => number
  /** Which file is read (`FileIdentity`), when it is one. */
  readonly identity?: string | undefined
}

type ToError = (error: PlatformError) => BatchError

/** Bytes read at once, unless said otherwise; also how much of the event loop's time a run takes at once. */
const CHUNK = 256 * 1024

/**
 * Opens an input. It is read as `take` and `fill` ask for it, and closed with the scope. `toError` says what it means that it
 * cannot be read.
 */
export const open = (
  input: InputFile,
  lineLimit?: number,
  size: number = CHUNK,
  toError: ToError = inputError(input.path)
): Effect.Effect<LineReader, BatchError, FileSystem.FileSystem | Stdio.Stdio | Scope> =>
  Effect.map(chunks(input, size, toError), ({ identity, next }) => {
    const splitter = new LineSplitter(lineLimit)
    let last: RawLine | undefined
    let ended = false

    const end = () => {
      const first = !ended
      ended = true
      if (first) last = splitter.finish()
      return last !== undefined
    }
    const read = Effect.map(next, (chunk) => {
      if (chunk === undefined) return end()
      splitter.push(chunk)
      return true
    })
    const take = () => {
      if (!ended) return splitter.next()
      const line = last
      last = undefined
      return line
    }
    return {
      identity,
      take,
      fill: Effect.suspend(() => (ended ? Effect.succeed(end()) : read)),
      count: () => splitter.count,
      offset: () => splitter.offset
    }
  })

/** Bytes read at once when nothing but line ends is looked at. */
const COUNT_CHUNK = 1024 * 1024

/** Counts the lines of a file, `most` at most. */
export const countLines = (
  input: InputFile,
  most: number
): Effect.Effect<number, BatchError, FileSystem.FileSystem | Stdio.Stdio> =>
  Effect.gen(function* () {
    const counter = new LineCounter()
    const { next } = yield* chunks(input, COUNT_CHUNK, inputError(input.path))
    while (counter.ended < most) {
      const chunk = yield* next
      if (chunk === undefined) break
      counter.push(chunk)
    }
    return Math.min(counter.total, most)
  }).pipe(Effect.scoped)

interface Chunks {
  /** Gives the next bytes, which are valid until those after them are asked for; `undefined` at the end. */
  readonly next: Effect.Effect<Uint8Array | undefined, BatchError>
  readonly identity?: string | undefined
}

const chunks = (
  input: InputFile,
  size: number,
  toError: ToError
): Effect.Effect<Chunks, BatchError, FileSystem.FileSystem | Stdio.Stdio | Scope> =>
  input.kind === "file"
    ? fileChunks(input.path, size, toError)
    : input.kind === "stdin"
      ? Effect.flatMap(Stdio.Stdio, ({ stdin }) => streamChunks(stdin, toError))
      : streamChunks(pipeBytes(input.path, size), toError)

/** Into the same room each time: a new one for each chunk would be work for the collector. */
const fileChunks = Effect.fnUntraced(function* (path: string, size: number, toError: ToError) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* Effect.mapError(fs.open(path), toError)
  const identity = FileIdentity.ofInfo(yield* Effect.mapError(file.stat, toError))
  const room = Buffer.allocUnsafeSlow(size)
  const next = Effect.mapError(file.read(room), toError).pipe(
    Effect.map((read) => (read === 0 ? undefined : room.subarray(0, read)))
  )
  return { next, identity }
})

const streamChunks = Effect.fnUntraced(function* (bytes: Stream.Stream<Uint8Array, PlatformError>, toError: ToError) {
  const pull = yield* Stream.toPull(Stream.mapError(bytes, toError))
  let pulled: ReadonlyArray<Uint8Array> = []
  let at = 0
  const more = Pull.catchDone(
    Effect.map(pull, (next) => {
      pulled = next
      at = 0
      return pulled[at++]
    }),
    () => Effect.undefined
  )
  return { next: Effect.suspend(() => (at < pulled.length ? Effect.succeed(pulled[at++]) : more)) }
})

/** `FileSystem` reads at positions, which pipes do not have. */
const pipeBytes = (path: string, chunkSize: number) =>
  NodeStream.fromReadable<Uint8Array, ReturnType<typeof systemError>>({
    evaluate: () => createReadStream(path, { highWaterMark: chunkSize }),
    onError: (cause) =>
      systemError({ _tag: "Unknown", module: "FileSystem", method: "stream", pathOrDescriptor: path, cause })
  })
