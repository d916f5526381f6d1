/** Reads the result files of an earlier run: which rows are done, and whether the input still has them. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Stdio from "effect/Stdio"
import { Journal, type ResultFile } from "../../domain/batch/Journal.ts"
import type { RawLine } from "../../domain/batch/LineSplitter.ts"
import { readResultLine } from "../../domain/batch/ResultLine.ts"
import { lineHash } from "../../domain/batch/Row.ts"
import { INVALID_ROW } from "../../domain/batch/RowFailure.ts"
import { BatchError } from "../../services/BatchRunner.ts"
import type { BatchPaths, InputFile, OutputFile } from "./BatchPaths.ts"
import { inputName, resultsError } from "./FileErrors.ts"
import * as LineReader from "./LineReader.ts"
import type { OpenAt } from "./OutputSink.ts"

/** What an earlier run left. */
export interface EarlierRun {
  readonly journal: Journal
  /** Rows in the errors file that could not be read as a request. */
  readonly invalid: number
  /** How to go on with each file: without its torn last line. */
  readonly save: OpenAt
  readonly errors: OpenAt
}

/** Nothing was done before. */
export const nothing: Effect.Effect<EarlierRun> = Effect.sync(() => {
  const start: OpenAt = { keep: 0, endLine: false }
  return { journal: new Journal(), invalid: 0, save: start, errors: start }
})

/** A line of a result file may hold a row of 16 MiB and an answer. */
const RESULT_LIMIT = 256 * 1024 * 1024

/**
 * Reads both result files and changes nothing. Fails with `OutputDamaged` when a line is no result or a row is there
 * twice; a torn last line, as a kill leaves it, is no damage.
 */
export const scan = Effect.fnUntraced(function* (
  paths: BatchPaths
): Effect.fn.Return<EarlierRun, BatchError, FileSystem.FileSystem | Stdio.Stdio> {
  const journal = new Journal()
  const save = yield* scanFile(paths, "save", journal)
  const errors = yield* scanFile(paths, "errors", journal)
  return { journal, invalid: save.invalid + errors.invalid, save: save.at, errors: errors.at }
})

const scanFile = Effect.fnUntraced(function* (paths: BatchPaths, which: ResultFile, journal: Journal) {
  const file = paths[which]
  if (file.size === 0) return { at: { keep: 0, endLine: false }, invalid: 0 }
  const reader = yield* LineReader.open(
    { path: file.target, kind: "file" },
    RESULT_LIMIT,
    undefined,
    resultsError(file.path)
  )
  let invalid = 0
  /** Where the lines end that are results. */
  let keep = 0
  while (true) {
    const line = reader.take()
    if (line === undefined) {
      if (yield* reader.fill) continue
      return { at: { keep, endLine: false }, invalid }
    }
    const entry = line.oversized ? undefined : readResultLine(line.bytes.toString("utf8"))
    if (entry === undefined) {
      if (!line.ended) return { at: { keep, endLine: false }, invalid }
      return yield* damaged(file, `line ${line.index + 1} of ${file.path} is not a result of this tool`)
    }
    const known = journal.add(entry.index, entry.hash, which)
    if (known !== undefined) {
      const there = known === which ? "an earlier line" : paths[known].path
      return yield* damaged(
        file,
        `line ${line.index + 1} of ${file.path} has the row with index ${entry.index}, which ${there} has too`
      )
    }
    if (entry.reason === INVALID_ROW) invalid += 1
    // A whole JSON object is a whole line, even when the kill came just before its line end.
    if (!line.ended) return { at: { keep: file.size, endLine: true }, invalid }
    keep = reader.offset()
  }
}, Effect.scoped)

const damaged = (file: OutputFile, what: string) =>
  new BatchError({
    reason: "OutputDamaged",
    path: file.path,
    message: `These results cannot be resumed: ${what}. Repair or move the file, or start anew with --overwrite.`
  })

/** Fails with `InputChanged` unless the input still has every row that is done, as it was. Reads no further than that. */
export const verify = Effect.fnUntraced(function* (input: InputFile, journal: Journal) {
  const reader = yield* LineReader.open(input)
  while (reader.count() <= journal.highest) {
    const line = reader.take()
    if (line !== undefined) {
      if (differs(journal, line)) return yield* changed(input, line)
    } else if (!(yield* reader.fill)) return yield* shorter(input, reader.count(), journal)
  }
}, Effect.scoped)

/** Whether the line's row is done and was another one then. */
export const differs = (journal: Journal, line: RawLine): boolean =>
  journal.where(line.index) !== undefined && journal.differs(line.index, lineHash(line))

/** The input is not the one that the results are of. */
export const changed = (input: InputFile, line: RawLine): BatchError =>
  inputChanged(input, `line ${line.index + 1} is not what it was when its result was written`)

/** The input ends before a row that has a result. */
export const shorter = (input: InputFile, count: number, journal: Journal): BatchError =>
  inputChanged(input, `it ends after ${count} lines, and there is a result for line ${journal.highest + 1}`)

const inputChanged = (input: InputFile, what: string) =>
  new BatchError({
    reason: "InputChanged",
    path: input.path,
    message: `The results are of another input than ${inputName(input.path)}: ${what}. Bring the first input back, write to other files, or start anew with --overwrite.`
  })
