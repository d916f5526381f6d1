/** The store of jobs that the configuration names. Only that one is loaded: the others' drivers cost time at the start. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JobStoreConfig } from "../../domain/config/ServerConfig.ts"
import type { JobStore, JobStoreError } from "../../services/JobStore.ts"

/** Which store, and for whom. */
export interface JobStoreFromConfigOptions {
  readonly store: JobStoreConfig
  /** The name under which this process holds jobs; unique among those that share the store. */
  readonly instance: string
  /** Whether other processes of this service use the store's file too. Default: false, and then they are refused. */
  readonly shared?: boolean | undefined
}

/** The store for as long as the layer lives. Fails when it cannot be opened, or another instance holds it. */
export const layer = ({
  instance,
  shared = false,
  store
}: JobStoreFromConfigOptions): Layer.Layer<JobStore, JobStoreError> =>
  Layer.unwrap(
    Effect.promise(async (): Promise<Layer.Layer<JobStore, JobStoreError>> => {
      switch (store.kind) {
        case "memory":
          return (await import("./MemoryJobStore.ts")).layer(instance)
        case "sqlite":
          return (await import("./SqliteJobStore.ts")).layer({ file: store.file, instance, lock: !shared })
        case "postgres":
          return (await import("./PostgresJobStore.ts")).layer({ url: store.url, instance })
      }
    })
  )
