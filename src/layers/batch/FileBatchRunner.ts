/** Runs batches over files: the implementation of `BatchRunner`. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stdio from "effect/Stdio"
import { RowReader } from "../../domain/batch/RowReader.ts"
import { Tally } from "../../domain/batch/Tally.ts"
import { Unsaid } from "../../domain/batch/Unsaid.ts"
import { promptSize } from "../../domain/genai/TokenEstimate.ts"
import {
  type BatchCheck,
  type BatchOptions,
  type BatchProgress,
  type BatchReport,
  type BatchRun,
  BatchRunner
} from "../../services/BatchRunner.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import * as BatchPaths from "./BatchPaths.ts"
import * as BatchPipeline from "./BatchPipeline.ts"
import { Gate } from "./Gate.ts"
import * as JournalScan from "./JournalScan.ts"
import * as LineReader from "./LineReader.ts"
import * as ResultFiles from "./ResultFiles.ts"
import * as RunLock from "./RunLock.ts"

/** A client that does not keep to the timeout of its drain, or to its end, is not waited for longer than this. */
const SLACK = Duration.seconds(1)

/** Examples of invalid rows that a check gives. */
const CHECK_SAMPLES = 20

export const make = Effect.gen(function* () {
  const client = yield* GenAiClient
  // Not the whole context: it has a scope, which is not the one that a run's files belong to.
  const platform = Context.make(FileSystem.FileSystem, yield* FileSystem.FileSystem).pipe(
    Context.add(Stdio.Stdio, yield* Stdio.Stdio)
  )

  const makeUnsaid = Effect.map(
    Effect.suspend(() => client.stats),
    (endpoints) => new Unsaid(endpoints.map(({ kind, name }) => [name, kind]))
  )

  /** Everything up to the first request; what it opens belongs to `resources`. */
  const prepare = Effect.fnUntraced(function* (options: BatchOptions) {
    const found = yield* BatchPaths.lookUp(options)
    for (const file of [found.save, found.errors]) if (file.kind === "file") yield* RunLock.acquire(file)
    // Once more: the run that held the lock until now may have written.
    const paths = yield* BatchPaths.lookUp(options)
    const earlier = yield* ResultFiles.earlierRun(paths, options.existing)
    const verified = paths.input.kind === "file"
    if (verified) yield* JournalScan.verify(paths.input, earlier.journal)

    const { journal } = earlier
    const gate = new Gate()
    const tally = new Tally({ saved: journal.saved, failed: journal.failed, invalid: earlier.invalid })
    const writers = yield* ResultFiles.open(paths, earlier, () => gate.look())
    const reader = yield* LineReader.open(paths.input)
    const { input } = paths
    const unsaid = yield* makeUnsaid
    const pipeline = yield* BatchPipeline.make({
      client,
      gate,
      input,
      journal,
      options,
      reader,
      tally,
      unsaid,
      verified,
      writers
    })
    if (verified) yield* Effect.forkScoped(countRows(options, paths, tally))
    return { pipeline, tally, unsaid }
  })

  const start = Effect.fn("BatchRunner.start")(function* (options: BatchOptions) {
    yield* checkOptions(options)
    const startedMs = yield* Clock.currentTimeMillis
    // A scope of their own, so that files and locks are free as soon as the run has ended.
    const outer = yield* Effect.scope
    const resources = yield* Scope.fork(outer)
    const { pipeline, tally, unsaid } = yield* prepare(options).pipe(
      Effect.provideContext(platform),
      Scope.provide(resources),
      Effect.onError((cause) => Scope.close(resources, Exit.failCause(cause)))
    )
    const main = yield* pipeline.run.pipe(
      Effect.onExit((exit) => Effect.andThen(pipeline.abandon, Scope.close(resources, exit))),
      Effect.flatMap((outcome) =>
        Effect.map(
          Clock.currentTimeMillis,
          (nowMs): BatchReport => ({
            ...progressOf(tally),
            outcome,
            failures: { ...tally.failures },
            samples: [...tally.samples],
            warnings: unsaid.warnings,
            elapsedMs: nowMs - startedMs
          })
        )
      ),
      Effect.forkIn(outer)
    )
    const stop = Effect.fn("BatchRunner.stop")(function* (grace: Duration.Input) {
      if (main.pollUnsafe() !== undefined) return
      yield* pipeline.stop
      const drain = client.drain({ timeout: grace, queued: "discard" })
      yield* Effect.timeoutOption(drain, Duration.sum(Duration.fromInputUnsafe(grace), SLACK)).pipe(
        // The client has ended, but its last answers may be on their way to the rows: interrupted now, they were lost.
        Effect.andThen(Effect.sleep(SLACK)),
        Effect.raceFirst(Fiber.await(main))
      )
      yield* pipeline.abandon
      yield* Fiber.await(main)
    })
    const run: BatchRun = { await: Fiber.join(main), progress: Effect.sync(() => progressOf(tally)), stop }
    return run
  })

  const check = Effect.fn("BatchRunner.check")(function* (options: BatchOptions) {
    yield* checkOptions(options)
    const paths = yield* BatchPaths.lookUp(options)
    const { journal } = yield* ResultFiles.earlierRun(paths, options.existing)
    const reader = yield* LineReader.open(paths.input)
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const samples: Array<BatchCheck["samples"][number]> = []
    const rows = new RowReader(BatchPipeline.rowOptions(options))
    const unsaid = yield* makeUnsaid
    const asked = { textBytes: 0, fixedTokens: 0, maxTokens: 0, open: 0 }
    let valid = 0
    let resumed = 0
    let invalid = 0
    while (reader.count() < limit) {
      const line = reader.take()
      if (line === undefined) {
        if (yield* reader.fill) continue
        if (reader.count() <= journal.highest) return yield* JournalScan.shorter(paths.input, reader.count(), journal)
        break
      }
      if (journal.where(line.index) !== undefined) {
        if (JournalScan.differs(journal, line)) return yield* JournalScan.changed(paths.input, line)
        rows.see(line)
        resumed += 1
        continue
      }
      const row = rows.read(line)
      if (row._tag === "Row") {
        valid += 1
        const size = promptSize(row.request)
        asked.textBytes += size.textBytes
        asked.fixedTokens += size.fixedTokens
        if (row.request.maxTokens === undefined) asked.open += 1
        else asked.maxTokens += row.request.maxTokens
        unsaid.mayBeAnswered(row)
      } else {
        invalid += 1
        if (samples.length < CHECK_SAMPLES) samples.push({ line: line.index + 1, error: row.error })
      }
    }
    const result: BatchCheck = { valid, resumed, invalid, asked, samples, warnings: unsaid.warnings }
    return result
  })

  return BatchRunner.of({
    start,
    check: (options) => Effect.scoped(Effect.provideContext(check(options), platform))
  })
})

/** Runs batches over the files of this machine, or over standard input and output. */
export const layer: Layer.Layer<BatchRunner, never, GenAiClient | FileSystem.FileSystem | Stdio.Stdio> = Layer.effect(
  BatchRunner,
  make
)

/** Wrong numbers here are a caller's bug: those that users give are checked where they give them. */
const checkOptions = ({ limit, maxOutstanding }: BatchOptions): Effect.Effect<void> => {
  if (!(Number.isSafeInteger(maxOutstanding) && maxOutstanding > 0)) {
    return Effect.die(new RangeError(`maxOutstanding: expected a whole number above 0, got ${maxOutstanding}`))
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    return Effect.die(new RangeError(`limit: expected a whole number from 0, got ${limit}`))
  }
  return Effect.void
}

/** Counts the rows of the input beside the run. When it cannot be read, the run itself fails by that. */
const countRows = (options: BatchOptions, paths: BatchPaths.BatchPaths, tally: Tally) =>
  LineReader.countLines(paths.input, options.limit ?? Number.POSITIVE_INFINITY).pipe(
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
