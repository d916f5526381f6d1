/** What all runs have in common, whoever sends the rows: which lines are rows to be done, when to read on, and the end. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { Journal } from "../../domain/batch/Journal.ts"
import type { RawLine } from "../../domain/batch/LineSplitter.ts"
import type { Tally } from "../../domain/batch/Tally.ts"
import type { BatchError } from "../../services/BatchRunner.ts"
import type { InputFile } from "./BatchPaths.ts"
import type { Gate } from "./Gate.ts"
import * as JournalScan from "./JournalScan.ts"
import type { LineReader } from "./LineReader.ts"
import type { LineWriter } from "./LineWriter.ts"

export interface FeedingOptions {
  /** Lines to read at most. */
  readonly limit: number | undefined
  readonly input: InputFile
  readonly reader: LineReader
  readonly journal: Journal
  /** Whether the input was compared with the journal before; otherwise each row is as it comes. */
  readonly verified: boolean
  readonly tally: Tally
  /** Opened when there may be more room, or when a row is settled. */
  readonly gate: Gate
  readonly writers: { readonly save: LineWriter; readonly errors: LineWriter }
  /** Shown each line that is done already. */
  readonly see: (line: RawLine) => void
  /** Deals with the rows at hand, as far as there is room; false when there is no more. */
  readonly deal: (lines: Lines) => boolean
  /** Whether there will be no more room. */
  readonly isStopping: () => boolean
  /** Once every row is settled, before the files are. */
  readonly finish: Effect.Effect<void>
}

/** The rows at hand. */
export interface Lines {
  /** The next row to be done, until it is taken; `undefined` when none is at hand. */
  readonly peek: () => RawLine | undefined
  /** The row is dealt with. */
  readonly take: () => void
}

export interface Feeding {
  /** Runs to the end of the input, or until told to stop, and then until every row that was read is settled. */
  readonly run: Effect.Effect<"completed" | "interrupted", BatchError>
  /** Reads no more. */
  readonly stop: Effect.Effect<void>
}

/** Rows that are not settled hold at most so many bytes: 256 MiB. One row may always be read. */
const MAX_BYTES = 256 * 1024 * 1024
/** Reading waits while a file's writer is so many characters behind. */
const MAX_BACKLOG = 1024 * 1024

/** Whether another row may be read: `most` at a time, and `bytes` are held by those that are not settled. */
export const hasRoom = (
  { tally, writers }: Pick<FeedingOptions, "tally" | "writers">,
  most: number,
  bytes: number
): boolean =>
  tally.outstanding < most &&
  bytes < MAX_BYTES &&
  writers.save.backlog() < MAX_BACKLOG &&
  writers.errors.backlog() < MAX_BACKLOG

export const make = Effect.fnUntraced(function* ({
  deal,
  finish,
  gate,
  input,
  isStopping,
  journal,
  limit = Number.POSITIVE_INFINITY,
  reader,
  see,
  tally,
  verified,
  writers
}: FeedingOptions): Effect.fn.Return<Feeding> {
  const stopped = yield* Deferred.make<void>()
  /** Lines that are dealt with or done already; a line that waits for room is not. */
  let dealtWith = 0
  /** The line that waits for room, or that is not what it was. */
  let next: RawLine | undefined
  let hasChanged = false

  const take = (): void => {
    next = undefined
    dealtWith += 1
  }
  const peek = (): RawLine | undefined => {
    for (;;) {
      if (next === undefined && reader.count() < limit) next = reader.take()
      if (next === undefined || journal.where(next.index) === undefined) return next
      hasChanged = !verified && JournalScan.differs(journal, next)
      if (hasChanged) return undefined
      see(next)
      take()
    }
  }
  const lines: Lines = { peek, take }

  const feed = Effect.gen(function* () {
    for (;;) {
      yield* gate.until(() => deal(lines) || isStopping())
      if (isStopping()) return
      if (hasChanged && next !== undefined) return yield* JournalScan.changed(input, next)
      if (reader.count() >= limit) break
      if (yield* reader.fill) continue
      if (reader.count() <= journal.highest) return yield* JournalScan.shorter(input, reader.count(), journal)
      break
    }
    tally.total = dealtWith
  })

  const run = Effect.gen(function* () {
    // What was sent is paid for: when the input fails on the way, its answers are still waited for.
    const fed = yield* Effect.exit(Effect.raceFirst(feed, Deferred.await(stopped)))
    yield* gate.until(() => tally.outstanding === 0)
    yield* fed
    yield* finish
    yield* writers.save.end
    yield* writers.errors.end
    return dealtWith === tally.total && tally.dropped === 0 ? ("completed" as const) : ("interrupted" as const)
  })

  return {
    run: Effect.raceAllFirst([run, writers.save.failed, writers.errors.failed]),
    stop: Effect.asVoid(Deferred.succeed(stopped, undefined))
  }
})
