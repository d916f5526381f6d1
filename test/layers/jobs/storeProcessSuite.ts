/** What every durable store of jobs keeps to when there are several processes, and when they are killed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, type Scope } from "effect"
import { JobId } from "../../../src/domain/jobs/Job.ts"
import type { JobStore, JobStoreError } from "../../../src/services/JobStore.ts"
import { type ChildOptions, runChild } from "./ChildProcess.ts"
import { idOf, specOf } from "./StoreScenario.ts"

/** Processes take seconds to start on a machine that is busy. */
const PATIENCE_MS = 120_000

export interface ProcessSuiteOptions {
  readonly kind: ChildOptions["kind"]
  /** A file or URL where there are no jobs yet. */
  readonly target: Effect.Effect<string, never, Scope.Scope>
  readonly open: (target: string, instance: string) => Effect.Effect<JobStore["Service"], JobStoreError, Scope.Scope>
}

export const storeProcessSuite = (name: string, { kind, open, target }: ProcessSuiteOptions): void => {
  const child = (at: string, mode: ChildOptions["mode"], index: number) =>
    runChild({ kind, target: at, instance: `child ${index}`, mode, offset: 1_000_000 * index, shared: true })

  describe(`${name}, with real processes`, () => {
    it.live(
      "has every job that was accepted before its process was killed, and none twice",
      () =>
        Effect.gen(function* () {
          const at = yield* target
          const killed = yield* Effect.forEach([1, 2], (index) => child(at, "create", index))
          const results = yield* Effect.forEach(
            killed,
            (each) =>
              Effect.promise(async () => {
                await each.wrote(60)
                each.kill()
                return each.ended
              }),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            results.map(({ signal }) => signal),
            ["SIGKILL", "SIGKILL"]
          )
          const accepted = results.flatMap(({ lines }) => lines)
          const store = yield* open(at, "after")
          for (const id of accepted) assert.isTrue(Option.isSome(yield* store.get(JobId.make(id))), id)
          const all = yield* store.claim({ limit: 1e6, nowMs: 1, leaseUntilMs: 2 })
          assert.isAtLeast(all.length, accepted.length)
          // What was being accepted is there whole or not at all: two jobs are created at a time.
          assert.strictEqual(all.length % 2, 0)
          assert.strictEqual((yield* store.count).Running, all.length)
        }),
      PATIENCE_MS
    )

    it.live(
      "gives each job to one of several processes, and is not full afterwards",
      () =>
        Effect.gen(function* () {
          const at = yield* target
          const store = yield* open(at, "parent")
          const ids = Array.from({ length: 200 }, (_, index) => idOf(index))
          yield* store.create(
            ids.map((_, index) => specOf(index)),
            { maxPending: 200 }
          )
          const children = yield* Effect.forEach([1, 2, 3], (index) => child(at, "work", index))
          const results = yield* Effect.forEach(children, ({ ended }) => Effect.promise(() => ended), {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual(
            results.map(({ errors }) => errors),
            ["", "", ""]
          )
          assert.deepStrictEqual(results.flatMap(({ lines }) => lines).sort(), ids)
          assert.strictEqual((yield* store.count).Completed, 200)
          const more = yield* store.create(
            Array.from({ length: 5 }, (_, index) => specOf(1000 + index)),
            { maxPending: 3 }
          )
          assert.deepStrictEqual(
            more.map(({ _tag }) => _tag),
            ["Created", "Created", "Created", "Full", "Full"]
          )
        }),
      PATIENCE_MS
    )

    it.live(
      "gives the jobs of a process that was killed to another one when their lease has ended",
      () =>
        Effect.gen(function* () {
          const at = yield* target
          const store = yield* open(at, "parent")
          yield* store.create([specOf(1)], { maxPending: 9 })
          const worker = yield* child(at, "claim", 1)
          yield* Effect.promise(async () => {
            await worker.wrote(1)
            worker.kill()
            return worker.ended
          })
          assert.strictEqual(yield* store.recover({ nowMs: 99, own: true }), 0)
          assert.strictEqual(yield* store.recover({ nowMs: 100, own: false }), 1)
          const [claim] = yield* store.claim({ limit: 9, nowMs: 101, leaseUntilMs: 200 })
          assert.deepStrictEqual([claim?.job.id, claim?.run], [idOf(1), 2])
        }),
      PATIENCE_MS
    )
  })
}
