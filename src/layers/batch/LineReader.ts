/** Reads an input line by line, only as far as it is asked to. */
import { createReadStream } from "node:fs"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { systemError } from "effect/PlatformError"
import * as Pull from "effect/Pull"
import type { Scope } from "effect/Scope"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import { LineCounter, LineSplitter, type RawLine } from "../../domain/batch/LineSplitter.ts"
import type { BatchError } from "../../services/BatchRunner.ts"
import type { InputFile } from "./BatchPaths.ts"
import { inputError } from "./FileErrors.ts"

/**
 * The lines of one input.
 *
 * Taking a line costs no effect: some hundred lines come from each `fill`.
 */
export interface LineReader {
  /** The next line; `undefined` when none is at hand: then `fill`. Its bytes are valid until the next `fill`. */
  readonly take: () => RawLine | undefined
  /** Reads on. False at the end of the input. */
  readonly fill: Effect.Effect<boolean, BatchError>
  /** Lines taken so far. */
  readonly count: () => number
  /** Where the next line starts, in bytes from the start of the input. */
  readonly offset: () => number
}

/** Bytes read at once; also how much of the event loop's time a run takes at once. */
const CHUNK = 64 * 1024

/** Opens an input. It is read as `take` and `fill` ask for it, and closed with the scope. */
export const open = (
  input: InputFile,
  lineLimit?: number
): Effect.Effect<LineReader, never, FileSystem.FileSystem | Stdio.Stdio | Scope> =>
  Effect.map(Effect.flatMap(bytes(input, CHUNK), Stream.toPull), (pull) => {
    const splitter = new LineSplitter(lineLimit)
    let chunks: ReadonlyArray<Uint8Array> = []
    let at = 0
    let last: RawLine | undefined
    let ended = false

    const push = () => {
      splitter.push(chunks[at++]!)
      return true
    }
    const end = () => {
      const first = !ended
      ended = true
      if (first) last = splitter.finish()
      return last !== undefined
    }
    const pulled = Effect.map(pull, (more) => {
      chunks = more
      at = 0
      return push()
    })
    const take = () => {
      if (!ended) return splitter.next()
      const line = last
      last = undefined
      return line
    }
    return {
      take,
      fill: Effect.suspend(() =>
        ended
          ? Effect.succeed(end())
          : at < chunks.length
            ? Effect.sync(push)
            : Pull.catchDone(pulled, () => Effect.sync(end))
      ),
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
    yield* Stream.runForEachWhile(yield* bytes(input, COUNT_CHUNK), (chunk) =>
      Effect.sync(() => {
        counter.push(chunk)
        return counter.ended < most
      })
    )
    return Math.min(counter.total, most)
  })

const bytes = (input: InputFile, chunkSize: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const stdio = yield* Stdio.Stdio
    const stream =
      input.kind === "stdin"
        ? stdio.stdin
        : input.kind === "file"
          ? fs.stream(input.path, { chunkSize })
          : pipeBytes(input.path, chunkSize)
    return Stream.mapError(stream, inputError(input.path))
  })

/** `FileSystem` reads at positions, which pipes do not have. */
const pipeBytes = (path: string, chunkSize: number) =>
  NodeStream.fromReadable<Uint8Array, ReturnType<typeof systemError>>({
    evaluate: () => createReadStream(path, { highWaterMark: chunkSize }),
    onError: (cause) =>
      systemError({ _tag: "Unknown", module: "FileSystem", method: "stream", pathOrDescriptor: path, cause })
  })
