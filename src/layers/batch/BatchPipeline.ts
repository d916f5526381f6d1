/**
 * The way of the rows: input -> request -> result line.
 *
 * One fiber reads, as far as the client has room, and starts the requests; there are never more than `maxOutstanding`. What
 * a row ends as is settled when its request ends, in one place, whatever way it ended.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import type { Scope } from "effect/Scope"
import type { ResultFormat } from "../../domain/batch/formats/RowFormat.ts"
import { InOrder } from "../../domain/batch/InOrder.ts"
import type { Journal } from "../../domain/batch/Journal.ts"
import type { RawLine } from "../../domain/batch/LineSplitter.ts"
import { resultFormats } from "../../domain/batch/ResultLine.ts"
import type { InvalidRow, Row } from "../../domain/batch/Row.ts"
import { DEFECT, INVALID_ROW, type RowFailure, rowFailure } from "../../domain/batch/RowFailure.ts"
import type { RowReader } from "../../domain/batch/RowReader.ts"
import type { FailureSample, Tally } from "../../domain/batch/Tally.ts"
import type { Unsaid } from "../../domain/batch/Unsaid.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import { isDeeper } from "../../domain/JsonText.ts"
import type { BatchError, BatchOptions } from "../../services/BatchRunner.ts"
import type { GenAiClient, StartGenerate } from "../../services/GenAiClient.ts"
import type { InputFile } from "./BatchPaths.ts"
import type { Gate } from "./Gate.ts"
import * as JournalScan from "./JournalScan.ts"
import type { LineReader } from "./LineReader.ts"
import type { LineWriter } from "./LineWriter.ts"

export interface PipelineOptions {
  readonly options: Pick<BatchOptions, "limit" | "maxOutstanding" | "ordered" | "outputFormat">
  readonly input: InputFile
  readonly reader: LineReader
  /** Reads the lines as rows. */
  readonly rows: RowReader
  readonly writers: { readonly save: LineWriter; readonly errors: LineWriter }
  readonly client: GenAiClient["Service"]
  readonly journal: Journal
  /** Whether the input was compared with the journal before; otherwise each row is as it comes. */
  readonly verified: boolean
  readonly tally: Tally
  readonly unsaid: Unsaid
  /** Opened when a row is settled or a file is written. */
  readonly gate: Gate
  /** Called with the position of a row among those of this run, once its line is written or it is given up. */
  readonly onSettled?: ((number: number) => void) | undefined
}

export interface Pipeline {
  /** Runs to the end of the input, or until told to stop, and then until every row that was read is settled. */
  readonly run: Effect.Effect<"completed" | "interrupted", BatchError>
  /** Reads no more rows. From now on a row that the client rejects is left for a later run. */
  readonly stop: Effect.Effect<void>
  /** Gives up the rows that are not answered yet. */
  readonly abandon: Effect.Effect<void>
}

/** Rows that are read and not settled hold at most so many bytes of input: 256 MiB. One row may always be read. */
const MAX_BYTES = 256 * 1024 * 1024
/** Reading waits while a file's writer is so many characters behind. */
const MAX_BACKLOG = 1024 * 1024

/** How a row ended. */
type Ending =
  | { readonly _tag: "Saved"; readonly line: string }
  | { readonly _tag: "Failed"; readonly line: string; readonly failure: FailureSample }
  /** Not answered, and to be sent by a later run. */
  | { readonly _tag: "Dropped" }

/** A row under way. */
interface Admitted {
  /** Position among the rows of this run. */
  readonly number: number
  /** Length of its line. */
  readonly bytes: number
}

interface Settled {
  readonly admitted: Admitted
  readonly ending: Ending
}

