/**
 * The way of the rows through several processes: input -> chunks of lines -> processes -> result lines.
 *
 * This process reads no row: it counts lines, leaves out those that are done, and hands on bytes in both directions.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import type { RawLine } from "../../../domain/batch/LineSplitter.ts"
import { chunkOf } from "../../../domain/batch/RowChunk.ts"
import { RowReader } from "../../../domain/batch/RowReader.ts"
import type { DispatcherConfig } from "../../../domain/config/DispatcherConfig.ts"
import type { Spending } from "../../genai/Spending.ts"
import { type Opened, rowOptions, type Work } from "../BatchRuns.ts"
import * as JournalScan from "../JournalScan.ts"
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

/** Rows that are not settled hold at most so many bytes of input here: 256 MiB. */
const MAX_BYTES = 256 * 1024 * 1024
/** Reading waits while a file's writer is so many characters behind. */
const MAX_BACKLOG = 1024 * 1024

export const make = Effect.fnUntraced(function* (
  { gate, input, journal, options, reader, tally, verified, writers }: Opened,
  { script, shares, spending }: ProcessOptions
): Effect.fn.Return<Work, never, Scope> {
  const children = yield* Effect.acquireRelease(
    Effect.map(
      Clock.Clock,
      (clock) =>
        new Children({
          script,
          shares,
          batch: options,
          spending,
          tally,
          writers,
          clock,
          onChange: () => gate.look()
        })
    ),
    (children) => children.kill
  )
  const stopped = yield* Deferred.make<void>()
  // Only for the format, which is that of the first row of the whole input.
  const rows = new RowReader(rowOptions(options))
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  const mostOpen = options.maxOutstanding + shares.length * MOST_AHEAD
  /** Lines that were given to a process, or are done already. */
  let dealtWith = 0
  let next: RawLine | undefined

  const receiver = () =>
    tally.outstanding < mostOpen &&
    children.bytes < MAX_BYTES &&
    writers.save.backlog() < MAX_BACKLOG &&
    writers.errors.backlog() < MAX_BACKLOG
      ? children.next
      : undefined

  /** Gives out the lines at hand, as far as they are wanted; says why no further. */
  const deal = (): "full" | "empty" | "limit" | "changed" => {
    for (;;) {
      const child = receiver()
      if (child === undefined) return "full"
      const lines: Array<RawLine> = []
      const ended = take(lines, child.hand.portion)
      if (lines.length > 0) children.give(child, chunkOf(lines, formatOfLines))
      if (ended !== undefined) return ended
    }
  }

  let formatOfLines = rows.format
  const take = (lines: Array<RawLine>, most: number): "empty" | "limit" | "changed" | undefined => {
    while (lines.length < most) {
      if (next === undefined && reader.count() >= limit) return "limit"
      next ??= reader.take()
      if (next === undefined) return "empty"
      rows.see(next)
      // Lines before the first row have no format, and those from there on have it.
      if (lines.length > 0 && rows.format !== formatOfLines) return undefined
      formatOfLines = rows.format
      if (journal.where(next.index) === undefined) lines.push(next)
      else if (!verified && JournalScan.differs(journal, next)) return "changed"
      next = undefined
      dealtWith += 1
    }
    return undefined
  }

  const feed = Effect.gen(function* () {
    let dealt = deal()
    const isOver = () => {
      dealt = deal()
      return dealt !== "full" || children.isStopping
    }
    for (;;) {
      if (dealt === "full") yield* gate.until(isOver)
      if (children.isStopping) return
      if (dealt === "changed" && next !== undefined) return yield* JournalScan.changed(input, next)
      if (dealt === "limit") break
      if (yield* reader.fill) {
        dealt = deal()
        continue
      }
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
    yield* children.end({ _tag: "End" }, "10 seconds")
    yield* writers.save.end
    yield* writers.errors.end
    return dealtWith === tally.total && tally.dropped === 0 ? ("completed" as const) : ("interrupted" as const)
  })

  return {
    run: Effect.raceAllFirst([run, writers.save.failed, writers.errors.failed]),
    stop: Effect.suspend(() => {
      children.stop()
      return Effect.asVoid(Deferred.succeed(stopped, undefined))
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
