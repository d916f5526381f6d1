import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import { settle } from "../dispatch/Gates.ts"
import { instance, request } from "./JobsHarness.ts"

describe("a shutdown", () => {
  it.effect("gives back what is just being taken up, and sends nothing of it", () =>
    Effect.gen(function* () {
      const { jobs, seen } = yield* instance({
        memory: makeMemory(),
        generate: () => Effect.never,
        wrap: (store) => ({ ...store, claim: (options) => Effect.tap(store.claim(options), Effect.sleep("1 second")) })
      })
      const { job } = yield* jobs.submit({ owner: "me", request: request("x") })
      const status = Effect.map(jobs.get("me", job.id), (job) => job.status)
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual([yield* status, seen.sent], ["Running", 0])
      const drained = yield* Effect.forkChild(jobs.drain(60_000), { startImmediately: true })
      yield* TestClock.adjust("600 millis")
      yield* settle
      assert.isDefined(drained.pollUnsafe(), "it waits for nothing")
      yield* Fiber.join(drained)
      assert.deepStrictEqual([yield* status, seen.sent], ["Pending", 0])
    })
  )
})
