/** What every run has, whoever does the work: its files, their locks, its end and its report. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Scope from "effect/Scope"
import type * as Stdio from "effect/Stdio"
import type { Journal } from "../../domain/batch/Journal.ts"
import type { RowOptions } from "../../domain/batch/RowReader.ts"
import { Tally } from "../../domain/batch/Tally.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import type { BatchError, BatchOptions, BatchProgress, BatchReport, BatchRun } from "../../services/BatchRunner.ts"
import * as BatchPaths from "./BatchPaths.ts"
import { Gate } from "./Gate.ts"
import * as JournalScan from "./JournalScan.ts"
import * as LineReader from "./LineReader.ts"
import * as ResultFiles from "./ResultFiles.ts"
import * as RunLock from "./RunLock.ts"

/** The files of a run, open and locked, and what is known before the first row is read. */
export interface Opened {
  readonly options: BatchOptions
  readonly input: BatchPaths.InputFile
  readonly reader: LineReader.LineReader
  readonly writers: ResultFiles.ResultWriters
  /** What earlier runs have done. */
  readonly journal: Journal
  /** Whether the input was compared with the journal before; otherwise each row is as it comes. */
  readonly verified: boolean
  readonly tally: Tally
  /** Opened when a row is settled or a file is written. */
  readonly gate: Gate
}

/** What does the work of a run. */
export interface Work {
  /** Runs to the end of the input, or until told to stop, and then until every row that was read is settled. */
  readonly run: Effect.Effect<"completed" | "interrupted", BatchError>
  /** Reads no more rows. From now on a row that the client rejects is left for a later run. */
  readonly stop: Effect.Effect<void>
  /** Waits, no longer than `grace`, until what was sent has ended; sends nothing more. */
  readonly drain: (grace: Duration.Input) => Effect.Effect<void>
  /** Gives up the rows that are not answered yet. */
  readonly abandon: Effect.Effect<void>
  readonly warnings: () => ReadonlyArray<string>
  readonly endpoints: Effect.Effect<ReadonlyArray<EndpointStats>>
}

/** A client that does not keep to the timeout of its drain, or to its end, is not waited for longer than this. */
const SLACK = Duration.seconds(1)

/**
 * Starts a run whose work is done by `makeWork`; what it opens belongs to the run and is closed at its end. `readBytes` of
 * the input are read at once; a default is there for those who do the rows in this process.
 */
export const start = Effect.fn("BatchRunner.start")(function* <R>(
  options: BatchOptions,
  makeWork: (opened: Opened) => Effect.Effect<Work, BatchError, R | Scope.Scope>,
  readBytes?: number
): Effect.fn.Return<BatchRun, BatchError, Exclude<R, Scope.Scope> | FileSystem.FileSystem | Stdio.Stdio | Scope.Scope> {
  yield* checkOptions(options)
  const startedMs = yield* Clock.currentTimeMillis
  // A scope of their own, so that files and locks are free as soon as the run has ended.
  const outer = yield* Effect.scope
  const resources = yield* Scope.fork(outer)
  const { tally, work } = yield* Effect.gen(function* () {
    const opened = yield* open(options, readBytes)
    return { tally: opened.tally, work: yield* makeWork(opened) }
  }).pipe(
    Scope.provide(resources),
    Effect.onError((cause) => Scope.close(resources, Exit.failCause(cause)))
  )
  const main = yield* work.run.pipe(
    Effect.onExit((exit) => Effect.andThen(work.abandon, Scope.close(resources, exit))),
    Effect.flatMap((outcome) =>
      Effect.map(
        Clock.currentTimeMillis,
        (nowMs): BatchReport => ({
          ...progressOf(tally),
          outcome,
          failures: { ...tally.failures },
          samples: [...tally.samples],
          warnings: work.warnings(),
          elapsedMs: nowMs - startedMs
        })
      )
    ),
    Effect.forkIn(outer)
  )
  const stop = Effect.fn("BatchRunner.stop")(function* (grace: Duration.Input) {
    if (main.pollUnsafe() !== undefined) return
    yield* windDown(work, grace, Fiber.await(main))
    yield* Fiber.await(main)
  })
  return {
    await: Fiber.join(main),
    progress: Effect.sync(() => progressOf(tally)),
    endpoints: work.endpoints,
    stop
  }
})

/** Has work end within `grace`; what has not come then is given up. `isOver` waits until the work has ended. */
export const windDown = (
  work: Pick<Work, "stop" | "drain" | "abandon">,
  grace: Duration.Input,
  isOver: Effect.Effect<unknown>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* work.stop
    const longest = Duration.sum(Duration.fromInputUnsafe(grace), SLACK)
    yield* Effect.timeoutOption(work.drain(grace), longest).pipe(
      // The work has ended, but its last answers may be on their way to the rows: interrupted now, they were lost.
      Effect.andThen(Effect.sleep(SLACK)),
      Effect.raceFirst(isOver)
    )
    yield* work.abandon
  })

/** Everything up to the first row. */
const open = Effect.fnUntraced(function* (options: BatchOptions, readBytes: number | undefined) {
  const found = yield* BatchPaths.lookUp(options)
  for (const file of [found.save, found.errors]) if (file.kind === "file") yield* RunLock.acquire(file)
  // Once more: the run that held the lock until now may have written.
  const paths = yield* BatchPaths.lookUp(options)
  const earlier = yield* ResultFiles.earlierRun(paths, options.existing)
  const { journal } = earlier
  const { input } = paths
  const verified = input.kind === "file"
  if (verified) yield* JournalScan.verify(input, journal)

  const gate = new Gate()
  const tally = new Tally({ saved: journal.saved, failed: journal.failed, invalid: earlier.invalid })
  const writers = yield* ResultFiles.open(paths, earlier, () => gate.look())
  const reader = yield* LineReader.open(input, undefined, readBytes)
  if (verified) yield* Effect.forkScoped(countRows(options, input, tally))
  const opened: Opened = { options, input, reader, writers, journal, verified, tally, gate }
  return opened
})

/** How the rows of a run are read. Lines in a provider's format have the provider's own answer when there is one. */
export const rowOptions = ({
  anyObject,
  format,
  outputFormat = "own"
}: Pick<BatchOptions, "anyObject" | "format" | "outputFormat">): RowOptions => ({
  anyObject,
  format: format ?? "auto",
  keepRaw: outputFormat !== "own"
})

/** Wrong numbers here are a caller's bug: those that users give are checked where they give them. */
export const checkOptions = ({ limit, maxOutstanding }: BatchOptions): Effect.Effect<void> => {
  if (!(Number.isSafeInteger(maxOutstanding) && maxOutstanding > 0)) {
    return Effect.die(new RangeError(`maxOutstanding: expected a whole number above 0, got ${maxOutstanding}`))
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    return Effect.die(new RangeError(`limit: expected a whole number from 0, got ${limit}`))
  }
  return Effect.void
}

/** Counts the rows of the input beside the run. When it cannot be read, the run itself fails by that. */
const countRows = (options: BatchOptions, input: BatchPaths.InputFile, tally: Tally) =>
  LineReader.countLines(input, options.limit ?? Number.POSITIVE_INFINITY).pipe(
    Effect.tap((total) =>
      Effect.sync(() => {
        tally.total ??= total
      })
    ),
    Effect.ignore
  )

const progressOf = ({ failed, invalid, outstanding, resumed, saved, total }: Tally): BatchProgress => ({
  total,
  resumed,
  saved,
  failed,
  invalid,
  outstanding
})
