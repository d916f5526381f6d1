import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import { type JobStore, JobStoreError } from "../../../src/services/JobStore.ts"
import { instance, request, storeDown } from "./JobsHarness.ts"

const job = { owner: "me", request: request("x") }

describe("jobs whose store fails", () => {
  it.effect("cannot be handed in, and are not usable until the store can be written again", () =>
    Effect.gen(function* () {
      let isFull = false
      const written = <A>(work: Effect.Effect<A, JobStoreError>) =>
        Effect.suspend(() => (isFull ? Effect.fail(storeDown) : work))
      // As of a disk that is full: what is there can be read.
      const wrap = (store: JobStore["Service"]): JobStore["Service"] => ({
        ...store,
        create: (specs, options) => written(store.create(specs, options)),
        check: written(store.check)
      })
      const { jobs } = yield* instance({ memory: makeMemory(), wrap })
      const { job: kept } = yield* jobs.submit(job)
      isFull = true
      assert.isTrue(yield* jobs.isUsable)
      const problem = yield* Effect.flip(jobs.submit(job))
      assert.deepStrictEqual([problem.kind, problem.code], ["Overloaded", "store_unavailable"])
      assert.isAbove(problem.retryAfterMs ?? 0, 0)
      yield* TestClock.adjust("10 seconds")
      assert.isFalse(yield* jobs.isUsable)
      assert.strictEqual((yield* jobs.get("me", kept.id)).status, "Completed")
      isFull = false
      yield* TestClock.adjust("1 second")
      assert.isTrue(yield* jobs.isUsable)
      yield* jobs.submit(job)
    })
  )

  it.effect("are not usable, and not accepted, while none can be taken up from a store that is damaged", () =>
    Effect.gen(function* () {
      const damaged = new JobStoreError({ message: "The store is damaged.", isTransient: false })
      let isDamaged = true
      const wrap = (store: JobStore["Service"]): JobStore["Service"] => ({
        ...store,
        claim: (options) => Effect.suspend(() => (isDamaged ? Effect.fail(damaged) : store.claim(options)))
      })
      const { jobs } = yield* instance({ memory: makeMemory(), wrap })
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* jobs.isUsable)
      const problem = yield* Effect.flip(jobs.submit(job))
      assert.deepStrictEqual([problem.kind, problem.code], ["Internal", "store_failed"])
      isDamaged = false
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(yield* jobs.isUsable)
      const { job: kept } = yield* jobs.submit(job)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* jobs.get("me", kept.id)).status, "Completed")
    })
  )

  it.effect("are usable when only one of them cannot be read", () =>
    Effect.gen(function* () {
      const wrap = (store: JobStore["Service"]): JobStore["Service"] => ({
        ...store,
        get: () => Effect.fail(storeDown)
      })
      const { jobs } = yield* instance({ memory: makeMemory(), wrap })
      const { job: kept } = yield* jobs.submit(job)
      yield* Effect.flip(jobs.get("me", kept.id))
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(yield* jobs.isUsable)
    })
  )
})
