/** The layers of a run in this process. Loaded only when there is one: the parent of several processes sends nothing itself. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import * as FileBatchRunner from "../batch/FileBatchRunner.ts"
import * as DispatchedGenAiClient from "../genai/DispatchedGenAiClient.ts"
import type { Spending } from "../genai/Spending.ts"
import * as Heap from "../processes/Heap.ts"
import * as Http1Transport from "../transport/Http1Transport.ts"

export const layer = (config: DispatcherConfig, spending: Spending) =>
  FileBatchRunner.layer.pipe(
    Layer.provide(DispatchedGenAiClient.layer(config, { spending })),
    Layer.provide(Http1Transport.layer),
    Layer.merge(Layer.effectDiscard(Effect.sync(Heap.forManyRequests)))
  )
