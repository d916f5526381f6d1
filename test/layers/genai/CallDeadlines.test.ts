import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { type CallDeadline, CallDeadlines, unstarted } from "../../../src/layers/genai/CallDeadlines.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const started = Effect.gen(function* () {
  const deadlines = new CallDeadlines(yield* Clock.Clock)
  yield* Effect.forkScoped(deadlines.watch, { startImmediately: true })
  return deadlines
})

const deadlineAt = (expiresAt: number, onPassed: () => void): CallDeadline => ({ ...unstarted, expiresAt, onPassed })

const Calls = Schema.Array(
  Schema.Struct({ afterMs: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 })), stops: Schema.Boolean })
).check(Schema.isMaxLength(40))

const asItIs = <A, E>(exit: Exit.Exit<A, E>) => exit

describe("the deadlines of calls", () => {
  it.effect.prop(
    "pass in the order of their times, at the first moment that is not before them, unless they are stopped",
    { calls: Calls },
    ({ calls }) =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const deadlines = yield* started
        const now = clock.currentTimeMillisUnsafe()
        const passed: Array<readonly [atMs: number, passedMs: number]> = []
        const all = calls.map(({ afterMs, stops }) => {
          const at = now + afterMs
          const deadline = deadlineAt(at, () => passed.push([at, clock.currentTimeMillisUnsafe()]))
          deadlines.start(deadline)
          return { deadline, stops, at }
        })
        for (const { deadline, stops } of all) if (stops) deadlines.stop(deadline)
        yield* TestClock.adjust(61)
        const expected = all.flatMap(({ at, stops }) => (stops ? [] : [at])).sort((a, b) => a - b)
        assert.deepStrictEqual(
          passed,
          expected.map((at) => [at, at] as const)
        )
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 50, ...listsUpTo(40) } }
  )

  it.effect("go by the monotonic clock: setting the wall clock forward interrupts nobody", () =>
    Effect.gen(function* () {
      const testClock = yield* Clock.Clock
      let stepMs = 0
      const clock: Clock.Clock = {
        ...testClock,
        sleep: (duration) => testClock.sleep(duration),
        monotonicTimeNanosUnsafe: () => testClock.monotonicTimeNanosUnsafe(),
        currentTimeMillisUnsafe: () => testClock.currentTimeMillisUnsafe() + stepMs
      }
      const deadlines = new CallDeadlines(clock)
      yield* Effect.forkScoped(deadlines.watch, { startImmediately: true })
      const passed: Array<string> = []
      deadlines.start(deadlineAt(600_000, () => passed.push("late")))
      yield* TestClock.adjust("1 second")
      stepMs = 3_600_000
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(passed, [])
      yield* TestClock.adjust("9 minutes")
      assert.deepStrictEqual(passed, ["late"])
    })
  )

  it.effect("are kept although an earlier one makes the watch look sooner than it meant to", () =>
    Effect.gen(function* () {
      const deadlines = yield* started
      const passed: Array<string> = []
      const now = yield* Clock.currentTimeMillis
      deadlines.start(deadlineAt(now + 60_000, () => passed.push("late")))
      yield* TestClock.adjust(5)
      deadlines.start(deadlineAt(now + 10, () => passed.push("soon")))
      yield* TestClock.adjust(5)
      assert.deepStrictEqual(passed, ["soon"])
      yield* TestClock.adjust(60_000)
      assert.deepStrictEqual(passed, ["soon", "late"])
    })
  )

  it.effect("interrupt a call that takes too long, and settle it once, when it has ended", () =>
    Effect.gen(function* () {
      const deadlines = yield* started
      const settled: Array<boolean> = []
      let cleaned = false
      const call = Effect.onInterrupt(Effect.never, () => Effect.sync(() => (cleaned = true)))
      const now = yield* Clock.currentTimeMillis
      const fiber = yield* Effect.forkChild(
        deadlines.within(call, now + 100, (_, isLate) => {
          settled.push(cleaned && isLate)
          return Exit.succeed("late")
        }),
        { startImmediately: true }
      )
      yield* TestClock.adjust(99)
      assert.deepStrictEqual(settled, [])
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "late")
      assert.deepStrictEqual(settled, [true])
    })
  )

  it.effect("leave a call alone that ends in time, now or later", () =>
    Effect.gen(function* () {
      const deadlines = yield* started
      const answer = yield* Deferred.make<number>()
      assert.strictEqual(yield* deadlines.within(Effect.succeed(1), 1_000, asItIs), 1)
      const fiber = yield* Effect.forkChild(deadlines.within(Deferred.await(answer), 1_000, asItIs), {
        startImmediately: true
      })
      yield* TestClock.adjust(999)
      yield* Deferred.succeed(answer, 2)
      assert.strictEqual(yield* Fiber.join(fiber), 2)
    })
  )

  it.effect("end a call with its caller, and wait for its end", () =>
    Effect.gen(function* () {
      const deadlines = yield* started
      const steps: Array<string> = []
      const call = Effect.onInterrupt(Effect.never, () => Effect.sync(() => steps.push("call ended")))
      const fiber = yield* Effect.forkChild(
        deadlines.within(call, Number.POSITIVE_INFINITY, (exit) => {
          steps.push("settled")
          return exit
        }),
        { startImmediately: true }
      )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(steps, ["call ended", "settled"])
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
    })
  )
})
