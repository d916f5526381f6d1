import { setImmediate } from "node:timers/promises"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { DispatchError, InvalidOptions } from "../../../src/domain/dispatch/DispatchError.ts"
import { layer, make, makePool } from "../../../src/layers/dispatch/Dispatcher.ts"
import type { DispatcherOptions, Dispatcher as DispatcherShape } from "../../../src/services/Dispatcher.ts"
import { Gates, HandlerError, settle } from "./Gates.ts"

const reasonOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.squash(exit.cause)
  return error instanceof DispatchError ? error.reason._tag : String(error)
}

/** A dispatcher over gated handlers. */
const gated = (options: Omit<DispatcherOptions<number, number, HandlerError>, "workers">, ...names: Array<string>) =>
  Effect.gen(function* () {
    const gates = new Gates()
    const dispatcher = yield* make({
      ...options,
      workers: names.map((name) => ({ name, concurrency: 1, queueCapacity: 2, handler: gates.handler(name) }))
    })
    const submit = (job: number, submitOptions?: Parameters<typeof dispatcher.submit>[1]) =>
      Effect.tap(Effect.forkChild(dispatcher.submit(job, submitOptions)), () => settle)
    return { gates, dispatcher, submit }
  })

describe("options", () => {
  const worker = { name: "a", handler: (n: number) => Effect.succeed(n) }
  const cases: ReadonlyArray<[string, DispatcherOptions<number, number, never>, string]> = [
    ["no workers", { workers: [] }, "workers is 0: it must be a list of at least one"],
    [
      "a negative queue capacity",
      { workers: [{ ...worker, queueCapacity: -1 }] },
      "workers[0].queueCapacity is -1: it must be a whole number, at least 0"
    ],
    [
      "a weight that is no number",
      { workers: [{ ...worker, weight: Number.NaN }] },
      "workers[0].weight is NaN: it must be a number above 0"
    ],
    [
      "two workers of one name",
      { workers: [worker, worker] },
      'workers[1].name is "a": it must be unique, but workers[0] has it too'
    ],
    [
      "no concurrency",
      { workers: [{ ...worker, concurrency: 0 }] },
      "workers[0].concurrency is 0: it must be a whole number, at least 1"
    ],
    [
      "a rate of 0",
      { workers: [worker], limits: { requestsPerSecond: 0 } },
      "limits.requestsPerSecond is 0: it must be a number above 0"
    ],
    [
      "a TTL of 0",
      { workers: [worker], affinity: { ttl: 0, onUnavailable: "wait" } },
      'affinity.ttl is 0: it must be a duration above 0, such as "5 minutes"'
    ],
    [
      "another time of counting",
      { workers: [{ ...worker, limitsCount: "end" as "sent" }] },
      'workers[0].limitsCount is "end": it must be "start" or "sent"'
    ]
  ]
  it.effect.each(cases)("refuses %s", ([, options, problem]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(make(options))
      assert.instanceOf(error, InvalidOptions)
      assert.deepStrictEqual(error.problems, [problem])
      assert.include(error.message, problem)
    })
  )

  it.effect.each([0, 2.5, Number.NaN])("refuses a pool of %s workers", (size) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(makePool({ size, handler: worker.handler }))
      assert.deepStrictEqual(error.problems, [`size is ${size}: it must be a whole number, at least 1`])
    })
  )

  it.effect("checks what the workers of a pool share, priority included", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(makePool({ size: 1, handler: worker.handler, priority: -1 }))
      assert.deepStrictEqual(error.problems, ["workers[0].priority is -1: it must be a whole number, at least 0"])
    })
  )

  it.effect("names every problem at once", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(make({ workers: [{ ...worker, weight: -1, concurrency: 1.5 }] }))
      assert.strictEqual(error.problems.length, 2)
    })
  )
})

