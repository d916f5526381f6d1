/** Reads every row of an input as a run would, and sends nothing. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Stdio from "effect/Stdio"
import { RowReader } from "../../domain/batch/RowReader.ts"
import type { Unsaid } from "../../domain/batch/Unsaid.ts"
import { promptSize } from "../../domain/genai/TokenEstimate.ts"
import type { BatchCheck, BatchError, BatchOptions } from "../../services/BatchRunner.ts"
import * as BatchPaths from "./BatchPaths.ts"
import { checkOptions, rowOptions } from "./BatchRuns.ts"
import * as JournalScan from "./JournalScan.ts"
import * as LineReader from "./LineReader.ts"
import * as ResultFiles from "./ResultFiles.ts"

/** Examples of invalid rows that a check gives. */
const SAMPLES = 20

export const check = (
  options: BatchOptions,
  unsaid: Unsaid
): Effect.Effect<BatchCheck, BatchError, FileSystem.FileSystem | Stdio.Stdio> => Effect.scoped(readAll(options, unsaid))

const readAll = Effect.fn("BatchRunner.check")(function* (options: BatchOptions, unsaid: Unsaid) {
  yield* checkOptions(options)
  const paths = yield* BatchPaths.lookUp(options)
  const { journal } = yield* ResultFiles.earlierRun(paths, options.existing)
  const reader = yield* LineReader.open(paths.input)
  const limit = options.limit ?? Number.POSITIVE_INFINITY
  const samples: Array<BatchCheck["samples"][number]> = []
  const rows = new RowReader(rowOptions(options))
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
      if (samples.length < SAMPLES) samples.push({ line: line.index + 1, error: row.error })
    }
  }
  const result: BatchCheck = { valid, resumed, invalid, asked, samples, warnings: unsaid.warnings }
  return result
})
