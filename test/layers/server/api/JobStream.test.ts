/** Streams of jobs that say nothing for long, or that are cut by a shutdown; and what the service says of itself then. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { sseResponse } from "../../../../src/layers/server/api/JobStream.ts"
import { record } from "../../../support/Records.ts"
import { rawConnection } from "../harness.ts"
import { startApi } from "./harness.ts"

describe("the events of a job over HTTP", () => {
  it.effect("have a comment every 15 seconds while there is nothing to tell", () =>
    Effect.gen(function* () {
      const { body } = sseResponse(record(), Stream.never)
      assert(body._tag === "Stream")
      const beats = yield* Effect.forkChild(body.stream.pipe(Stream.decodeText, Stream.take(2), Stream.runCollect), {
        startImmediately: true
      })
      yield* TestClock.adjust("14 seconds")
      yield* TestClock.adjust("16 seconds")
      assert.deepStrictEqual([...(yield* Fiber.join(beats))], [": heartbeat\n\n", ": heartbeat\n\n"])
    })
  )

  it.live("have in the log the status that their client saw, also when it leaves before the end", () =>
    Effect.gen(function* () {
      const { post, records, service } = yield* startApi({ latency: "fixed:60s" })
      const { job_id } = (yield* post("/generate", { input: "one" })).json()
      const follower = yield* rawConnection(service.port)
      yield* follower.send(`GET /jobs/${job_id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n`)
      yield* follower.until(/^HTTP\/1\.1 200 [\s\S]*event: status\n/)
      follower.socket.destroy()
      yield* Effect.repeat(service.inflight, { until: (inflight) => inflight === 0 })
      assert.deepInclude(records.at(-1), { route: "jobs", status: 200, isStreamed: true, isAborted: true })
    }).pipe(Effect.scoped)
  )

  it.live("end at a shutdown for jobs that are left to the next start, which is not held up by them", () =>
    Effect.gen(function* () {
      const { post, records, sandbox, send, service } = yield* startApi(
        { latency: "fixed:60s" },
        { jobs: { store: { kind: "memory" }, ttlMs: 60_000, maxPending: 100, concurrency: 1, instance: "test" } }
      )
      const running = (yield* post("/generate", { input: "one" })).json().job_id
      yield* Effect.repeat(sandbox.stats, { until: ({ inflight }) => inflight === 1 })
      const queued = (yield* post("/generate", { input: "two" })).json().job_id
      const follower = yield* Effect.forkChild(send(`/jobs/${queued}/events`), { startImmediately: true })
      const other = yield* Effect.forkChild(send(`/jobs/${running}/events`), { startImmediately: true })
      yield* Effect.repeat(service.inflight, { until: (inflight) => inflight === 2 })
      const drained = yield* Effect.forkChild(service.drain(60_000), { startImmediately: true })
      const { text } = yield* Fiber.join(follower)
      assert.match(text, /event: status\n/)
      assert.match(text, /event: error\ndata: .*shutting down/)
      assert.deepInclude(
        records.find(({ isStreamed }) => isStreamed),
        { status: 200, problem: "Draining", isAborted: false }
      )
      // The grace is for the one that runs.
      assert.isUndefined(drained.pollUnsafe())
      yield* Fiber.interrupt(other)
      yield* Fiber.interrupt(drained)
    }).pipe(Effect.scoped)
  )
})

describe("readiness", () => {
  it.live("is gone when no endpoint is usable, and says which is in which state", () =>
    Effect.gen(function* () {
      const { post, send } = yield* startApi({ failures: "429-retry-after=1", retryAfter: "60s" })
      const asked = yield* Effect.forkChild(post("/submit", { input: "Hello" }), { startImmediately: true })
      const reply = yield* Effect.repeat(send("/health/ready"), { until: ({ status }) => status === 503 })
      const { endpoints, status } = reply.json()
      assert.strictEqual(status, "unavailable")
      assert.deepStrictEqual(endpoints, [{ name: "east", state: "cooling", usable: false }])
      assert.strictEqual((yield* send("/health/live")).status, 200)
      yield* Fiber.interrupt(asked)
    }).pipe(Effect.scoped)
  )
})
