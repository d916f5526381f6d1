/** What limits give back, and to whom. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { make } from "../../../src/layers/dispatch/Dispatcher.ts"
import { Gates, settle } from "./Gates.ts"

/** A handler that takes some time, and when each of its jobs began. */
const timed = (takes: number) => {
  const starts: Array<readonly [job: number, atMs: number]> = []
  const handler = (job: number) =>
    Effect.andThen(
      Effect.map(Clock.currentTimeMillis, (now) => starts.push([job, now])),
      Effect.sleep(takes)
    )
  return { handler, starts }
}

describe("a limit", () => {
  it.effect("of one worker counts a job that is never sent as long as it runs, and not any more after that", () =>
    Effect.gen(function* () {
      const { handler, starts } = timed(3_000)
      const dispatcher = yield* make({
        workers: [{ name: "a", concurrency: 2, limits: { requestsPerSecond: 1 }, limitsCount: "sent", handler }]
      })
      for (const job of [0, 1]) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      yield* TestClock.adjust("2900 millis")
      assert.deepStrictEqual(starts, [[0, 0]])
      yield* TestClock.adjust("1200 millis")
      assert.deepStrictEqual(
        starts.map(([job]) => job),
        [0, 1]
      )
    })
  )

  it.effect.each([
    ["its end alone makes room", 60],
    ["its units were spaced by the estimate", 40]
  ] as const)("of units wakes the next job when one took less than was estimated: %s", ([, estimate]) =>
    Effect.gen(function* () {
      const { handler, starts } = timed(5_000)
      const dispatcher = yield* make({
        workers: [
          {
            name: "a",
            concurrency: 2,
            unitLimits: [{ perMinute: 100, estimate: () => estimate, actual: () => 10 }],
            handler
          }
        ]
      })
      for (const job of [0, 1]) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(starts, [[0, 0]])
      // 10 of 100 a minute.
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(starts, [
        [0, 0],
        [1, 6_000]
      ])
    })
  )

  const wrongs: ReadonlyArray<readonly [how: string, units: () => number]> = [
    [
      "throws",
      () => {
        throw new Error("cannot count")
      }
    ],
    ["is no number", () => Number.NaN],
    ["is below 0", () => -1_000],
    ["is endless", () => Number.POSITIVE_INFINITY]
  ]

  /** Counts one unit for each job but job 1, which is among others in time and in the queue. */
  const miscounted = (wrong: Partial<Record<"estimate" | "actual", () => number>>) =>
    Effect.gen(function* () {
      const { handler, starts } = timed(100)
      const limit = {
        perMinute: 600,
        estimate: (job: number) => (job === 1 ? (wrong.estimate?.() ?? 1) : 1),
        actual: (_: unknown, job: number) => (job === 1 ? (wrong.actual?.() ?? 1) : 1)
      }
      const dispatcher = yield* make({ workers: [{ name: "a", concurrency: 1, unitLimits: [limit], handler }] })
      const jobs = yield* Effect.forEach([0, 1, 2, 3], (job) => Effect.forkChild(dispatcher.submit(job)))
      yield* settle
      for (let tick = 0; tick < 20; tick++) yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(
        jobs.map((fiber) => fiber.pollUnsafe()),
        jobs.map(() => Exit.void)
      )
      const { inflight, queue_len } = yield* dispatcher.metrics
      assert.deepStrictEqual([inflight, queue_len], [0, 0])
      return starts.map(([job, atMs]) => [job, atMs - starts[0]![1]])
    })

  it.effect.each(wrongs)("of units takes a job whose estimate %s for one of no units", ([, estimate]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* miscounted({ estimate }), yield* miscounted({ estimate: () => 0 }))
    })
  )

  it.effect.each(wrongs)("of units keeps the estimate of a job whose count %s", ([, actual]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* miscounted({ actual }), yield* miscounted({}))
    })
  )

  it.effect("over all workers gives its next turn to whoever waits for it, not to whoever comes in that moment", () =>
    Effect.gen(function* () {
      const { handler, starts } = timed(60_000)
      const dispatcher = yield* make({
        limits: { requestsPerSecond: 10 },
        workers: ["a", "b"].map((name) => ({ name, concurrency: 9, handler }))
      })
      // Before the limit's own timer for that time: a tenth of a second, slower by a tenth at the start, and a little.
      yield* Effect.forkChild(Effect.delay(dispatcher.submit(9), 111))
      for (const job of [0, 1]) yield* Effect.forkChild(dispatcher.submit(job))
      yield* settle
      yield* TestClock.adjust(111)
      assert.deepStrictEqual(starts, [
        [0, 0],
        [1, 111]
      ])
      yield* TestClock.adjust(111)
      assert.deepStrictEqual(
        starts.map(([job]) => job),
        [0, 1, 9]
      )
    })
  )
})

describe("a queue", () => {
  it.effect("has a place for the next job however many were cancelled behind one that still waits", () =>
    Effect.gen(function* () {
      const gates = new Gates()
      const dispatcher = yield* make({
        workers: [{ name: "a", concurrency: 1, queueCapacity: 2, handler: gates.handler("a") }]
      })
      const submit = (job: number) => Effect.tap(Effect.forkChild(dispatcher.submit(job)), () => settle)
      const waiting = [yield* submit(0), yield* submit(1)]
      for (let job = 2; job < 50; job++) yield* Effect.flatMap(submit(job), Fiber.interrupt)
      waiting.push(yield* submit(50))
      for (const fiber of waiting) {
        yield* Effect.forEach([...gates.running], (run) => gates.succeed(run))
        yield* settle
        assert.isDefined(fiber.pollUnsafe())
      }
      assert.deepStrictEqual(
        gates.starts.map(({ job }) => job),
        [0, 1, 50]
      )
    })
  )
})