export const make = Effect.fnUntraced(function* ({
  client,
  gate,
  input,
  journal,
  onSettled,
  options,
  reader,
  rows,
  tally,
  unsaid,
  verified,
  writers
}: PipelineOptions): Effect.fn.Return<Pipeline, never, Scope> {
  let stopping = false
  const start = yield* client.starter ?? starterOf(client)
  /** What gives up each call that is under way. */
  const calls = new Set<Effect.Effect<void>>()
  const abandon = Effect.suspend(() => {
    stopping = true
    return Effect.forEach(Array.from(calls), identity, { concurrency: "unbounded", discard: true })
  })
  yield* Effect.addFinalizer(() => abandon)
  client.room?.watch(() => gate.look())
  const stopped = yield* Deferred.make<void>()
  const clock = yield* Clock.Clock
  const format = resultFormats[options.outputFormat ?? "own"]
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  let admittedRows = 0
  let bytes = 0
  /** Lines that are admitted or done already; a line that waits for room is not. */
  let dealtWith = 0

  const settle = ({ admitted, ending }: Settled): void => {
    switch (ending._tag) {
      case "Saved":
        writers.save.append(ending.line)
        tally.saved += 1
        break
      case "Failed":
        writers.errors.append(ending.line)
        tally.addFailure(ending.failure, ending.failure.reason === INVALID_ROW)
        break
      case "Dropped":
        tally.dropped += 1
    }
    tally.outstanding -= 1
    bytes -= admitted.bytes
    onSettled?.(admitted.number)
    gate.look()
  }
  const order = new InOrder<Settled>(settle)
  const end = (admitted: Admitted, ending: Ending): void => {
    const settled = { admitted, ending }
    if (!options.ordered) settle(settled)
    else {
      order.put(admitted.number, settled)
      // Its line may have to wait, but its slot is free.
      gate.look()
    }
  }

  const admit = (line: RawLine): void => {
    const admitted = { number: admittedRows++, bytes: line.bytes.length }
    tally.outstanding += 1
    bytes += admitted.bytes
    const row = rows.read(line)
    if (row._tag === "InvalidRow") {
      end(admitted, invalidEnding(row, format))
      return
    }
    let giveUp: Effect.Effect<void> | undefined
    let isEnded = false
    giveUp = start(row.request, { session: row.session }, (exit) => {
      isEnded = true
      if (giveUp !== undefined) calls.delete(giveUp)
      if (Exit.isSuccess(exit)) {
        unsaid.answered(row, exit.value.endpoint)
        end(admitted, savedEnding(row, exit.value, format, clock.currentTimeMillisUnsafe()))
      } else end(admitted, failedEnding(row, exit.cause, format, stopping))
    })
    if (!isEnded) calls.add(giveUp)
  }

  const hasRoom = (): boolean =>
    !stopping &&
    tally.outstanding < options.maxOutstanding &&
    client.room?.has() !== false &&
    bytes < MAX_BYTES &&
    writers.save.backlog() < MAX_BACKLOG &&
    writers.errors.backlog() < MAX_BACKLOG

  /** The line that waits for room. */
  let next: RawLine | undefined
  /** Deals with the lines at hand, as far as there is room; says why no further. */
  const pump = (): "full" | "empty" | "limit" | "changed" => {
    for (;;) {
      if (next === undefined && reader.count() >= limit) return "limit"
      next ??= reader.take()
      if (next === undefined) return "empty"
      if (journal.where(next.index) === undefined) {
        // Only now, with a row at hand: a run that waits at the end of the input has ended reading.
        if (!hasRoom()) return "full"
        admit(next)
      } else if (!verified && JournalScan.differs(journal, next)) {
        return "changed"
      } else rows.see(next)
      next = undefined
      dealtWith += 1
    }
  }

  const feed = Effect.gen(function* () {
    let pumped = pump()
    const isOver = () => {
      pumped = pump()
      return pumped !== "full"
    }
    for (;;) {
      if (pumped === "full") yield* gate.until(isOver)
      if (pumped === "changed" && next !== undefined) return yield* JournalScan.changed(input, next)
      if (pumped === "limit") break
      if (yield* reader.fill) {
        pumped = pump()
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
    yield* writers.save.end
    yield* writers.errors.end
    return dealtWith === tally.total && tally.dropped === 0 ? ("completed" as const) : ("interrupted" as const)
  })

  return {
    run: Effect.raceAllFirst([run, writers.save.failed, writers.errors.failed]),
    stop: Effect.suspend(() => {
      stopping = true
      return Effect.asVoid(Deferred.succeed(stopped, undefined))
    }),
    abandon
  }
})

/** For clients that have none: a fiber for each request. Not a `FiberSet`: it costs as much again as the fiber. */
const starterOf = (client: GenAiClient["Service"]): Effect.Effect<StartGenerate> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.succeed((request, options, onEnd) => {
      // `suspend`, so that a client that throws before it gives an effect is a failed row too.
      const fiber = Effect.runForkWith(context)(Effect.suspend(() => client.generate(request, options)))
      fiber.addObserver(onEnd)
      return Fiber.interrupt(fiber)
    })
  )

const invalidEnding = (row: InvalidRow, format: ResultFormat): Ending => ({
  _tag: "Failed",
  line: format.invalid(row),
  failure: { line: row.index + 1, reason: INVALID_ROW, error: row.error }
})

/** What `JSON.stringify` can write for sure; a raw answer may be nested more deeply. */
const MAX_DEPTH = 500

const savedEnding = (row: Row, answer: GenAiAnswer, format: ResultFormat, nowMs: number): Ending => {
  // Its text is saved all the same.
  const writable = answer.raw === undefined || !isDeeper(answer.raw, MAX_DEPTH) ? answer : { ...answer, raw: null }
  return { _tag: "Saved", line: format.saved(row, writable, nowMs) }
}

const failedEnding = (row: Row, cause: Cause.Cause<GenAiError>, format: ResultFormat, stopping: boolean): Ending => {
  const error = cause.reasons.find(Cause.isFailReason)?.error
  if (stopping && (error === undefined ? Cause.hasInterruptsOnly(cause) : error.reason._tag === "Rejected")) {
    return { _tag: "Dropped" }
  }
  const failure = error === undefined ? defect(cause) : rowFailure(error)
  return {
    _tag: "Failed",
    line: format.failed(row, failure),
    failure: { line: row.index + 1, reason: failure.reason, error: failure.error }
  }
}

/** A call that ended without a typed error: a bug, which costs this row and no other. */
const defect = (cause: Cause.Cause<GenAiError>): RowFailure => {
  const what = Cause.squash(cause)
  return {
    reason: DEFECT,
    status: undefined,
    error: `the call broke off by a fault in the program: ${what instanceof Error ? what.message : String(what)}`,
    endpoint: undefined,
    attempts: null
  }
}