describe("submit", () => {
  it.effect("gives the handler's answer", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({ size: 3, handler: (n: number) => Effect.succeed(n * 2) })
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3], (n) => dispatcher.submit(n)), [2, 4, 6])
      assert.deepStrictEqual(
        (yield* dispatcher.metrics).workers.map((worker) => [worker.worker_id, worker.name, worker.completed]),
        [
          [0, "worker-0", 1],
          [1, "worker-1", 1],
          [2, "worker-2", 1]
        ]
      )
    })
  )

  it.effect("gives back the handler's own error, the very same value, run at once or from the queue", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* gated({}, "a")
      const first = yield* submit(1)
      const second = yield* submit(2)
      yield* gates.fail(gates.pick(0)!)
      yield* settle
      yield* gates.fail(gates.pick(0)!)
      for (const [job, fiber] of [first, second].entries()) {
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.instanceOf(error, HandlerError)
        assert.strictEqual(error instanceof HandlerError && error.job, job + 1)
      }
    })
  )

  it.effect("lets a defect die in its own caller and keeps the worker alive", () =>
    Effect.gen(function* () {
      const dispatcher = yield* make({
        workers: [
          {
            name: "a",
            concurrency: 1,
            handler: (n: number): Effect.Effect<number> => {
              if (n === 1) throw new Error("boom")
              return Effect.succeed(n)
            }
          }
        ]
      })
      const exit = yield* Effect.exit(dispatcher.submit(1))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(yield* dispatcher.submit(2), 2)
      const { errors, completed, inflight } = yield* dispatcher.metrics
      assert.deepStrictEqual({ errors, completed, inflight }, { errors: 1, completed: 1, inflight: 0 })
    })
  )

  it.effect("interrupts the running job with its caller, and drops the queued one unrun", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({}, "a")
      const running = yield* submit(1)
      const queued = yield* submit(2)
      const third = yield* submit(3)
      yield* Fiber.interrupt(queued)
      yield* Fiber.interrupt(running)
      yield* settle
      assert.deepStrictEqual(
        gates.starts.map((start) => start.job),
        [1, 3]
      )
      yield* gates.succeed(gates.pick(0)!)
      assert.strictEqual(yield* Fiber.join(third), 3)
      assert.strictEqual((yield* dispatcher.metrics).interrupted, 1)
    })
  )

  it.effect("runs queued jobs in the order of their submits", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* gated({}, "a")
      for (let job = 0; job < 10; job++) yield* submit(job)
      for (let job = 0; job < 10; job++) {
        yield* gates.succeed(gates.pick(0)!)
        yield* settle
      }
      assert.deepStrictEqual(
        gates.starts.map((start) => start.job),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
      )
    })
  )

  it.effect("keeps its queue bounded when many queued jobs are cancelled", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({}, "a")
      const running = yield* submit(0)
      for (let job = 1; job < 50; job++) yield* Effect.flatMap(submit(job), Fiber.interrupt)
      const last = yield* submit(50)
      assert.strictEqual((yield* dispatcher.metrics).queue_len, 1)
      yield* gates.succeed(gates.pick(0)!)
      yield* Fiber.join(running)
      yield* settle
      yield* gates.succeed(gates.pick(0)!)
      assert.strictEqual(yield* Fiber.join(last), 50)
    })
  )

  it.effect("fails at once with QueueFull when told not to wait", () =>
    Effect.gen(function* () {
      const { submit } = yield* gated({ onFull: "fail" }, "a")
      for (let job = 0; job < 3; job++) yield* submit(job)
      const rejected = yield* submit(3)
      assert.strictEqual(reasonOf(yield* Fiber.await(rejected)), "QueueFull")
    })
  )

  it.effect("does what the submit says when every queue is full, whatever the pool does", () =>
    Effect.gen(function* () {
      for (const onFull of ["wait", "fail"] as const) {
        const { gates, dispatcher, submit } = yield* gated({ onFull }, "a")
        for (let job = 0; job < 3; job++) yield* submit(job)
        const rejected = yield* submit(3, { onFull: "fail" })
        assert.strictEqual(reasonOf(yield* Fiber.await(rejected)), "QueueFull")
        const waiting = yield* submit(4, { onFull: "wait" })
        assert.strictEqual((yield* dispatcher.metrics).waiting, 1)
        for (let job = 0; job < 4; job++) {
          yield* gates.succeed(gates.pick(0)!)
          yield* settle
        }
        assert.strictEqual(yield* Fiber.join(waiting), 4)
        assert.deepStrictEqual(
          gates.starts.map((start) => start.job),
          [0, 1, 2, 4]
        )
      }
    })
  )

  it.effect(
    "told to fail, does so when all that it does not exclude are full, or its session's worker must be waited for",
    () =>
      Effect.gen(function* () {
        const { gates, submit } = yield* gated({ affinity: { ttl: "1 hour", onUnavailable: "wait" } }, "a", "b")
        for (let job = 0; job < 3; job++) yield* submit(job, { session: "s" })
        const pinned = yield* submit(3, { session: "s", onFull: "fail" })
        assert.strictEqual(reasonOf(yield* Fiber.await(pinned)), "QueueFull")
        const excluding = yield* submit(4, { exclude: new Set(["b"]), onFull: "fail" })
        assert.strictEqual(reasonOf(yield* Fiber.await(excluding)), "QueueFull")
        yield* submit(5, { onFull: "fail" })
        assert.deepStrictEqual(gates.starts.at(-1), { job: 5, worker: "b" })
      })
  )

  it.effect("reads a set of excluded workers again that has grown", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* gated({}, "a", "b", "c")
      const exclude = new Set(["a"])
      yield* submit(0, { exclude })
      exclude.add("b")
      yield* submit(1, { exclude })
      assert.deepStrictEqual(gates.starts, [
        { job: 0, worker: "b" },
        { job: 1, worker: "c" }
      ])
    })
  )

  it.effect("gives nothing back twice when it is interrupted before it has begun", () =>
    Effect.gen(function* () {
      const { gates, dispatcher } = yield* gated({}, "a")
      const fiber = yield* Effect.forkChild(dispatcher.submit(1))
      yield* Fiber.interrupt(fiber)
      yield* dispatcher.awaitIdle
      const { inflight, queue_len, interrupted } = yield* dispatcher.metrics
      assert.deepStrictEqual([inflight, queue_len, interrupted, gates.starts.length], [0, 0, 0, 0])
    })
  )

  it.effect("lets timers go on while jobs that answer at once wake each other without end", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({ size: 1, concurrency: 1, handler: (n: number) => Effect.succeed(n) })
      let goesOn = true
      const submitter = Effect.whileLoop({
        while: () => goesOn,
        body: () => dispatcher.submit(0),
        step: () => {}
      })
      const submitters = yield* Effect.forkChild(
        Effect.forEach(Array.from({ length: 64 }), () => submitter, { concurrency: "unbounded", discard: true })
      )
      // Ends only when timers go on.
      while ((yield* dispatcher.metrics).completed <= 64) {
        yield* Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 1)))
      }
      goesOn = false
      yield* Fiber.join(submitters)
    })
  )

  it.effect("fails with NoWorker when it excludes all of them", () =>
    Effect.gen(function* () {
      const { dispatcher } = yield* gated({}, "a", "b")
      const exit = yield* Effect.exit(dispatcher.submit(1, { exclude: new Set(["a", "b"]) }))
      assert.strictEqual(reasonOf(exit), "NoWorker")
    })
  )

  it.effect("takes an idle worker although others wait for one that they are bound to", () =>
    Effect.gen(function* () {
      const { gates, submit } = yield* gated({}, "a", "b")
      for (let job = 0; job < 4; job++) yield* submit(job, { exclude: new Set(["a"]) })
      yield* submit(4)
      assert.deepStrictEqual(gates.starts, [
        { job: 0, worker: "b" },
        { job: 4, worker: "a" }
      ])
    })
  )

  it.effect.each(["queued", "running"])("ends a %s job at its deadline", (where) =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({}, "a")
      if (where === "queued") yield* submit(0)
      const late = yield* submit(1, { deadline: "5 seconds" })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(reasonOf(yield* Fiber.await(late)), "DeadlineExceeded")
      assert.strictEqual(gates.starts.filter((start) => start.job === 1).length, where === "queued" ? 0 : 1)
      assert.strictEqual((yield* dispatcher.metrics).inflight, where === "queued" ? 1 : 0)
    })
  )

  it.effect("runs handlers that answer at once without growing the stack", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({ size: 2, concurrency: 1, handler: (n: number) => Effect.succeed(n) })
      const sum = yield* Effect.reduce(
        Array.from({ length: 20_000 }, (_, n) => n),
        () => 0,
        (total, n) => Effect.map(dispatcher.submit(n), (value) => total + value)
      )
      assert.strictEqual(sum, 199_990_000)
    })
  )
})

