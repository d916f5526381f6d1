import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Option, Result, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { InvalidRequest, Rejected } from "../../../src/domain/genai/GenAiError.ts"
import { isEnded, JobId } from "../../../src/domain/jobs/Job.ts"
import type { Problem } from "../../../src/domain/server/Problem.ts"
import { makeMemory } from "../../../src/layers/jobs/MemoryJobStore.ts"
import type { Jobs } from "../../../src/services/Jobs.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"
import { answer, asked, failure, instance, request, storeDown } from "./JobsHarness.ts"

/** Follows a job to its end. */
const ended = (jobs: Jobs["Service"], id: JobId, owner = "me") =>
  Effect.map(Stream.runLast(jobs.events(owner, id)), (last) => {
    const event = Option.getOrThrow(last)
    assert(event._tag === "Status")
    assert.isTrue(isEnded(event.job.status))
    return event.job
  })

const job = (text: string) => ({ owner: "me", request: request(text) })

const places = {
  memory: () => Effect.sync(makeMemory),
  SQLite: () => Effect.map(temporaryFolder, (folder) => ({ file: folder("jobs.db") }))
}

describe.each(["memory", "SQLite"] as const)("jobs in %s", (place) => {
  const keep = places[place]
  describe("DurableJobs", () => {
    it.effect("runs a job that it accepted, and keeps the answer", () =>
      Effect.gen(function* () {
        const { jobs, scope } = yield* instance({ memory: yield* keep() })
        const { isNew, job: accepted } = yield* jobs.submit(job("hello"))
        assert.isTrue(isNew)
        assert.strictEqual(accepted.status, "Pending")
        const done = yield* ended(jobs, accepted.id)
        assert.strictEqual(done.status, "Completed")
        assert.deepStrictEqual(done.result?.text, "hello")
        assert.deepStrictEqual(yield* jobs.get("me", accepted.id), done)
        yield* Scope.close(scope, Exit.void)
      })
    )

    it.effect("puts submits of one moment into few transactions", () =>
      Effect.gen(function* () {
        let transactions = 0
        const { jobs } = yield* instance({
          memory: yield* keep(),
          concurrency: 1,
          generate: () => Effect.never,
          wrap: (store) => ({
            ...store,
            create: (specs, options) => {
              transactions++
              return store.create(specs, options)
            }
          })
        })
        const made = yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, index) => index),
          (index) => jobs.submit(job(`${index}`)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(made.map(({ job }) => job.id)).size, 1000)
        assert.isAtMost(transactions, 11)
      })
    )

    it.effect("runs no more at once than it may, and all in the end", () =>
      Effect.gen(function* () {
        const open = yield* Deferred.make<void>()
        const { jobs, seen } = yield* instance({
          memory: yield* keep(),
          concurrency: 3,
          generate: (request) => Effect.as(Deferred.await(open), answer(asked(request)))
        })
        const made = yield* Effect.forEach([...Array(20).keys()], (index) => jobs.submit(job(`${index}`)))
        yield* TestClock.adjust("1 second")
        yield* Deferred.succeed(open, undefined)
        for (const [index, { job }] of made.entries()) {
          assert.strictEqual((yield* ended(jobs, job.id)).result?.text, `${index}`)
        }
        assert.strictEqual(seen.most, 3)
        assert.strictEqual(seen.sent, 20)
      })
    )

    it.effect("keeps why a job failed", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.fail(failure(new InvalidRequest({ status: 400 })))
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        const done = yield* ended(jobs, accepted.id)
        assert.strictEqual(done.status, "Failed")
        assert.deepStrictEqual(done.failure, {
          message: "It did not work.",
          reason: "InvalidRequest",
          endpoint: "east",
          attempts: 1
        })
      })
    )

    it.effect("ends a job as failed when the client breaks", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({ memory: yield* keep(), generate: () => Effect.die(new Error("private")) })
        const { job: accepted } = yield* jobs.submit(job("x"))
        const done = yield* ended(jobs, accepted.id)
        assert.strictEqual(done.failure?.reason, "Internal")
        assert.notInclude(done.failure?.message, "private")
      })
    )

    it.effect("aborts a job that is cancelled, and tells its followers", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const { jobs, seen } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        const follower = yield* Effect.forkChild(ended(jobs, accepted.id))
        yield* Deferred.await(begun)
        assert.strictEqual((yield* jobs.cancel("me", accepted.id)).status, "Cancelled")
        assert.strictEqual((yield* Fiber.join(follower)).status, "Cancelled")
        assert.strictEqual((yield* jobs.cancel("me", accepted.id)).status, "Cancelled")
        assert.strictEqual(seen.aborted, 1)
        assert.strictEqual(seen.running, 0)
      })
    )

    it.effect("refuses to cancel what has ended, and knows nothing of others' jobs", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({ memory: yield* keep() })
        const { job: accepted } = yield* jobs.submit(job("x"))
        yield* ended(jobs, accepted.id)
        assert.strictEqual((yield* Effect.flip(jobs.cancel("me", accepted.id))).kind, "Conflict")
        for (const ask of [jobs.get, jobs.cancel]) {
          assert.strictEqual((yield* Effect.flip(ask("you", accepted.id))).kind, "NotFound")
        }
        const followed = yield* Effect.flip(Stream.runDrain(jobs.events("you", accepted.id)))
        assert.strictEqual(followed.kind, "NotFound")
        assert.deepStrictEqual(yield* jobs.list("you", { limit: 10 }), [])
      })
    )

    it.effect("takes a job for new, and runs it at once, that is kept though its first try said otherwise", () =>
      Effect.gen(function* () {
        let isFirst = true
        const { jobs, seen } = yield* instance({
          memory: yield* keep(),
          wrap: (store) => ({
            ...store,
            create: (specs, options) => {
              if (!isFirst) return store.create(specs, options)
              isFirst = false
              return Effect.andThen(store.create(specs, options), store.create(specs, options))
            }
          })
        })
        const { isNew, job: accepted } = yield* jobs.submit(job("x"))
        assert.isTrue(isNew)
        yield* TestClock.adjust("1 millis")
        assert.strictEqual(seen.sent, 1)
        assert.strictEqual((yield* jobs.get("me", accepted.id)).status, "Completed")
      })
    )

    it.effect("gives the same job for the same idempotency key, and none for another request", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({ memory: yield* keep() })
        const first = yield* jobs.submit({ ...job("x"), idempotencyKey: "k" })
        const second = yield* jobs.submit({ ...job("x"), idempotencyKey: "k" })
        assert.isFalse(second.isNew)
        assert.strictEqual(second.job.id, first.job.id)
        assert.strictEqual((yield* Effect.flip(jobs.submit({ ...job("y"), idempotencyKey: "k" }))).kind, "Conflict")
      })
    )

    it.effect("refuses jobs when there are too many, and says when there may be room", () =>
      Effect.gen(function* () {
        const release = yield* Deferred.make<void>()
        const { jobs } = yield* instance({
          memory: yield* keep(),
          concurrency: 1,
          maxPending: 2,
          generate: (request) =>
            asked(request) === "quick" ? Effect.succeed(answer("")) : Effect.as(Deferred.await(release), answer(""))
        })
        for (const text of ["a", "b"]) yield* jobs.submit(job(text))
        const unknown = yield* Effect.flip(jobs.submit(job("c")))
        assert.strictEqual(unknown.kind, "Overloaded")
        assert.strictEqual(unknown.retryAfterMs, 1_000, "nobody knows yet")
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual((yield* Effect.flip(jobs.submit(job("c")))).retryAfterMs, 20_000, "it takes its time")
        yield* Deferred.succeed(release, undefined)
        for (const { id } of yield* jobs.list("me", { limit: 10 })) yield* ended(jobs, id)
        for (let index = 0; index < 28; index++) yield* ended(jobs, (yield* jobs.submit(job("quick"))).job.id)
        assert.strictEqual((yield* jobs.counts).Completed, 30)
      })
    )

    it.effect("gives the page after a job, also when that is forgotten, and none after what is no job's id", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({ memory: yield* keep() })
        const made = yield* Effect.forEach(["a", "b", "c"], (text) => jobs.submit(job(text)))
        const page = (before: string) =>
          Effect.map(jobs.list("me", { before: JobId.make(before), limit: 9 }), (all) => all.map(({ id }) => id))
        assert.deepStrictEqual(yield* page(made[2]!.job.id), [made[1]!.job.id, made[0]!.job.id])
        assert.strictEqual((yield* page("ffffffff-ffff-7fff-8fff-ffffffffffff")).length, 3)
        for (const text of ["xyz", "", `${made[2]!.job.id} `]) {
          assert.strictEqual((yield* Effect.flip(page(text))).field, "before")
        }
      })
    )

    it.effect("refuses a model that nobody serves, and a webhook to a private address", () =>
      Effect.gen(function* () {
        const { jobs } = yield* instance({ memory: yield* keep() })
        assert.strictEqual((yield* Effect.flip(jobs.submit({ ...job("x"), model: "other" }))).code, "model_not_found")
        const webhookUrl = "http://[::ffff:127.0.0.1]:1/x"
        assert.strictEqual((yield* Effect.flip(jobs.submit({ ...job("x"), webhookUrl }))).field, "webhook")
      })
    )

    it.effect("keeps trying to put an end into a store that is away", () =>
      Effect.gen(function* () {
        let away = 3
        const { jobs, seen } = yield* instance({
          memory: yield* keep(),
          wrap: (store) => ({
            ...store,
            end: (ends) => Effect.suspend(() => (away-- > 0 ? Effect.fail(storeDown) : store.end(ends)))
          })
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        const follower = yield* Effect.forkChild(ended(jobs, accepted.id))
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual((yield* Fiber.join(follower)).status, "Completed")
        assert.strictEqual(seen.sent, 1)
        assert.isAtMost(away, 0)
      })
    )
  })

  describe("shutting down", () => {
    it.effect("lets end what ends in time, and leaves the rest to the next start", () =>
      Effect.gen(function* () {
        const memory = yield* keep()
        const release = yield* Deferred.make<void>()
        const first = yield* instance({
          memory,
          concurrency: 2,
          generate: (request) =>
            asked(request) === "short" ? Effect.as(Deferred.await(release), answer("short")) : Effect.never
        })
        const made = yield* Effect.forEach(["short", "long", "queued"], (text) => first.jobs.submit(job(text)))
        const [short, long, queued] = made.map(({ job }) => job.id) as [JobId, JobId, JobId]
        yield* TestClock.adjust("1 second")
        assert.strictEqual(first.seen.running, 2)
        const drained = yield* Effect.forkChild(first.jobs.drain(10_000))
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* Effect.flip(first.jobs.submit(job("late")))).kind, "Draining")
        yield* Deferred.succeed(release, undefined)
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(drained)
        assert.strictEqual((yield* first.jobs.get("me", short)).status, "Completed")
        assert.strictEqual((yield* first.jobs.get("me", long)).status, "Pending")
        assert.strictEqual((yield* first.jobs.get("me", queued)).status, "Pending")
        assert.strictEqual(first.seen.running, 0)
        const second = yield* instance({ memory, name: "two" })
        for (const id of [long, queued]) assert.strictEqual((yield* ended(second.jobs, id)).status, "Completed")
      })
    )

    it.effect("gives all back in one transaction", () =>
      Effect.gen(function* () {
        const releases: Array<number> = []
        const { jobs, scope, seen } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.never,
          wrap: (store) => ({
            ...store,
            release: (claims) => {
              releases.push(claims.length)
              return store.release(claims)
            }
          })
        })
        for (const text of ["a", "b", "c"]) yield* jobs.submit(job(text))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(seen.running, 3)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(releases, [3])
        assert.strictEqual((yield* jobs.counts).Pending, 3)
      })
    )

    it.effect(
      "tells followers of what is left to the next start, at once; those of what ends in time see its end",
      () =>
        Effect.gen(function* () {
          const release = yield* Deferred.make<void>()
          const { jobs } = yield* instance({
            memory: yield* keep(),
            concurrency: 2,
            generate: (request) =>
              asked(request) === "short" ? Effect.as(Deferred.await(release), answer("short")) : Effect.never
          })
          const made = yield* Effect.forEach(["short", "long", "queued"], (text) => jobs.submit(job(text)))
          const [short, long, queued] = yield* Effect.forEach(made, ({ job }) =>
            Effect.forkChild(Effect.result(Stream.runLast(jobs.events("me", job.id))), { startImmediately: true })
          )
          yield* TestClock.adjust("1 second")
          const drained = yield* Effect.forkChild(jobs.drain(60_000), { startImmediately: true })
          const isDraining = (result: Result.Result<unknown, Problem>) =>
            Result.isFailure(result) && result.failure.kind === "Draining"
          assert.isTrue(isDraining(yield* Fiber.join(queued!)), "no time passes before that")
          yield* Deferred.succeed(release, undefined)
          const last = Option.getOrThrow(yield* Effect.fromResult(yield* Fiber.join(short!)))
          assert(last._tag === "Status")
          assert.strictEqual(last.job.status, "Completed")
          yield* TestClock.adjust("60 seconds")
          yield* Fiber.join(drained)
          assert.isTrue(isDraining(yield* Fiber.join(long!)))
        })
    )

    it.effect("gives back what runs when its scope closes", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const { jobs, scope, seen, store } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        yield* Deferred.await(begun)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(Option.getOrThrow(yield* store.get(accepted.id)).status, "Pending")
        assert.strictEqual(seen.aborted, 1)
      })
    )

    it.effect("gives a job back that the client refuses, instead of failing it, and goes on with the others", () =>
      Effect.gen(function* () {
        let refusals = 0
        const { jobs } = yield* instance({
          memory: yield* keep(),
          generate: (request) =>
            asked(request) === "refused" && refusals++ === 0
              ? Effect.fail(failure(new Rejected({ cause: "Draining" })))
              : Effect.succeed(answer("done"))
        })
        const { job: refused } = yield* jobs.submit(job("refused"))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(refusals, 1)
        const { job: other } = yield* jobs.submit(job("other"))
        assert.strictEqual((yield* ended(jobs, other.id)).status, "Completed")
        yield* TestClock.adjust("10 seconds")
        const now = yield* jobs.get("me", refused.id)
        assert.strictEqual(now.status, "Completed")
        assert.strictEqual(now.runs, 2)
      })
    )

    it.effect("gives a job that the client refuses back at once when it shuts down", () =>
      Effect.gen(function* () {
        const { jobs, scope, store } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.fail(failure(new Rejected({ cause: "Draining" })))
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        yield* TestClock.adjust("1 second")
        yield* Scope.close(scope, Exit.void)
        const now = Option.getOrThrow(yield* store.get(accepted.id))
        assert.deepStrictEqual([now.status, now.runs], ["Pending", 1])
      })
    )
  })

  describe("several instances", () => {
    it.effect("knows that a job runs here when its lost run ends after the next one has begun", () =>
      Effect.gen(function* () {
        const leave = yield* Deferred.make<void>()
        let gets = 0
        const { jobs, seen, store } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.onInterrupt(Effect.never, () => Deferred.await(leave)),
          wrap: (store) => ({
            ...store,
            get: (id) => {
              gets++
              return store.get(id)
            }
          })
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        yield* TestClock.adjust("1 second")
        yield* Effect.forkChild(Stream.runDrain(jobs.events("me", accepted.id)))
        assert.strictEqual(yield* store.recover({ nowMs: 1e9, own: false }), 1)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(seen.sent, 2)
        yield* Deferred.succeed(leave, undefined)
        yield* TestClock.adjust("1 second")
        gets = 0
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(gets, 0, "its followers are told by the run, and need not ask the store")
      })
    )

    it.effect("keeps what it runs through an outage of the store that is longer than a lease", () =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const { jobs, seen } = yield* instance({
          memory: yield* keep(),
          generate: () => Effect.never,
          wrap: (store) => ({
            ...store,
            renew: (claims, until) =>
              Effect.suspend(() =>
                clock.currentTimeMillisUnsafe() < 29_900 ? Effect.fail(storeDown) : store.renew(claims, until)
              )
          })
        })
        const { job: accepted } = yield* jobs.submit(job("x"))
        yield* TestClock.adjust("60 seconds")
        assert.strictEqual((yield* jobs.get("me", accepted.id)).runs, 1)
        assert.strictEqual(seen.sent, 1)
      })
    )

    it.effect("drops a run whose job was taken over, and its end does not count", () =>
      Effect.gen(function* () {
        const memory = yield* keep()
        let isAway = false
        const first = yield* instance({
          memory,
          generate: () => Effect.never,
          wrap: (store) => ({
            ...store,
            renew: (claims, until) =>
              Effect.suspend(() => (isAway ? Effect.fail(storeDown) : store.renew(claims, until))),
            claim: (options) => Effect.suspend(() => (isAway ? Effect.fail(storeDown) : store.claim(options))),
            recover: (options) => Effect.suspend(() => (isAway ? Effect.fail(storeDown) : store.recover(options)))
          })
        })
        const { job: accepted } = yield* first.jobs.submit(job("x"))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(first.seen.running, 1)
        isAway = true
        const second = yield* instance({ memory, name: "two" })
        yield* TestClock.adjust("40 seconds")
        assert.strictEqual((yield* second.jobs.get("me", accepted.id)).status, "Completed")
        isAway = false
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(first.seen.running, 0)
        assert.strictEqual((yield* first.jobs.get("me", accepted.id)).runs, 2)
      })
    )

    it.effect("follows a job that another instance runs, and stops it when it is cancelled here", () =>
      Effect.gen(function* () {
        const memory = yield* keep()
        const runs = yield* instance({ memory, generate: () => Effect.never })
        const follows = yield* instance({ memory, name: "two", concurrency: 0 })
        const { job: accepted } = yield* follows.jobs.submit(job("x"))
        const follower = yield* Effect.forkChild(Stream.runCollect(follows.jobs.events("me", accepted.id)))
        yield* TestClock.adjust("3 seconds")
        assert.strictEqual(runs.seen.running, 1)
        yield* follows.jobs.cancel("me", accepted.id)
        yield* TestClock.adjust("6 seconds")
        assert.strictEqual(runs.seen.running, 0)
        const statuses = (yield* Fiber.join(follower)).map((event) => (event._tag === "Status" ? event.job.status : ""))
        assert.deepStrictEqual(statuses, ["Pending", "Running", "Cancelled"])
      })
    )
  })
})
