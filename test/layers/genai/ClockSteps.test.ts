/** Nothing takes longer, or is over sooner, because somebody sets the wall clock. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger, Random } from "effect"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { QuotaExhausted } from "../../../src/domain/genai/GenAiError.ts"
import { monotonicMs } from "../../../src/layers/dispatch/Throttle.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { HealthFleet } from "../../../src/layers/genai/HealthFleet.ts"
import { RetryGate } from "../../../src/layers/genai/RetryGate.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { withSettableClock } from "../../support/SettableClock.ts"
import { pass } from "../dispatch/Gates.ts"
import { type Answer, FakeTransport, ok, status } from "./FakeTransport.ts"

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const STEP_MS = 50
const request = { messages: [{ role: "user" as const, content: "hi" }] }

const elapsed = Effect.map(Clock.Clock, monotonicMs)

/** The times of the sends of one request; the wall clock is set when the first has been answered, or, if told, before. */
const sendsOf = (setByMs: number, settings: DispatcherConfig, answer: (send: number) => Answer, setAfterMs: number) =>
  withSettableClock((set) =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const transport = new FakeTransport((_, send) =>
        Effect.flatMap(elapsed, (now) => {
          times.push(now)
          return answer(send)
        })
      )
      const context = yield* Layer.build(Layer.provide(layer(settings), transport.layer))
      const client = yield* Effect.provide(GenAiClient, context)
      // Dice that fall in the middle: waits are half of the longest.
      const dice = { nextDoubleUnsafe: () => 0.5, nextIntUnsafe: () => 0 }
      const call = yield* Effect.forkChild(
        Effect.result(client.generate(request)).pipe(Effect.provideService(Random.Random, dice))
      )
      yield* pass(setAfterMs)
      set(setByMs)
      yield* pass(10_000)
      const ended = call.pollUnsafe()
      const [stats] = yield* client.stats
      const got = ended?._tag === "Success" && ended.value._tag === "Success" ? ended.value.success : undefined
      yield* Fiber.interrupt(call)
      return {
        times,
        isAnswered: got !== undefined,
        tookMs: got?.latencyMs,
        waitedMs: stats!.wait.max,
        latencyMs: stats!.latency.max,
        state: stats!.state
      }
    })
  )

describe.each([
  ["back", -HOUR_MS],
  ["forward", HOUR_MS],
  ["not", 0]
])("while the wall clock is set %s", (_, setByMs) => {
  it.effect("an endpoint takes the pause that it asks for", () =>
    Effect.gen(function* () {
      const sends = yield* sendsOf(
        setByMs,
        config([endpoint({ name: "east" })], { retry: { baseMs: 10, factor: 1, capMs: 10 } }),
        (send) => (send === 1 ? status(429, { "retry-after": "1" }) : ok()),
        200
      )
      assert.deepStrictEqual(sends.times, [0, 1_000])
      assert.isTrue(sends.isAnswered)
      assert.strictEqual(sends.state, "up")
      assert.isAtMost(sends.waitedMs, 1_000)
    })
  )

  it.effect("one asks for a pause until a time of day", () =>
    Effect.gen(function* () {
      const at = new Date(2_000).toUTCString()
      const sends = yield* sendsOf(
        setByMs,
        config([endpoint({ name: "east" })], { retry: { baseMs: 10, factor: 1, capMs: 10 } }),
        (send) => (send === 1 ? status(429, { "retry-after": at }) : ok()),
        200
      )
      assert.deepStrictEqual(sends.times, [0, 2_000])
    })
  )

  it.effect("a breaker is open for as long as it is set to be", () =>
    Effect.gen(function* () {
      const breaker = { failures: 1, windowMs: 30_000, openMs: 5_000 }
      const sends = yield* sendsOf(
        setByMs,
        config([endpoint({ name: "east", breaker })], { retry: { baseMs: 10, factor: 1, capMs: 10 } }),
        (send) => (send === 1 ? status(500) : ok()),
        200
      )
      assert.deepStrictEqual(sends.times, [0, 5_000])
      assert.isTrue(sends.isAnswered)
    })
  )

  it.effect("a request that has time left is tried again, after its wait", () =>
    Effect.gen(function* () {
      const sends = yield* sendsOf(
        setByMs,
        config([endpoint({ name: "east" })], {
          deadlineMs: 10 * MINUTE_MS,
          retry: { baseMs: 4_000, factor: 1, capMs: 4_000 }
        }),
        (send) => (send < 3 ? Effect.delay(status(500), 500) : Effect.delay(ok(), 100)),
        200
      )
      // Half a second until the answer, and two of the wait.
      assert.deepStrictEqual(sends.times, [0, 2_500, 5_000])
      assert.isTrue(sends.isAnswered)
      assert.isAtMost(sends.waitedMs, STEP_MS)
      assert.approximately(sends.latencyMs, 100, STEP_MS)
      assert.approximately(sends.tookMs ?? Number.NaN, 5_100, STEP_MS)
    })
  )

  it.effect("the budget for retries fills up", () =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const retryBudget = { ratio: 0, minPerSecond: 1 }
        const gate = new RetryGate(config([endpoint({ name: "east" })], { retryBudget }), yield* Clock.Clock)
        for (let burst = 0; burst < 256; burst++) yield* gate.retry
        const times: Array<number> = []
        const more = Effect.andThen(
          gate.retry,
          Effect.map(elapsed, (now) => times.push(now))
        )
        yield* Effect.forkChild(Effect.all([more, more, more]))
        yield* pass(200)
        set(setByMs)
        yield* pass(3_000)
        assert.lengthOf(times, 3)
        for (const [index, time] of times.entries()) assert.approximately(time, (index + 1) * 1_000, 2)
      })
    )
  )

  it.effect("an endpoint is disabled until its midnight, and said to be until that time of day", () =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const midnightInMs = 2 * HOUR_MS
        yield* TestClock.setTime(Date.parse("2026-01-05T06:00:00Z"))
        const said: Array<string> = []
        const logger = Logger.make(({ message }) => void said.push(String(message)))
        const fleet = new HealthFleet(config([endpoint({ name: "east" })]), yield* Clock.Clock)
        const monitor = fleet.monitors[0]!
        const control = { setConcurrency: () => Effect.void, setLimits: () => Effect.void, setOpen: () => Effect.void }
        const watch = Effect.provide(monitor.watch(control), Logger.layer([logger]))
        yield* Effect.forkScoped(watch, { startImmediately: true })
        yield* pass(MINUTE_MS, MINUTE_MS)
        const reason = new QuotaExhausted({ status: 429, period: "day" })
        monitor.failed(monitor.sent(), { reason, message: "spent" }, fleet.time.now())
        yield* pass(MINUTE_MS, MINUTE_MS)
        assert.lengthOf(said, 1)
        assert.include(said[0], "until 2026-01-05T08:00:00.000Z")
        set(setByMs)
        assert.strictEqual(monitor.opensInMs, midnightInMs - 2 * MINUTE_MS)
        yield* pass(midnightInMs - 3 * MINUTE_MS, MINUTE_MS)
        assert.strictEqual(monitor.state, "disabled")
        yield* pass(MINUTE_MS, MINUTE_MS)
        assert.strictEqual(monitor.state, "up")
      })
    )
  )
})