describe("sessions", () => {
  it.effect("stay on their worker until the TTL is over", () =>
    Effect.gen(function* () {
      const served: Array<string> = []
      const dispatcher = yield* make({
        policy: "weighted",
        affinity: { ttl: "1 minute", onUnavailable: "wait" },
        workers: ["a", "b"].map((name) => ({
          name,
          handler: () => Effect.sync(() => void served.push(name))
        }))
      })
      const submit = dispatcher.submit(0, { session: "s" })
      yield* submit
      yield* dispatcher.submit(0)
      yield* TestClock.adjust("59 seconds")
      yield* submit
      yield* TestClock.adjust("2 seconds")
      yield* submit
      assert.deepStrictEqual(served, ["a", "b", "a", "a"])
      yield* dispatcher.submit(0)
      yield* submit
      assert.deepStrictEqual(served.slice(4), ["b", "a"])
    })
  )

  it.effect("start their TTL anew with each submit when sliding", () =>
    Effect.gen(function* () {
      const served: Array<string> = []
      const dispatcher = yield* make({
        policy: "weighted",
        affinity: { ttl: "1 minute", sliding: true, onUnavailable: "wait" },
        workers: ["a", "b", "c"].map((name) => ({ name, handler: () => Effect.sync(() => void served.push(name)) }))
      })
      for (let round = 0; round < 5; round++) {
        yield* dispatcher.submit(0, { session: "s" })
        yield* TestClock.adjust("50 seconds")
      }
      assert.deepStrictEqual(served, ["a", "a", "a", "a", "a"])
      yield* TestClock.adjust("50 seconds")
      yield* dispatcher.submit(0, { session: "s" })
      assert.strictEqual(served[5], "b")
    })
  )

  it.effect.each(["wait", "spill"] as const)(
    "have a worker for each set of workers that their jobs may go to (%s)",
    (onUnavailable) =>
      Effect.gen(function* () {
        const served = new Map<string, Set<string>>()
        const dispatcher = yield* make({
          affinity: { ttl: "1 minute", onUnavailable },
          workers: ["small-1", "small-2", "big-1", "big-2"].map((name) => ({
            name,
            concurrency: 100,
            handler: (part: string) =>
              Effect.sync(() => {
                served.set(part, (served.get(part) ?? new Set()).add(name))
              })
          }))
        })
        const excluded = {
          small: new Set(["big-1", "big-2"]),
          big: new Set(["small-1", "small-2"]),
          any: new Set<string>()
        }
        for (let round = 0; round < 5; round++) {
          for (const [model, exclude] of Object.entries(excluded)) {
            for (let session = 0; session < 20; session++) {
              yield* dispatcher.submit(`${model} of ${session}`, { session: `s${session}`, exclude })
            }
          }
        }
        assert.strictEqual(served.size, 60)
        for (const [part, workers] of served)
          assert.strictEqual(workers.size, 1, `${part} is on ${[...workers].join()}`)
        const shared = Array.from({ length: 20 }, (_, session) => served.get(`any of ${session}`)!)
        for (const [session, [worker]] of shared.map((workers) => [...workers]).entries()) {
          assert.include([...served.get(`small of ${session}`)!, ...served.get(`big of ${session}`)!], worker)
        }
      })
  )

  it.effect.each([
    ["wait", "a"],
    ["spill", "b"]
  ] as const)("%s when their worker is full", ([onUnavailable, worker]) =>
    Effect.gen(function* () {
      const { gates, submit } = yield* gated({ affinity: { ttl: "1 hour", onUnavailable } }, "a", "b")
      for (let job = 0; job < 4; job++) yield* submit(job, { session: "s" })
      while (gates.running.size > 0) {
        yield* gates.succeed(gates.pick(0)!)
        yield* settle
      }
      assert.strictEqual(gates.starts.find((start) => start.job === 3)?.worker, worker)
      yield* submit(4, { session: "s" })
      assert.strictEqual(gates.starts.at(-1)?.worker, worker, "and stay there")
    })
  )
})

