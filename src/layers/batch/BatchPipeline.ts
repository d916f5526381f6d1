/**
 * The way of the rows: input -> request -> result line.
 *
 * One fiber reads, as far as the client has room, and starts the requests; there are never more than `maxOutstanding`. What
 * a row ends as is settled when its request ends, in one place, whatever way it ended.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
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
import type { GenAiClient, GenerateListener, StartedGenerate, StartGenerate } from "../../services/GenAiClient.ts"
import type { InputFile } from "./BatchPaths.ts"
import * as Feeding from "./Feeding.ts"
import type { Gate } from "./Gate.ts"
import type { LineReader } from "./LineReader.ts"
import type { LineWriter } from "./LineWriter.ts"
import { Slots } from "./Slots.ts"

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

/**
 * For so long rows are started one after the other, in milliseconds; then the event loop has its turn.
 *
 * Nothing is sent before that: it is the loop that opens sockets and reads answers. A run begins with code that is not compiled and
 * with a connection to open for each row, so that rows at 10,000/s come due as fast as they are started: 1,500 were started in one go,
 * and none was sent for 0.3 s. That gap came back in each second of the run, since no window of the limit may hold more.
 */
const SLICE_MS = 2

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
  /** What it holds: its line, and that of its answer when it may have to wait. */
  readonly bytes: number
}

/** A row whose request is under way: all that is kept of it until its line is written. */
class Started implements Admitted, GenerateListener {
  readonly row: Row
  readonly number: number
  readonly bytes: number
  /** Where its call is kept, to be given up; -1: nowhere. */
  slot = -1
  isEnded = false
  private readonly settle: (started: Started, exit: Exit.Exit<GenAiAnswer, GenAiError>) => void

  constructor(row: Row, number: number, bytes: number, settle: Started["settle"]) {
    this.row = row
    this.number = number
    this.bytes = bytes
    this.settle = settle
  }

  ended(exit: Exit.Exit<GenAiAnswer, GenAiError>): void {
    this.isEnded = true
    this.settle(this, exit)
  }
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
  const calls = new Slots<StartedGenerate>()
  const abandon = Effect.suspend(() => {
    stopping = true
    return Effect.forEach(calls.all(), ({ interrupt }) => interrupt, { concurrency: "unbounded", discard: true })
  })
  yield* Effect.addFinalizer(() => abandon)
  client.room?.watch(() => gate.look())
  const clock = yield* Clock.Clock
  const format = resultFormats[options.outputFormat ?? "own"]
  let admittedRows = 0
  /** Held by rows that are not settled: their own lines, and those of answers that wait for earlier rows. */
  let bytes = 0

  const settle = (admitted: Admitted, ending: Ending): void => {
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
  const order = new InOrder<Settled>(({ admitted, ending }) => settle(admitted, ending))
  const end = (admitted: Admitted, ending: Ending): void => {
    if (!options.ordered) settle(admitted, ending)
    else {
      // Its line may have to wait, and takes memory while it does; but its slot is free.
      const line = ending._tag === "Dropped" ? 0 : ending.line.length
      bytes += line
      order.put(admitted.number, { admitted: { number: admitted.number, bytes: admitted.bytes + line }, ending })
      gate.look()
    }
  }

  const admit = (line: RawLine): void => {
    const number = admittedRows++
    const size = line.bytes.length
    tally.outstanding += 1
    bytes += size
    const row = rows.read(line)
    if (row._tag === "InvalidRow") {
      end({ number, bytes: size }, invalidEnding(row, format))
      return
    }
    const started = new Started(row, number, size, ended)
    const call = start(row.request, row.session === undefined ? undefined : { session: row.session }, started)
    if (!started.isEnded) started.slot = calls.put(call)
  }

  const ended = (started: Started, exit: Exit.Exit<GenAiAnswer, GenAiError>): void => {
    const { row, slot } = started
    if (slot >= 0) calls.take(slot)
    if (Exit.isSuccess(exit)) {
      unsaid.answered(row, exit.value.endpoint)
      end(started, savedEnding(row, exit.value, format, clock.currentTimeMillisUnsafe()))
    } else end(started, failedEnding(row, exit.cause, format, stopping))
  }

  const hasRoom = (): boolean =>
    !stopping && client.room?.has() !== false && Feeding.hasRoom({ tally, writers }, options.maxOutstanding, bytes)

  const feeding = yield* Feeding.make({
    ...{ gate, input, journal, reader, tally, verified, writers },
    limit: options.limit,
    see: (line) => rows.see(line),
    deal: (lines) => {
      const until = performance.now() + SLICE_MS
      for (let line = lines.peek(); line !== undefined; line = lines.peek()) {
        // Only now, with a row at hand: a run that waits at the end of the input has ended reading.
        if (!hasRoom()) return false
        admit(line)
        lines.take()
        if (performance.now() > until) {
          gate.rest()
          return false
        }
      }
      return true
    },
    isStopping: () => stopping,
    finish: Effect.void
  })

  return {
    run: feeding.run,
    stop: Effect.suspend(() => {
      stopping = true
      return feeding.stop
    }),
    abandon
  }
})

/** For clients that have none: a fiber for each request. Not a `FiberSet`: it costs as much again as the fiber. */
const starterOf = (client: GenAiClient["Service"]): Effect.Effect<StartGenerate> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.succeed((request, options, listener) => {
      // `suspend`, so that a client that throws before it gives an effect is a failed row too.
      const fiber = Effect.runForkWith(context)(Effect.suspend(() => client.generate(request, options)))
      fiber.addObserver((exit) => listener.ended(exit))
      return { interrupt: Fiber.interrupt(fiber) }
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
