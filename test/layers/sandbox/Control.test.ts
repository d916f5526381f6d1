import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { errorOf, start } from "./harness.ts"

const order = (value: unknown) => ({ method: "POST", body: JSON.stringify(value) }) as const

describe("control", () => {
  it.live("refuse: 503 at once, until it is up again", () =>
    Effect.gen(function* () {
      const { call, send } = yield* start()
      assert.strictEqual((yield* send("/control")).body, '{"mode":"up"}')
      const answer = yield* send("/control", order({ mode: "refuse" }))
      assert.deepStrictEqual([answer.status, answer.body], [200, '{"mode":"refuse"}'])
      assert.strictEqual((yield* call("x")).status, 503)
      assert.strictEqual((yield* send("/health")).status, 200)
      yield* send("/control", order({ mode: "up" }))
      assert.strictEqual((yield* call("x")).status, 200)
    })
  )

  it.live("429: refused as by a rate limit, with the hint or without", () =>
    Effect.gen(function* () {
      const { call, sandbox } = yield* start()
      yield* sandbox.control({ mode: "429", retryAfter: "3s" })
      const hinted = yield* call("x")
      assert.deepStrictEqual([hinted.status, hinted.headers["retry-after"]], [429, "3"])
      assert.strictEqual(errorOf(hinted).code, "rate_limit_exceeded")
      yield* sandbox.control({ mode: "429" })
      const unhinted = yield* call("x")
      assert.deepStrictEqual([unhinted.status, unhinted.headers["retry-after"]], [429, undefined])
      const stats = yield* sandbox.stats
      assert.deepStrictEqual([stats.answered, stats.rateLimited, stats.faults], [{ 429: 2 }, 0, {}])
    })
  )

  it.live("hang: never answered, not even when it is up again", () =>
    Effect.gen(function* () {
      const { call, sandbox, statsWhen } = yield* start()
      yield* sandbox.control({ mode: "hang" })
      const waiting = yield* Effect.forkChild(call("x"), { startImmediately: true })
      yield* statsWhen((stats) => stats.inflight === 1)
      yield* sandbox.control({ mode: "up" })
      assert.strictEqual((yield* call("y")).status, 200)
      assert.strictEqual((yield* sandbox.stats).inflight, 1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* statsWhen((stats) => stats.inflight === 0)).aborted, 1)
    })
  )

  it.live("lets what is under way end as it would have", () =>
    Effect.gen(function* () {
      const { call, sandbox, statsWhen } = yield* start({ latency: "fixed:100ms" })
      const waiting = yield* Effect.forkChild(call("x"), { startImmediately: true })
      yield* statsWhen((stats) => stats.inflight === 1)
      yield* sandbox.control({ mode: "refuse" })
      assert.strictEqual((yield* call("y")).status, 503)
      assert.strictEqual((yield* Fiber.join(waiting)).status, 200)
    })
  )

  it.live("is up again when the time is over; the last order counts", () =>
    Effect.gen(function* () {
      const { call, sandbox } = yield* start()
      yield* sandbox.control({ mode: "hang", for: "1h" })
      yield* sandbox.control({ mode: "refuse", for: "50ms" })
      const statuses = yield* call("x").pipe(
        Effect.map((answer) => answer.status),
        Effect.repeat({ until: (status) => status === 200, schedule: Schedule.spaced("5 millis") })
      )
      assert.strictEqual(statuses, 200)
      assert.isAbove((yield* sandbox.stats).answered["503"] ?? 0, 0)
    })
  )

  it.live("dead: resets every connection, and every new one at once, until the time is over", () =>
    Effect.gen(function* () {
      const { call, sandbox, send, statsWhen } = yield* start({ latency: "fixed:1h" })
      const waiting = yield* Effect.forEach([1, 2, 3], () =>
        Effect.forkChild(Effect.flip(call("x")), { startImmediately: true })
      )
      yield* statsWhen((stats) => stats.inflight === 3)
      yield* sandbox.control({ mode: "dead" })
      const errors = yield* Effect.forEach(waiting, Fiber.join)
      assert.deepStrictEqual(
        errors.map((error) => error.code),
        ["ECONNRESET", "ECONNRESET", "ECONNRESET"]
      )
      assert.isDefined((yield* Effect.flip(send("/health"))).code)
      const stats = yield* sandbox.stats
      assert.deepStrictEqual([stats.received, stats.cut, stats.inflight, stats.aborted], [3, 3, 0, 0])
      yield* sandbox.control({ mode: "dead", for: "50ms" })
      yield* send("/health").pipe(Effect.retry(Schedule.spaced("5 millis")))
      assert.strictEqual((yield* send("/control")).body, '{"mode":"up"}')
    })
  )

  it.live("dead over HTTP: the order itself is answered", () =>
    Effect.gen(function* () {
      const { sandbox, send } = yield* start()
      const answer = yield* send("/control", order({ mode: "dead" }))
      assert.deepStrictEqual([answer.status, answer.body], [200, '{"mode":"dead"}'])
      assert.isDefined((yield* Effect.flip(send("/health"))).code)
      yield* sandbox.control({ mode: "up" })
      assert.strictEqual((yield* send("/health")).status, 200)
    })
  )

  it.live("says what is wrong with an order, and does not follow it", () =>
    Effect.gen(function* () {
      const { sandbox, send } = yield* start()
      for (const wrong of [{ mode: "down" }, { mode: "hang", for: 10 }, {}, null]) {
        const answer = yield* send("/control", order(wrong))
        assert.strictEqual(answer.status, 400)
        assert.isNotEmpty(JSON.parse(answer.body).error)
      }
      assert.strictEqual((yield* send("/control", { method: "POST", body: "{" })).status, 400)
      assert.strictEqual((yield* send("/control", { method: "PUT" })).status, 405)
      assert.strictEqual((yield* Effect.flip(sandbox.control({ mode: "up", for: "soon" }))).reason, "InvalidOption")
      assert.strictEqual((yield* send("/control")).body, '{"mode":"up"}')
    })
  )
})