describe("limits", () => {
  it.effect("start jobs evenly, over all workers together", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const clock = yield* TestClock.testClockWith(Effect.succeed)
      const dispatcher = yield* makePool({
        size: 3,
        limits: { requestsPerSecond: 10 },
        handler: () => Effect.sync(() => void times.push(clock.currentTimeMillisUnsafe()))
      })
      for (let job = 0; job < 100; job++) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      for (let tick = 0; tick < 400; tick++) yield* TestClock.adjust("10 millis")
      assert.isAtLeast(times.length, 38)
      assert.isAtMost(times.length, 41)
      for (const [index, time] of times.entries()) {
        assert.isAtMost(times.filter((other) => other >= time && other < time + 1000).length, 10)
        if (index > 0) assert.isAtLeast(time - times[index - 1]!, 90)
      }
    })
  )

  it.effect("over all workers give all turns that are due at once, to one worker after the other", () =>
    Effect.gen(function* () {
      const started: Array<number> = []
      const dispatcher = yield* make({
        limits: { requestsPerSecond: 1_000 },
        workers: Array.from({ length: 4 }, (_, worker) => ({
          name: `${worker}`,
          handler: () => Effect.sync(() => void started.push(worker))
        }))
      })
      for (let job = 0; job < 3_000; job++) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      // Over the first second, which is slower.
      yield* TestClock.adjust("2 seconds")
      yield* settle
      const before = started.length
      yield* TestClock.adjust("40 millis")
      for (let turn = 0; turn < 3; turn++) yield* Effect.promise(() => setImmediate())
      const given = started.slice(before)
      assert.isAtLeast(given.length, 38)
      for (let at = 0; at + 4 <= given.length; at++) assert.strictEqual(new Set(given.slice(at, at + 4)).size, 4)
    })
  )

  for (const [what, limits, waitMs] of [
    ["requests per second", { limits: { requestsPerSecond: 2 } }, 500],
    ["requests per minute", { limits: { requestsPerMinute: 10 } }, 6_000],
    ["units", { unitLimits: [{ perMinute: 10, estimate: () => 1, actual: () => 1 }] }, 6_000]
  ] as const) {
    it.effect(`in ${what} that another may have used go on at the same pace`, () =>
      Effect.gen(function* () {
        let started = 0
        const handler = () => Effect.sync(() => void started++)
        const dispatcher = yield* make({ limitsUsed: true, workers: [{ name: "a", handler, ...limits }] })
        for (let job = 0; job < 100; job++) yield* Effect.forkChild(dispatcher.submit(job))
        yield* settle
        yield* TestClock.adjust(waitMs * 0.9)
        assert.strictEqual(started, 0)
        yield* TestClock.adjust(waitMs * 0.2)
        assert.strictEqual(started, 1)
        for (let turn = 0; turn < 89; turn++) yield* TestClock.adjust(waitMs / 10)
        assert.isAtLeast(started, 9)
        assert.isAtMost(started, 10)
      })
    )
  }

  it.effect("of one worker leave the others alone", () =>
    Effect.gen(function* () {
      const served: Record<string, number> = { slow: 0, fast: 0 }
      const dispatcher = yield* make({
        workers: [
          {
            name: "slow",
            queueCapacity: 1,
            limits: { requestsPerMinute: 60 },
            handler: () => Effect.sync(() => void served["slow"]!++)
          },
          { name: "fast", handler: () => Effect.sync(() => void served["fast"]!++) }
        ]
      })
      for (let job = 0; job < 50; job++) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      assert.deepStrictEqual(served, { slow: 1, fast: 48 })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(served, { slow: 2, fast: 48 })
    })
  )
})

