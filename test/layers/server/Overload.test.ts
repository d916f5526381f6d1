import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { EndpointStats } from "../../../src/domain/genai/EndpointStats.ts"
import { GenAiError, Rejected } from "../../../src/domain/genai/GenAiError.ts"
import { Histogram } from "../../../src/domain/genai/Histogram.ts"
import * as Overload from "../../../src/layers/server/Overload.ts"
import { ask, fakeClient, serve, start } from "./harness.ts"

describe("a service that is full", () => {
  it.live("says so at once, with a time to come again, and serves again when there is room", () =>
    Effect.gen(function* () {
      const { chat, client, sandbox, until } = yield* start(
        { latency: "fixed:60s" },
        { endpoint: { concurrency: 2, queueCapacity: 3 } }
      )
      const waiting = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.forkChild(chat(ask("Hello"))))
      yield* until(client.stats, ([stats]) => stats?.inflight === 2 && stats.queueLen === 3)
      for (const stream of [false, true]) {
        const refused = yield* chat(ask("Hello", { stream }))
        assert.strictEqual(refused.status, 503)
        const seconds = Number(refused.headers["retry-after"])
        assert.isAtLeast(seconds, 1)
        assert.isAtMost(seconds, 60)
      }
      yield* Fiber.interruptAll(waiting)
      yield* until(sandbox.stats, (stats) => stats.inflight === 0)
      const [stats] = yield* client.stats
      assert.deepInclude(stats, { inflight: 0, queueLen: 0 })
    })
  )

  it.live("is not one whose endpoints ask to wait: what fits into their queues waits with them", () =>
    Effect.gen(function* () {
      const { chat, client, sandbox } = yield* start(
        { failures: "429-retry-after=0.4", retryAfter: "100ms" },
        { endpoint: { queueCapacity: 100 }, dispatcher: { maxAttempts: 50 } }
      )
      const answers = yield* Effect.forEach(Array.from({ length: 40 }), () => chat(ask("Hello")), { concurrency: 4 })
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
      assert.isAbove((yield* sandbox.stats).answered["429"] ?? 0, 0)
      assert.deepInclude((yield* client.stats)[0], { inflight: 0, queueLen: 0 })
    })
  )

  it.live("is one whose endpoints are closed with as many waiting as their queues hold", () =>
    Effect.gen(function* () {
      const { chat, service, until } = yield* start(
        { failures: "429-retry-after=1", retryAfter: "60s" },
        { endpoint: { queueCapacity: 2 }, dispatcher: { maxAttempts: 1 } }
      )
      assert.strictEqual((yield* chat(ask("Hello"))).status, 429)
      const another = Effect.forkChild(chat(ask("Hello")), { startImmediately: true })
      const waiting = [yield* another, yield* another]
      yield* until(service.inflight, (inflight) => inflight === 2)
      const refused = yield* chat(ask("Hello"))
      assert.strictEqual(refused.status, 503)
      // Not before the endpoint takes requests, which it said will be in a minute.
      assert.isAbove(Number(refused.headers["retry-after"]), 10)
      yield* Fiber.interruptAll(waiting)
    })
  )

  it.live("a defect is told without a word of what it is about, and the service goes on", () =>
    Effect.gen(function* () {
      const generate = () => Effect.die(new Error("SECRET prompt"))
      const { chat, records, service } = yield* serve(fakeClient({ generate }))
      for (let round = 0; round < 2; round++) {
        const answer = yield* chat(ask("SECRET prompt"))
        assert.strictEqual(answer.status, 500)
        assert.notInclude(answer.body, "SECRET")
        assert.include(answer.body, records[round]!.id)
      }
      assert.strictEqual(yield* service.inflight, 0)
    })
  )
})

describe("the time until there is room", () => {
  const endpoint = (
    name: string,
    queueLen: number,
    sent: number,
    inflight = 0,
    latencies: ReadonlyArray<number> = []
  ) => {
    const latency = new Histogram()
    for (const millis of latencies) latency.record(millis)
    return { name, queueLen, sent, inflight, latency } as unknown as EndpointStats
  }
  const none: ReadonlySet<string> = new Set()

  it("is the time in which the queue is worked off at the recent rate", () => {
    const progress = { earlier: [endpoint("a", 0, 100)], now: [endpoint("a", 300, 200)], elapsedMs: 10_000 }
    assert.strictEqual(Overload.retryAfterMs(progress, none), 30_000)
  })

  it("counts only endpoints that the request may go to", () => {
    const progress = {
      earlier: [endpoint("a", 0, 0), endpoint("b", 0, 0)],
      now: [endpoint("a", 10_000, 10), endpoint("b", 20, 100)],
      elapsedMs: 10_000
    }
    assert.strictEqual(Overload.retryAfterMs(progress, new Set(["a"])), 2_000)
  })

  it("is between one second and a minute, and a minute when nothing moves", () => {
    const of = (queueLen: number, completed: number, elapsedMs = 10_000) =>
      Overload.retryAfterMs(
        { earlier: [endpoint("a", 0, 0)], now: [endpoint("a", queueLen, completed)], elapsedMs },
        none
      )
    assert.strictEqual(of(1, 100_000), 1_000)
    assert.strictEqual(of(100_000, 1), 60_000)
    assert.strictEqual(of(100, 0), 60_000)
    assert.strictEqual(of(100, 0, 3_000), 3_000)
  })

  it("is not before an endpoint takes requests at all, however long that is", () => {
    const of = (opening: ReadonlyArray<number | undefined>, exclude = none) => {
      const now = opening.map((opensInMs, at): EndpointStats => {
        const stats = endpoint(`e${at}`, 10, 100)
        return opensInMs === undefined ? stats : { ...stats, state: "cooling", opensInMs }
      })
      const earlier = opening.map((_, at) => endpoint(`e${at}`, 0, 0))
      return Overload.retryAfterMs({ earlier, now, elapsedMs: 10_000 }, exclude)
    }
    assert.strictEqual(of([300_000, 120_000]), 120_000)
    assert.strictEqual(of([300_000, 120_000], new Set(["e1"])), 300_000)
    assert.strictEqual(of([300_000, undefined]), 1_000)
    assert.strictEqual(of([100]), 1_000)
  })

  it("is what answers have taken so far, for each filling of the slots, before any has come", () => {
    const of = (queueLen: number, inflight: number, elapsedMs: number) =>
      Overload.retryAfterMs(
        {
          earlier: [endpoint("a", 0, 2)],
          now: [endpoint("a", queueLen, 2 + inflight, inflight, [3_000, 5_000])],
          elapsedMs
        },
        none
      )
    assert.strictEqual(of(100, 50, 10), 8_000)
    assert.strictEqual(of(101, 50, 10), 12_000)
    assert.strictEqual(of(10, 50, 10), 4_000)
    assert.strictEqual(of(10, 50, 9_000), 9_000)
    assert.strictEqual(of(100, 0, 10), 1_000)
  })

  it.effect("does not count the time in which there was nothing to do", () =>
    Effect.gen(function* () {
      let now: EndpointStats = endpoint("a", 0, 0)
      const client = fakeClient({ stats: Effect.sync(() => [now]) })
      const overload = yield* Overload.make(client)
      yield* TestClock.adjust("20 seconds")
      now = endpoint("a", 100, 50, 50)
      const full = new GenAiError({ message: "full", reason: new Rejected({ cause: "QueueFull" }), attempts: 0 })
      assert.strictEqual((yield* overload.problemOf(full, none)).retryAfterMs, 1_000)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* overload.problemOf(full, none)).retryAfterMs, 5_000)
    })
  )
})
