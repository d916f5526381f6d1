/** Runs batches over files in this process: the implementation of `BatchRunner`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import { RowReader } from "../../domain/batch/RowReader.ts"
import { Unsaid } from "../../domain/batch/Unsaid.ts"
import { BatchRunner } from "../../services/BatchRunner.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import * as BatchCheck from "./BatchCheck.ts"
import * as BatchPipeline from "./BatchPipeline.ts"
import * as BatchRuns from "./BatchRuns.ts"

/** Makes a runner whose rows are sent by the `GenAiClient` in the context. */
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
  const makeWork = Effect.fnUntraced(function* (opened: BatchRuns.Opened) {
    const unsaid = yield* makeUnsaid
    const rows = new RowReader(BatchRuns.rowOptions(opened.options))
    const pipeline = yield* BatchPipeline.make({ ...opened, client, rows, unsaid })
    const work: BatchRuns.Work = {
      ...pipeline,
      drain: (grace) => client.drain({ timeout: grace, queued: "discard" }),
      warnings: () => unsaid.warnings,
      endpoints: client.stats
    }
    return work
  })
  return BatchRunner.of({
    start: (options) => Effect.provideContext(BatchRuns.start(options, makeWork), platform),
    check: (options) =>
      Effect.provideContext(
        Effect.flatMap(makeUnsaid, (unsaid) => BatchCheck.check(options, unsaid)),
        platform
      )
  })
})

/** Runs batches over the files of this machine, or over standard input and output. */
export const layer: Layer.Layer<BatchRunner, never, GenAiClient | FileSystem.FileSystem | Stdio.Stdio> = Layer.effect(
  BatchRunner,
  make
)