describe("limits that count what is sent", () => {
  const LIMIT = 10
  /** How long after its turn a job is sent, in milliseconds. */
  const delays = [0, 5, 400, 30, 1_200, 0, 0, 700, 90, 10]
  const delayOf = (job: number): Duration.Duration => Duration.millis(delays[job % delays.length]!)

  /** Lets jobs come for so long, and gives when they were sent. */
  const sendTimes = Effect.fnUntraced(function* (
    seconds: number,
    come: (
      dispatcher: DispatcherShape<number, void, never>,
      job: number,
      onSent: Effect.Effect<void>
    ) => Effect.Effect<unknown, unknown>
  ) {
    const times: Array<number> = []
    const clock = yield* Clock.Clock
    const note = Effect.sync(() => void times.push(clock.currentTimeMillisUnsafe()))
    const dispatcher = yield* makePool({
      size: 2,
      limits: { requestsPerSecond: LIMIT },
      limitsCount: "sent",
      handler: (job: number, turn) =>
        Effect.andThen(
          Effect.sleep(delayOf(job)),
          Effect.andThen(
            note,
            Effect.sync(() => turn.sent())
          )
        )
    })
    for (let job = 0; job < seconds * LIMIT; job++) yield* Effect.forkChild(come(dispatcher, job, note))
    yield* settle
    for (let tick = 0; tick < seconds * 100; tick++) yield* TestClock.adjust("10 millis")
    return times
  })

  const holds = (times: ReadonlyArray<number>, atLeast: number): void => {
    assert.isAtLeast(times.length, atLeast)
    for (const time of times) {
      assert.isAtMost(times.filter((other) => other >= time && other < time + 1_000).length, LIMIT)
    }
  }

  it.effect("hold however long after its turn a job is sent", () =>
    Effect.gen(function* () {
      holds(yield* sendTimes(20, (dispatcher, job) => dispatcher.submit(job)), 100)
    })
  )

  it.effect("hold for leases", () =>
    Effect.gen(function* () {
      const times = yield* sendTimes(20, (dispatcher, job, onSent) =>
        Effect.scoped(
          Effect.gen(function* () {
            const lease = yield* dispatcher.lease(job)
            yield* Effect.sleep(delayOf(job))
            yield* onSent
            lease.sent()
            yield* Effect.sleep("1 second")
          })
        )
      )
      holds(times, 100)
    })
  )

  it.effect("count a job that is never sent as long as it runs, and not any more after that", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({
        size: 1,
        limits: { requestsPerSecond: 1 },
        limitsCount: "sent",
        handler: () => Effect.sleep("3 seconds")
      })
      yield* Effect.forkChild(dispatcher.submit(0))
      const second = yield* Effect.forkChild(dispatcher.submit(1))
      const running = Effect.map(dispatcher.metrics, ({ completed, inflight }) => [completed, inflight])
      yield* settle
      yield* TestClock.adjust("2900 millis")
      assert.deepStrictEqual(yield* running, [0, 1])
      yield* TestClock.adjust("1200 millis")
      assert.deepStrictEqual(yield* running, [1, 1])
      yield* Fiber.interrupt(second)
    })
  )

  it.effect("count a begun job from when its caller says so, and once", () =>
    Effect.gen(function* () {
      const dispatcher = yield* makePool({
        size: 1,
        limits: { requestsPerSecond: 1 },
        limitsCount: "sent",
        handler: () => Effect.void
      })
      const first = dispatcher.begin(0)
      assert.isDefined(first.take())
      yield* TestClock.adjust("5 seconds")
      first.sent()
      yield* TestClock.adjust("600 millis")
      first.sent()
      first.end(Exit.void)
      const second = dispatcher.begin(1)
      assert.isUndefined(second.take())
      yield* TestClock.adjust("500 millis")
      assert.isDefined(second.take())
      second.end(Exit.void)
    })
  )
})

