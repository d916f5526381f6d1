/**
 * The way of the rows through several processes: input -> chunks of lines -> processes -> result lines.
 *
 * This process reads no row: it counts lines, leaves out those that are done, and tells the others where theirs stand, or
 * hands on the bytes of an input that can be read only once; and it writes the bytes that come back.
 */
import { closeSync, openSync } from "node:fs"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { RawLine } from "../../../domain/batch/LineSplitter.ts"
import { type ChunkLines, chunkOf, spanOf } from "../../../domain/batch/RowChunk.ts"
import { RowReader } from "../../../domain/batch/RowReader.ts"
import type { DispatcherConfig } from "../../../domain/config/DispatcherConfig.ts"
import type { Spending } from "../../genai/Spending.ts"
import { type Opened, rowOptions, type Work } from "../BatchRuns.ts"
import * as Feeding from "../Feeding.ts"
import * as FileIdentity from "../FileIdentity.ts"
import { Children } from "./Children.ts"
import { MOST_AHEAD } from "./Dealer.ts"

export interface ProcessOptions {
  /** The script that processes are started with: that of this program. */
  readonly script: string
  /** The configuration of each process; see `ProcessShares`. */
  readonly shares: ReadonlyArray<DispatcherConfig>
  /** Counts what all of them spend, and stops them. */
  readonly spending: Spending
}

/** Bytes of the input that are read at once: as many as a chunk may have, so that it needs to be no smaller. */
export const READ_BYTES = 1024 * 1024

/** A chunk has no more bytes than this from its first line to its last, unless it is one line. */
const MOST_SPAN = READ_BYTES

const isFar = (first: RawLine, { bytes, start = 0 }: RawLine): boolean =>
  start + bytes.length - (first.start ?? 0) > MOST_SPAN

/**
 * The input for all processes, who read it at places of their own; `undefined` when it cannot be had once more. Somebody may
 * have put another file in its place since it was opened: only the one that this process reads will do.
 */
const openShared = (path: string, identity: string | undefined): Effect.Effect<number | undefined, never, Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        try {
          return openSync(path, "r")
        } catch {
          return undefined
        }
      }),
      (fd) => Effect.sync(() => fd !== undefined && closeSync(fd))
    ),
    (fd) => (fd !== undefined && identity !== undefined && FileIdentity.ofDescriptor(fd) === identity ? fd : undefined)
  )

export const make = Effect.fnUntraced(function* (
  { gate, input, journal, options, reader, tally, verified, writers }: Opened,
  { script, shares, spending }: ProcessOptions
): Effect.fn.Return<Work, never, Scope> {
  const shared = input.kind === "file" ? yield* openShared(input.path, reader.identity) : undefined
  const children = yield* Effect.acquireRelease(
    Effect.map(
      Clock.Clock,
      (clock) =>
        new Children({
          script,
          shares,
          batch: options,
          input: shared,
          spending,
          tally,
          writers,
          clock,
          onChange: () => gate.look()
        })
    ),
    (children) => children.kill
  )
  // Only for the format, which is that of the first row of the whole input.
  const rows = new RowReader(rowOptions(options))
  const mostOpen = options.maxOutstanding + shares.length * MOST_AHEAD
  const hasRoom = () => Feeding.hasRoom({ tally, writers }, mostOpen, children.bytes)

  /** The next rows, as many as fit into one chunk: lines before the first row have no format, and those from there on have it. */
  const chunk = (lines: Feeding.Lines, most: number): ChunkLines => {
    const taken: Array<RawLine> = []
    let { format } = rows
    for (let line = lines.peek(); line !== undefined && taken.length < most; line = lines.peek()) {
      rows.see(line)
      if (taken.length > 0 && (rows.format !== format || isFar(taken[0]!, line))) break
      format = rows.format
      taken.push(line)
      lines.take()
    }
    return shared === undefined ? chunkOf(taken, format) : spanOf(taken, format)
  }

  const feeding = yield* Feeding.make({
    ...{ gate, input, journal, reader, tally, verified, writers },
    limit: options.limit,
    see: (line) => rows.see(line),
    deal: (lines) => {
      while (lines.peek() !== undefined) {
        const child = hasRoom() ? children.next : undefined
        if (child === undefined) return false
        children.give(child, chunk(lines, child.hand.portion))
      }
      return true
    },
    isStopping: () => children.isStopping,
    finish: children.end({ _tag: "End" }, "10 seconds")
  })

  return {
    run: feeding.run,
    stop: Effect.suspend(() => {
      children.stop()
      return feeding.stop
    }),
    drain: (grace) =>
      Effect.suspend(() => {
        children.tell({ _tag: "Stop", graceMs: Duration.toMillis(Duration.fromInputUnsafe(grace)) })
        return children.awaitEnd
      }),
    abandon: Effect.suspend(() => {
      children.stop()
      return children.end({ _tag: "Abandon" }, "1 second")
    }),
    warnings: () => children.warnings,
    endpoints: Effect.sync(() => children.endpoints)
  }
})
