/** Valves, priorities, leases, unit limits and latency: what those who know the work can tell the dispatcher. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { DispatchError } from "../../../src/domain/dispatch/DispatchError.ts"
import type { OnUnavailable } from "../../../src/domain/dispatch/Policy.ts"
import { make, makePool } from "../../../src/layers/dispatch/Dispatcher.ts"
import type { RateLimits } from "../../../src/services/Dispatcher.ts"
import { Gates, settle } from "./Gates.ts"

const gated = (...workers: ReadonlyArray<{ readonly name: string; readonly priority?: number }>) =>
  gatedWith("spill", ...workers)

const gatedWith = (
  onUnavailable: OnUnavailable,
  ...workers: ReadonlyArray<{ readonly name: string; readonly priority?: number }>
) =>
  Effect.gen(function* () {
    const gates = new Gates()
    const dispatcher = yield* make({
      affinity: { ttl: "1 hour", onUnavailable },
      workers: workers.map((worker) => ({
        ...worker,
        concurrency: 1,
        queueCapacity: 4,
        handler: gates.handler(worker.name)
      }))
    })
    const submit = (job: number, session?: string) =>
      Effect.tap(Effect.forkChild(dispatcher.submit(job, session === undefined ? {} : { session })), () => settle)
    const finishAll = Effect.gen(function* () {
      while (gates.running.size > 0) {
        for (const run of [...gates.running]) yield* gates.succeed(run)
        yield* settle
      }
    })
    return { gates, dispatcher, submit, finishAll, a: dispatcher.control("a")!, starts: gates.starts }
  })

describe("a closed worker", () => {
  it.effect("hands its queue to the others, in order, and lets what runs go on", () =>
    Effect.gen(function* () {
      const { a, gates, submit, finishAll, starts } = yield* gated({ name: "a" }, { name: "b" })
      for (let job = 0; job < 6; job++) yield* submit(job)
      yield* a.setOpen(false)
      yield* settle
      assert.strictEqual(gates.running.size, 2)
      yield* finishAll
      const atB = starts.filter((start) => start.worker === "b").map((start) => start.job)
      assert.deepStrictEqual(starts.filter((start) => start.worker === "a").length, 1)
      assert.strictEqual(atB.length, 5)
    })
  )

  it.effect("makes submits wait when it is the only one, and serves them when it opens", () =>
    Effect.gen(function* () {
      const { a, dispatcher, submit, finishAll, starts } = yield* gated({ name: "a" })
      yield* a.setOpen(false)
      const fibers = [yield* submit(1), yield* submit(2)]
      assert.strictEqual((yield* dispatcher.metrics).waiting, 2)
      yield* a.setOpen(true)
      yield* settle
      yield* finishAll
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [1, 2])
      assert.deepStrictEqual(
        starts.map((start) => start.job),
        [1, 2]
      )
    })
  )

  it.effect("loses its sessions to another worker", () =>
    Effect.gen(function* () {
      const { a, submit, finishAll, starts } = yield* gated({ name: "a" }, { name: "b" })
      yield* submit(1, "s")
      yield* finishAll
      assert.strictEqual(starts[0]!.worker, "a")
      yield* a.setOpen(false)
      yield* submit(2, "s")
      yield* a.setOpen(true)
      yield* finishAll
      yield* submit(3, "s")
      assert.deepStrictEqual(
        starts.slice(1).map((start) => start.worker),
        ["b", "b"]
      )
    })
  )
})

describe("a worker that is closed for long", () => {
  const out = { forLong: true }

  it.effect("is not waited for by its sessions, nor by their jobs that wait already: they move", () =>
    Effect.gen(function* () {
      const { a, dispatcher, submit, finishAll, gates, starts } = yield* gatedWith("wait", { name: "a" }, { name: "b" })
      // One runs, four queue, two wait for room.
      for (let job = 0; job < 7; job++) yield* submit(job, "s")
      yield* a.setOpen(false)
      yield* settle
      assert.strictEqual((yield* dispatcher.metrics).waiting, 6, "not for long: they wait for it")
      yield* a.setOpen(false, out)
      yield* settle
      assert.deepStrictEqual([...gates.running].map(({ worker }) => worker).sort(), ["a", "b"])
      yield* finishAll
      assert.deepStrictEqual(
        starts.map(({ job, worker }) => `${job}${worker}`),
        ["0a", "1b", "2b", "3b", "4b", "5b", "6b"]
      )
      yield* a.setOpen(true)
      for (const job of [7, 8]) yield* submit(job, "s")
      yield* finishAll
      assert.deepStrictEqual(
        starts.slice(7).map(({ worker }) => worker),
        ["b", "b"]
      )
    })
  )

  it.effect("is not waited for by those of its sessions who come then, and is again when it is open", () =>
    Effect.gen(function* () {
      const { a, submit, finishAll, starts } = yield* gatedWith("wait", { name: "a" }, { name: "b" })
      yield* submit(0, "s")
      yield* submit(1, "t")
      yield* finishAll
      yield* a.setOpen(false, out)
      yield* submit(2, "s")
      yield* finishAll
      yield* a.setOpen(true)
      for (const job of [3, 4]) yield* submit(job, "u")
      yield* a.setOpen(false)
      yield* finishAll
      assert.deepStrictEqual(
        starts.map(({ job, worker }) => `${job}${worker}`),
        ["0a", "1b", "2b", "3a"],
        "4 waits for a"
      )
    })
  )

  it.effect("is still waited for by those that may go nowhere else", () =>
    Effect.gen(function* () {
      const { a, dispatcher, finishAll, gates, starts } = yield* gatedWith("wait", { name: "a" }, { name: "b" })
      const onlyA = { session: "s", exclude: new Set(["b"]) }
      for (const job of [1, 2]) yield* Effect.forkChild(dispatcher.submit(job, onlyA))
      yield* settle
      yield* a.setOpen(false, out)
      yield* Effect.forkChild(dispatcher.submit(3, onlyA))
      yield* settle
      assert.strictEqual((yield* dispatcher.metrics).waiting, 2)
      for (const run of [...gates.running]) yield* gates.succeed(run)
      yield* settle
      yield* a.setOpen(true)
      yield* settle
      yield* finishAll
      assert.deepStrictEqual(
        starts.map(({ job, worker }) => `${job}${worker}`),
        ["1a", "2a", "3a"]
      )
    })
  )

  it.effect("gets no new sessions, although nobody is before them there", () =>
    Effect.gen(function* () {
      const { a, submit, finishAll, starts } = yield* gatedWith("wait", { name: "a" }, { name: "b" })
      yield* a.setOpen(false, out)
      // One runs, four queue, two wait for room.
      for (let job = 0; job < 7; job++) yield* submit(job, `session ${job}`)
      yield* a.setOpen(true)
      yield* settle
      yield* finishAll
      assert.deepStrictEqual(
        starts.map(({ worker }) => worker),
        Array.from({ length: 7 }, () => "b")
      )
    })
  )

  it.effect("has no places for those who would rather fail than wait for a queue", () =>
    Effect.gen(function* () {
      const { a, dispatcher } = yield* gatedWith("wait", { name: "a" })
      yield* a.setOpen(false, out)
      const error = yield* Effect.flip(dispatcher.submit(1, { onFull: "fail" }))
      assert.strictEqual(error instanceof DispatchError && error.reason._tag, "QueueFull")
      yield* a.setOpen(false)
      yield* Effect.forkChild(dispatcher.submit(2, { onFull: "fail" }))
      yield* settle
      assert.strictEqual((yield* dispatcher.metrics).waiting, 1)
    })
  )

  it.effect("takes its part of what has queued for others when it opens, the oldest first", () =>
    Effect.gen(function* () {
      const { a, dispatcher, submit, finishAll, gates, starts } = yield* gated({ name: "a" }, { name: "b" })
      yield* a.setOpen(false, out)
      for (let job = 0; job < 4; job++) yield* submit(job)
      yield* Effect.forkChild(dispatcher.submit(4, { exclude: new Set(["a"]) }))
      yield* settle
      assert.strictEqual(gates.running.size, 1)
      yield* a.setOpen(true)
      yield* settle
      assert.deepStrictEqual(
        starts.map(({ job, worker }) => `${job}${worker}`),
        ["0b", "1a"]
      )
      yield* finishAll
      assert.deepStrictEqual(starts.map(({ job }) => job).sort(), [0, 1, 2, 3, 4])
      assert.strictEqual(starts.find(({ job }) => job === 4)?.worker, "b")
    })
  )

  it.effect("takes them also while they wait for a limit, whose pace the others keep", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const worker = (name: string) => ({ name, concurrency: 8, handler: gates.handler(name) })
      const dispatcher = yield* make({ workers: [worker("a"), { ...worker("b"), limits: { requestsPerSecond: 1 } }] })
      const a = dispatcher.control("a")!
      yield* a.setOpen(false, out)
      for (let job = 0; job < 6; job++) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      assert.strictEqual(gates.count("b"), 1)
      yield* a.setOpen(true)
      yield* settle
      assert.deepStrictEqual([gates.count("a"), gates.count("b")], [3, 1])
      for (const count of [2, 3]) {
        yield* TestClock.adjust(1_200)
        yield* settle
        assert.strictEqual(gates.count("b"), count)
      }
    })
  )
})

describe("submits that would rather fail than wait", () => {
  it.effect("find the places of one closed worker free, however many wait for another", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const dispatcher = yield* make({
        onFull: "fail",
        workers: ["a", "b"].map((name) => ({ name, concurrency: 1, queueCapacity: 2, handler: gates.handler(name) }))
      })
      const submit = (job: number, exclude: ReadonlyArray<string>) =>
        Effect.tap(Effect.forkChild(dispatcher.submit(job, { exclude: new Set(exclude) })), () => settle)
      for (const name of ["a", "b"]) yield* dispatcher.control(name)!.setOpen(false)
      yield* submit(1, ["b"])
      yield* submit(2, ["b"])
      const refusedAtA = yield* submit(3, ["b"])
      const waitsForB = yield* submit(4, ["a"])
      const waitsForAny = yield* submit(5, [])
      const refusedByAll = [yield* submit(6, []), yield* submit(7, ["a"])]
      assert.isUndefined(waitsForB.pollUnsafe())
      assert.isUndefined(waitsForAny.pollUnsafe())
      for (const refused of [refusedAtA, ...refusedByAll]) {
        const error = yield* Effect.flip(Fiber.join(refused))
        assert.strictEqual(error instanceof DispatchError && error.reason._tag, "QueueFull")
      }
      assert.strictEqual((yield* dispatcher.metrics).waiting, 4)
    })
  )
})

describe("the concurrency of a worker", () => {
  it.effect("can be lowered and raised while it works, within its own", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const dispatcher = yield* make({ workers: [{ name: "a", concurrency: 8, handler: gates.handler("a") }] })
      const control = dispatcher.control("a")!
      yield* control.setConcurrency(2)
      for (let job = 0; job < 20; job++) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      assert.strictEqual(gates.running.size, 2)
      yield* control.setConcurrency(5)
      yield* settle
      assert.strictEqual(gates.running.size, 5)
      yield* control.setConcurrency(100)
      yield* settle
      assert.strictEqual(gates.running.size, 8)
      yield* control.setConcurrency(1)
      for (let count = 0; count < 8; count++) yield* gates.succeed(gates.pick(0)!)
      yield* settle
      assert.strictEqual(gates.running.size, 1)
    })
  )
})

describe("priorities", () => {
  it.effect("leave the second choice alone until the first is closed", () =>
    Effect.gen(function* () {
      const { a, submit, finishAll, starts } = yield* gated({ name: "a", priority: 0 }, { name: "b", priority: 1 })
      for (let job = 0; job < 4; job++) yield* submit(job)
      yield* finishAll
      assert.deepStrictEqual(new Set(starts.map((start) => start.worker)), new Set(["a"]))
      yield* a.setOpen(false)
      yield* submit(4)
      assert.strictEqual(starts.at(-1)!.worker, "b")
      yield* a.setOpen(true)
      yield* submit(5)
      assert.strictEqual(starts.at(-1)!.worker, "a")
    })
  )
})

describe("a lease", () => {
  it.effect("holds its slot until its scope closes, and counts by how it closed", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({ name: "a" })
      const scope = yield* Scope.make()
      const lease = yield* Scope.provide(dispatcher.lease(0), scope)
      assert.strictEqual(lease.worker, "a")
      yield* submit(1)
      assert.strictEqual(gates.running.size, 0)
      yield* Scope.close(scope, Exit.fail("broke off"))
      yield* settle
      assert.strictEqual(gates.running.size, 1)
      assert.strictEqual((yield* dispatcher.metrics).errors, 1)
    })
  )

  it.effect("that is interrupted while it waits leaves nothing behind", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({ name: "a" })
      yield* submit(1)
      const waiting = yield* Effect.forkChild(Effect.scoped(dispatcher.lease(0)))
      yield* settle
      yield* Fiber.interrupt(waiting)
      yield* gates.succeed(gates.pick(0)!)
      yield* dispatcher.awaitIdle
      const { inflight, queue_len } = yield* dispatcher.metrics
      assert.deepStrictEqual([inflight, queue_len], [0, 0])
    })
  )
})

describe("unit limits", () => {
  it.effect("hold over answers of unknown length: 60,000 a minute for three minutes, used to 95 %", () =>
    Effect.gen(function* () {
      const clock = yield* TestClock.testClockWith(Effect.succeed)
      const answers: Array<{ readonly at: number; readonly units: number }> = []
      const dispatcher = yield* makeUnits((units) => answers.push({ at: clock.currentTimeMillisUnsafe(), units }))
      for (let job = 0; job < 600; job++) yield* Effect.forkChild(dispatcher.submit(100 + ((job * 7919) % 900)))
      for (let tick = 0; tick < 1_800; tick++) yield* TestClock.adjust("100 millis")
      for (const { at } of answers) {
        const minute = answers.filter((other) => other.at >= at && other.at < at + 60_000)
        assert.isAtMost(
          minute.reduce((sum, answer) => sum + answer.units, 0),
          60_000
        )
      }
      assert.isAtLeast(
        answers.reduce((sum, answer) => sum + answer.units, 0),
        0.95 * 180_000
      )
    })
  )

  const makeUnits = (onAnswer: (units: number) => void) =>
    make({
      workers: [
        {
          name: "a",
          concurrency: 4,
          handler: (units: number) =>
            Effect.delay(
              Effect.sync(() => {
                onAnswer(units)
                return units
              }),
              "500 millis"
            ),
          unitLimits: [
            {
              perMinute: 60_000,
              estimate: () => 1_000,
              actual: (exit) => (Exit.isSuccess(exit) ? exit.value : undefined)
            }
          ]
        }
      ]
    })
})

describe("the delay of a limit", () => {
  const limited = (limits: RateLimits) =>
    make({ workers: [{ name: "a", limits, handler: (job: number) => Effect.succeed(job) }] })

  it.effect("is over for the jobs that wait for it when the limit is lifted", () =>
    Effect.gen(function* () {
      const dispatcher = yield* limited({ requestsPerMinute: 1 })
      yield* dispatcher.submit(1)
      const waiting = yield* Effect.forkChild(dispatcher.submit(2))
      yield* settle
      assert.isUndefined(waiting.pollUnsafe())
      yield* dispatcher.control("a")!.setLimits({})
      yield* settle
      assert.deepStrictEqual(waiting.pollUnsafe(), Exit.succeed(2))
    })
  )

  it.effect("is not waited for by the queue of a worker that was closed, relieved and opened", () =>
    Effect.gen(function* () {
      const dispatcher = yield* limited({ requestsPerMinute: 1 })
      const control = dispatcher.control("a")!
      yield* dispatcher.submit(1)
      const waiting = yield* Effect.forkChild(dispatcher.submit(2))
      yield* settle
      yield* control.setOpen(false)
      yield* control.setLimits({})
      yield* control.setOpen(true)
      yield* settle
      assert.deepStrictEqual(waiting.pollUnsafe(), Exit.succeed(2))
    })
  )

  it.effect("still holds when a limit gives way to another", () =>
    Effect.gen(function* () {
      const dispatcher = yield* limited({ requestsPerMinute: 1 })
      yield* dispatcher.submit(1)
      const waiting = yield* Effect.forEach([2, 3], (job) => Effect.forkChild(dispatcher.submit(job)))
      yield* settle
      yield* dispatcher.control("a")!.setLimits({ requestsPerSecond: 1 })
      yield* settle
      assert.isUndefined(waiting[0]!.pollUnsafe(), "the new limit may have been used so far")
      yield* TestClock.adjust("1100 millis")
      yield* settle
      assert.deepStrictEqual(waiting[0]!.pollUnsafe(), Exit.succeed(2))
      assert.isUndefined(waiting[1]!.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      yield* settle
      assert.deepStrictEqual(waiting[1]!.pollUnsafe(), Exit.succeed(3))
    })
  )

  it.effect("holds however often it is replaced", () =>
    Effect.gen(function* () {
      const dispatcher = yield* limited({ requestsPerSecond: 10 })
      const jobs = yield* Effect.forEach(
        Array.from({ length: 100 }, (_, job) => job),
        (job) => Effect.forkChild(dispatcher.submit(job))
      )
      for (let step = 0; step < 50; step++) {
        yield* TestClock.adjust("110 millis")
        yield* settle
        yield* dispatcher.control("a")!.setLimits({ requestsPerSecond: step % 2 === 0 ? 10.5 : 10 })
        yield* settle
      }
      const done = jobs.filter((job) => job.pollUnsafe() !== undefined).length
      assert.isAtMost(done, 56, "5.5 s at 10 a second")
      assert.isAtLeast(done, 40)
    })
  )

  it.effect("begins at once at a worker that has run nothing", () =>
    Effect.gen(function* () {
      const dispatcher = yield* limited({})
      yield* dispatcher.control("a")!.setLimits({ requestsPerMinute: 1 })
      assert.strictEqual(yield* dispatcher.submit(1), 1)
    })
  )

  it.effect("is not waited for by those behind a job that was given up", () =>
    Effect.gen(function* () {
      const dispatcher = yield* make({
        workers: [
          {
            name: "a",
            handler: (units: number) => Effect.succeed(units),
            unitLimits: [{ perMinute: 1_000, estimate: (units) => units, actual: (_, units) => units }]
          }
        ]
      })
      yield* dispatcher.submit(100)
      const large = yield* Effect.forkChild(dispatcher.submit(950))
      const small = yield* Effect.forkChild(dispatcher.submit(10))
      yield* settle
      yield* TestClock.adjust("10 seconds")
      yield* settle
      assert.isUndefined(small.pollUnsafe())
      yield* Fiber.interrupt(large)
      yield* settle
      assert.deepStrictEqual(small.pollUnsafe(), Exit.succeed(10))
    })
  )

  it.effect("of the pool leaves no place in its line to a worker that was closed", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const dispatcher = yield* make({
        limits: { requestsPerMinute: 1 },
        workers: ["a", "b"].map((name) => ({ name, handler: gates.handler(name) }))
      })
      yield* Effect.forkChild(dispatcher.submit(1, { exclude: new Set(["b"]) }))
      for (const job of [2, 3]) yield* Effect.forkChild(dispatcher.submit(job, { exclude: new Set(["b"]) }))
      yield* settle
      yield* Effect.forkChild(dispatcher.submit(4, { exclude: new Set(["a"]) }))
      yield* settle
      yield* dispatcher.control("a")!.setOpen(false)
      yield* settle
      yield* TestClock.adjust("70 seconds")
      yield* settle
      assert.deepStrictEqual(
        gates.starts.map((start) => start.job),
        [1, 4]
      )
    })
  )
})

describe("p2c-ewma", () => {
  it.effect("sends most to the quicker of two workers, and still tries the other", () =>
    Effect.gen(function* () {
      const served: Record<string, number> = { quick: 0, slow: 0 }
      const dispatcher = yield* make({
        policy: "p2c-ewma",
        workers: (["quick", "slow"] as const).map((name) => ({
          name,
          handler: () => {
            served[name]! += 1
            return Effect.sleep(name === "quick" ? "20 millis" : "400 millis")
          }
        }))
      })
      const run = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 400 }), () => dispatcher.submit(0), { concurrency: 8, discard: true })
      )
      for (let tick = 0; tick < 1_000 && run.pollUnsafe() === undefined; tick++) yield* TestClock.adjust("20 millis")
      yield* Fiber.join(run)
      assert.isAbove(served["quick"]!, 300)
      assert.isAbove(served["slow"]!, 0)
    })
  )

  it.effect("works with equal workers too", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({ size: 4, policy: "p2c-ewma", handler: (n: number) => Effect.succeed(n) })
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3], (n) => dispatcher.submit(n)), [1, 2, 3])
    })
  )
})