describe("the end", () => {
  it.effect("drain refuses new jobs and finishes those that are there", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({}, "a")
      const fibers = [yield* submit(1), yield* submit(2)]
      const drained = yield* Effect.forkChild(dispatcher.drain({ timeout: "1 minute" }))
      yield* settle
      assert.strictEqual(reasonOf(yield* Effect.exit(dispatcher.submit(3))), "Draining")
      for (const _ of fibers) {
        yield* gates.succeed(gates.pick(0)!)
        yield* settle
      }
      assert.isTrue(yield* Fiber.join(drained))
      assert.deepStrictEqual(yield* Effect.forEach(fibers, Fiber.join), [1, 2])
    })
  )

  it.effect("drain can discard what is queued, and says when its time was too short", () =>
    Effect.gen(function* () {
      const { gates, dispatcher, submit } = yield* gated({}, "a")
      const [running, ...rest] = [yield* submit(1), yield* submit(2), yield* submit(3), yield* submit(4)]
      const drained = yield* Effect.forkChild(dispatcher.drain({ timeout: "1 minute", queued: "discard" }))
      yield* settle
      for (const fiber of rest) assert.strictEqual(reasonOf(yield* Fiber.await(fiber)), "Draining")
      yield* TestClock.adjust("1 minute")
      assert.isFalse(yield* Fiber.join(drained))
      yield* gates.succeed(gates.pick(0)!)
      assert.strictEqual(yield* Fiber.join(running!), 1)
      yield* dispatcher.awaitIdle
    })
  )

  it.effect("closing the scope fails what waits", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const inside = yield* Deferred.make<Fiber.Fiber<number, HandlerError | DispatchError>>()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const dispatcher = yield* make({ workers: [{ name: "a", concurrency: 1, handler: gates.handler("a") }] })
          yield* Effect.forkDetach(dispatcher.submit(1))
          yield* settle
          yield* Deferred.succeed(inside, yield* Effect.forkDetach(dispatcher.submit(2)))
          yield* settle
        })
      )
      assert.strictEqual(reasonOf(yield* Fiber.await(yield* Deferred.await(inside))), "Draining")
    })
  )
})

describe("a service of an app's own", () => {
  class Doubler extends Context.Service<Doubler, DispatcherShape<number, number, HandlerError>>()("test/Doubler") {}
  class Factor extends Context.Service<Factor, { readonly value: number }>()("test/Factor") {}

  it.effect("has a layer, and handlers that use other services", () =>
    Effect.gen(function* () {
      const doubler = yield* Doubler
      assert.strictEqual(yield* doubler.submit(21), 42)
    }).pipe(
      Effect.provide(
        layer(
          Doubler,
          Effect.map(Factor, ({ value }) => ({
            workers: [{ name: "a", handler: (n: number) => Effect.succeed(n * value) }]
          }))
        ).pipe(Layer.provide(Layer.succeed(Factor, { value: 2 })))
      )
    )
  )
})
