/**
 * `BatchRunner` over several processes of this machine.
 *
 * This process has the input, the result files and their lock; the others send the rows, each over its share of the limits
 * (`ProcessShares`). What one process learns about an endpoint (failures, hints to wait) the others learn for themselves.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import { Unsaid } from "../../../domain/batch/Unsaid.ts"
import { BatchRunner } from "../../../services/BatchRunner.ts"
import * as BatchCheck from "../BatchCheck.ts"
import * as BatchRuns from "../BatchRuns.ts"
import * as ProcessPipeline from "./ProcessPipeline.ts"

export type { ProcessOptions } from "./ProcessPipeline.ts"

export const make = Effect.fnUntraced(function* (processes: ProcessPipeline.ProcessOptions) {
  const platform = Context.make(FileSystem.FileSystem, yield* FileSystem.FileSystem).pipe(
    Context.add(Stdio.Stdio, yield* Stdio.Stdio)
  )
  const kinds = (processes.shares[0]?.endpoints ?? []).map(({ kind, name }) => [name, kind] as const)
  return BatchRunner.of({
    start: (options) =>
      Effect.provideContext(
        BatchRuns.start(options, (opened) => ProcessPipeline.make(opened, processes), ProcessPipeline.READ_BYTES),
        platform
      ),
    check: (options) => Effect.provideContext(BatchCheck.check(options, new Unsaid(kinds)), platform)
  })
})

export const layer = (
  processes: ProcessPipeline.ProcessOptions
): Layer.Layer<BatchRunner, never, FileSystem.FileSystem | Stdio.Stdio> => Layer.effect(BatchRunner, make(processes))
