import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import type { JobStoreConfig } from "../../../src/domain/config/ServerConfig.ts"
import * as JobStoreFromConfig from "../../../src/layers/jobs/JobStoreFromConfig.ts"
import { JobStore } from "../../../src/services/JobStore.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"
import { specOf } from "./StoreScenario.ts"

/** How many jobs are kept after one more, from opening to closing. */
const afterOneMore = (store: JobStoreConfig, index: number) =>
  Effect.gen(function* () {
    const jobs = yield* JobStore
    yield* jobs.create([specOf(index)], { maxPending: 9 })
    return (yield* jobs.count).Pending
  }).pipe(Effect.provide(JobStoreFromConfig.layer({ store, instance: "one" })))

describe("the store of jobs that the configuration names", () => {
  it.live("forgets in memory, keeps in a file", () =>
    Effect.gen(function* () {
      const file = (yield* temporaryFolder)("jobs.db")
      assert.strictEqual(yield* afterOneMore({ kind: "memory" }, 1), 1)
      assert.strictEqual(yield* afterOneMore({ kind: "memory" }, 2), 1)
      assert.strictEqual(yield* afterOneMore({ kind: "sqlite", file }, 1), 1)
      assert.strictEqual(yield* afterOneMore({ kind: "sqlite", file }, 2), 2)
    })
  )

  it.live("fails to open without saying the password", () =>
    Effect.gen(function* () {
      const url = Redacted.make("postgres://user:very-secret@127.0.0.1:1/jobs")
      const layer = JobStoreFromConfig.layer({ store: { kind: "postgres", url }, instance: "one" })
      const error = yield* Effect.flip(Layer.build(layer))
      assert.isTrue(error.isTransient)
      assert.notInclude(`${error.stack} ${JSON.stringify(error)}`, "very-secret")
    })
  )
})
