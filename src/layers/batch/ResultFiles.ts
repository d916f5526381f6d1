/** The two result files of a run: what an earlier run left in them, and the writers for this one. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Scope } from "effect/Scope"
import type * as Stdio from "effect/Stdio"
import { BatchError, type ExistingResults } from "../../services/BatchRunner.ts"
import type { BatchPaths, OutputFile } from "./BatchPaths.ts"
import { outputName } from "./FileErrors.ts"
import type { EarlierRun } from "./JournalScan.ts"
import * as JournalScan from "./JournalScan.ts"
import * as LineWriter from "./LineWriter.ts"
import * as OutputSink from "./OutputSink.ts"

/** What is done already, given what the user wants to happen to results that are there. Changes nothing. */
export const earlierRun = (
  paths: BatchPaths,
  existing: ExistingResults
): Effect.Effect<EarlierRun, BatchError, FileSystem.FileSystem | Stdio.Stdio> => {
  const files = [paths.save, paths.errors]
  switch (existing) {
    case "overwrite":
      return JournalScan.nothing
    case "refuse": {
      const full = files.filter((file) => file.size > 0)
      return full.length === 0 ? JournalScan.nothing : Effect.fail(resultsExist(full, paths.errors))
    }
    case "resume": {
      const forgetful = files.find((file) => file.kind !== "file")
      return forgetful === undefined ? JournalScan.scan(paths) : Effect.fail(notResumable(forgetful))
    }
  }
}

/** The writers of one run. */
export interface ResultWriters {
  readonly save: LineWriter.FileWriter
  readonly errors: LineWriter.FileWriter
}

/** Opens both files where the earlier run ended, to be flushed and closed with the scope. */
export const open = Effect.fnUntraced(function* (
  paths: BatchPaths,
  earlier: EarlierRun,
  onWritten: () => void
): Effect.fn.Return<ResultWriters, BatchError, FileSystem.FileSystem | Scope> {
  // Both before anything is changed in either: a file that cannot be opened leaves the other as it was.
  const save = yield* OutputSink.open(paths.save)
  const errors = yield* OutputSink.open(paths.errors)
  yield* save.startAt(earlier.save)
  yield* errors.startAt(earlier.errors)
  return { save: yield* LineWriter.make(save, onWritten), errors: yield* LineWriter.make(errors, onWritten) }
})

const resultsExist = (full: ReadonlyArray<OutputFile>, errors: OutputFile) => {
  const names = full.map((file) => file.path).join(" and ")
  // Alone it may well be of other prompts in the same folder: its usual name does not tell.
  const instead = full[0] === errors ? ", name another file for errors if these are of other prompts," : ","
  return new BatchError({
    reason: "OutputExists",
    path: full[0]?.path ?? "",
    message: `There are results already in ${names}: go on with --resume${instead} or delete them and start anew with --overwrite.`
  })
}

const notResumable = (file: OutputFile) =>
  new BatchError({
    reason: "OutputConflict",
    path: file.path,
    message: `Results that went to ${outputName(file.path)} cannot be resumed, for they cannot be read again: write to files, or leave out --resume.`
  })
