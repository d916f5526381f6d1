import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { pass, settle } from "../dispatch/Gates.ts"
import { type Answer, after, describeBothWays, FakeTransport, ok, status, withClient } from "./FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }
const east = endpoint({ name: "east" })
const west = endpoint({ name: "west" })
const quick = { baseMs: 1, factor: 1, capMs: 1 }

/** A transport that also notes when each send was. */
const timed = (answer: (endpoint: string, send: number) => Answer) => {
  const times: Array<number> = []
  const transport = new FakeTransport((name, send) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      times.push(now)
      return answer(name, send)
    })
  )
  return { transport, times }
}

const ask = (client: GenAiClient["Service"], count: number) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.result(client.generate(request)), {
    concurrency: "unbounded"
  })

const states = (client: GenAiClient["Service"]) => Effect.map(client.stats, (all) => all.map(({ state }) => state))

describeBothWays("an endpoint that asks for a pause", () => {
  it.effect("gets it from all requests, and its work goes to the others meanwhile", () => {
    const transport = new FakeTransport((name, send) =>
      name === "east" && send <= 2 ? status(429, { "retry-after": "30" }) : ok()
    )
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const first = yield* Effect.forkChild(ask(client, 2))
        yield* pass(1_000)
        yield* Fiber.join(first)
        assert.deepStrictEqual(yield* states(client), ["cooling", "up"])
        const before = transport.sent.length
        for (let count = 0; count < 10; count++) yield* client.generate(request)
        assert.isTrue(transport.sent.slice(before).every((name) => name === "west"))
        yield* pass(30_000, 1_000)
        assert.deepStrictEqual(yield* states(client), ["up", "up"])
        yield* client.generate(request)
        yield* client.generate(request)
        assert.include(transport.sent.slice(-2), "east")
      })
    )
  })

  it.effect("is waited for when there is no other: nothing is sent before its time", () => {
    const { transport, times } = timed((_, send) => (send === 1 ? status(429, { "retry-after-ms": "3000" }) : ok()))
    return withClient(
      config([east], { retry: quick }),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(client.generate(request))
        yield* settle
        const more = yield* Effect.forkChild(ask(client, 20))
        yield* pass(2_950)
        assert.strictEqual(times.length, 1)
        yield* pass(100)
        yield* Fiber.join(run)
        assert.isTrue((yield* Fiber.join(more)).every((result) => result._tag === "Success"))
        assert.isAtLeast(times[1]! - times[0]!, 3_000)
      })
    )
  })

  it.effect("is understood when it says so with its last good answer: nothing is left until the reset", () => {
    const spent = { "x-ratelimit-limit-requests": "2", "x-ratelimit-remaining-requests": "0" }
    const { transport, times } = timed((_, send) =>
      Effect.map(ok(), (answer) => ({
        ...answer,
        headers: send === 2 ? { ...spent, "x-ratelimit-reset-requests": "1m30s" } : {}
      }))
    )
    return withClient(
      config([east]),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* client.generate(request)
        yield* client.generate(request)
        const third = yield* Effect.forkChild(client.generate(request))
        yield* pass(91_000, 1_000)
        yield* Fiber.join(third)
        assert.isAtLeast(times[2]! - times[1]!, 90_000)
      })
    )
  })

  it.effect.each([
    ["the limit per minute that it tells", () => "60", 1, 1_000],
    ["the lowest limit that it tells, as with several models", (send: number) => (send % 2 ? "60" : "66"), 1, 1_000],
    ["this process's share of the limit that it tells", () => "240", 4, 1_000]
  ] as const)("is not sent to faster than %s", ([, limitOf, processes, intervalMs]) => {
    const { transport, times } = timed((_, send) =>
      Effect.map(ok(), (answer) => {
        const limit = limitOf(send)
        const left = String(Math.floor(Number(limit) / 2))
        const headers = {
          "x-ratelimit-limit-requests": limit,
          "x-ratelimit-remaining-requests": left,
          "x-ratelimit-reset-requests": "30s"
        }
        return { ...answer, headers }
      })
    )
    return withClient(
      config([east], { processes }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* client.generate(request)
        yield* settle
        const run = yield* Effect.forkChild(ask(client, 10))
        yield* pass(12_000, 100)
        yield* Fiber.join(run)
        assert.isAtLeast(times.at(-1)! - times[1]!, 8.9 * intervalMs)
      })
    )
  })
})

describeBothWays("an endpoint that fails again and again", () => {
  const breaker = { failures: 3, windowMs: 30_000, openMs: 5_000 }
  const only = endpoint({ name: "east", breaker, concurrency: 8 })

  it.effect("rests, gets one probe at a time, and comes back when it is answered", () => {
    let isDead = true
    const { transport, times } = timed(() =>
      after(
        100,
        Effect.suspend(() => (isDead ? status(500) : ok()))
      )
    )
    return withClient(
      config([only], { maxAttempts: 50, retry: quick }),
      transport,
      Effect.fnUntraced(function* (client) {
        const start = yield* Clock.currentTimeMillis
        const run = yield* Effect.forkChild(ask(client, 40))
        yield* pass(1_000)
        assert.deepStrictEqual(yield* states(client), ["open"])
        const wasted = times.length
        assert.isAtMost(wasted, 8 + 3)
        yield* pass(15_000)
        assert.strictEqual(times.length - wasted, 3, "one probe every 5.1 seconds")
        isDead = false
        yield* pass(6_000)
        const results = yield* Fiber.join(run)
        assert.isTrue(results.every((result) => result._tag === "Success"))
        assert.deepStrictEqual(yield* states(client), ["up"])
        const back = times.filter((time) => time > start + 16_000)
        const together = [...new Set(back)].map((time) => back.filter((other) => other === time).length)
        assert.deepStrictEqual(together.slice(0, 3), [1, 2, 4], "slowly at first")
      })
    )
  })

  it.effect("gets another probe when the first is given up by its caller", () => {
    const transport = new FakeTransport((_, send) => (send <= 3 ? status(500) : send === 4 ? Effect.never : ok()))
    return withClient(
      config([only], { maxAttempts: 1 }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* ask(client, 3)
        const probe = yield* Effect.forkChild(client.generate(request))
        yield* pass(6_000, 500)
        assert.strictEqual(transport.sent.length, 4, "the probe hangs")
        const next = yield* Effect.forkChild(client.generate(request))
        yield* pass(6_000, 500)
        assert.strictEqual(transport.sent.length, 4, "and keeps all others away")
        yield* Fiber.interrupt(probe)
        yield* pass(1_000, 500)
        assert.strictEqual((yield* Fiber.join(next)).attempts, 1)
      })
    )
  })

  it.effect("is never blamed for what is wrong with the requests", () => {
    const codes = [400, 404, 413, 422]
    const transport = new FakeTransport((_, send) => status(codes[send % 4]!))
    return withClient(
      config([only]),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* ask(client, 40)
        assert.strictEqual(transport.sent.length, 40)
        assert.deepStrictEqual(yield* states(client), ["up"])
      })
    )
  })

  it.effect("is not disabled by a refusal of a model that one request alone asked for", () => {
    const transport = new FakeTransport((_, send) => (send === 1 ? status(403) : ok()))
    return withClient(
      config([only]),
      transport,
      Effect.fnUntraced(function* (client) {
        const error = yield* Effect.flip(client.generate({ ...request, model: "forbidden" }))
        assert.strictEqual(error.reason._tag, "Unauthorized")
        yield* client.generate(request)
        assert.deepStrictEqual(yield* states(client), ["up"])
      })
    )
  })
})

describeBothWays("adaptive concurrency", () => {
  it.effect("finds what an endpoint without hints bears", () => {
    let inflight = 0
    let refused = 0
    const transport = new FakeTransport(() =>
      Effect.suspend(() => {
        if (inflight >= 20) {
          refused++
          return status(429)
        }
        inflight++
        return Effect.ensuring(
          after(100, ok()),
          Effect.sync(() => inflight--)
        )
      })
    )
    return withClient(
      config([endpoint({ name: "east", adaptiveConcurrency: true, concurrency: 256 })], {
        maxAttempts: 20,
        retry: quick
      }),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(ask(client, 2_000))
        yield* pass(20_000, 100)
        const results = yield* Fiber.join(run)
        assert.isTrue(results.every((result) => result._tag === "Success"))
        assert.isBelow(refused, 200, "a tenth of the requests at most")
      })
    )
  })
})

describeBothWays("the retry budget", () => {
  it.effect("lets retries wait instead of making a storm, and fails none of them for it", () => {
    const { transport, times } = timed((_, send) => (send <= 300 ? status(500) : ok()))
    const steady = endpoint({ name: "east", breaker: { failures: 10_000, windowMs: 1, openMs: 1 }, concurrency: 150 })
    return withClient(
      // No request has so many failures: which of them a failure meets is chance.
      config([steady], { maxAttempts: 200, retry: quick, retryBudget: { ratio: 0, minPerSecond: 10 } }),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(ask(client, 200))
        yield* pass(2_000)
        assert.isAtMost(times.length, 200 + 150 + 10 * 2 + 1, "the burst, and ten a second")
        yield* pass(40_000, 500)
        assert.isTrue((yield* Fiber.join(run)).every((result) => result._tag === "Success"))
      })
    )
  })

  it.effect("does not stop the way from a dead key to a living one", () => {
    const transport = new FakeTransport((name) => (name === "east" ? status(401) : ok()))
    const small = (name: string) => endpoint({ name, concurrency: 200 })
    return withClient(
      config([small("east"), small("west")], { retryBudget: { ratio: 0, minPerSecond: 0 } }),
      transport,
      Effect.fnUntraced(function* (client) {
        const results = yield* ask(client, 900)
        assert.isTrue(results.every((result) => result._tag === "Success"))
      })
    )
  })
})

describeBothWays("hedging", () => {
  const hedge = { afterQuantile: 0.95, maxExtra: 0.05 }

  it.effect("sends a slow request a second time elsewhere and aborts the loser, within its budget", () => {
    let slow = 0
    const transport = new FakeTransport((name, send) => {
      const isSlow = name === "east" && send > 400 && send % 101 < 2
      if (isSlow) slow++
      return after(isSlow ? 60_000 : 100, ok())
    })
    return withClient(
      config([east, west], { hedge, policy: "weighted" }),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 1_000 }), () => client.generate(request), { concurrency: 10 })
        )
        yield* pass(20_000, 50)
        const answers = yield* Fiber.join(run)
        assert.isAbove(slow, 0)
        assert.isTrue(answers.every((answer) => answer.latencyMs < 1_000))
        const stats = yield* client.stats
        assert.strictEqual(stats[0]!.aborted, slow)
        assert.isAtMost(transport.sent.length, 1_050)
      })
    )
  })

  it.effect("stays within its budget when everything becomes slow", () => {
    const transport = new FakeTransport((_, send) => after(send > 400 ? 2_000 : 100, ok()))
    return withClient(
      config([east, west], { hedge }),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 1_000 }), () => client.generate(request), { concurrency: 50 })
        )
        yield* pass(40_000, 100)
        yield* Fiber.join(run)
        assert.isAbove(transport.sent.length, 1_000)
        assert.isAtMost(transport.sent.length, 1_050)
      })
    )
  })

  it.effect("leaves a failed request to no second send that still waits for its turn", () => {
    let failures = 0
    const transport = new FakeTransport((name, _, { body }) => {
      if (body.includes("without end")) return after(600_000, ok())
      if (body.includes("fails once") && failures++ === 0) return after(5_000, status(500))
      return after(100, ok(name))
    })
    const narrow = endpoint({ name: "west", priority: 1, concurrency: 1, queueCapacity: 0 })
    return withClient(
      config([east, narrow], { hedge: { ...hedge, maxExtra: 1 }, retry: quick }),
      transport,
      Effect.fnUntraced(function* (client) {
        const say = (content: string) => client.generate({ messages: [{ role: "user", content }] })
        const warm = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 100 }), () => say("hi"), { concurrency: 4 })
        )
        yield* pass(4_000)
        yield* Fiber.join(warm)
        // It takes the only place of west, for long.
        yield* Effect.forkChild(say("without end"))
        yield* pass(1_000)
        const run = yield* Effect.forkChild(say("fails once"))
        yield* pass(6_000)
        assert.strictEqual((yield* Fiber.join(run)).text, "east")
      })
    )
  })

  it.effect("does not happen unless it is asked for", () => {
    const transport = new FakeTransport((_, send) => after(send > 100 ? 5_000 : 10, ok()))
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const run = yield* Effect.forkChild(ask(client, 110))
        yield* pass(6_000, 500)
        yield* Fiber.join(run)
        assert.strictEqual(transport.sent.length, 110)
      })
    )
  })
})

describeBothWays("a quota per day that is used up", () => {
  const spent = status(
    429,
    {},
    {
      code: 429,
      status: "RESOURCE_EXHAUSTED",
      message: "You exceeded your current quota.",
      details: [
        {
          "@type": "type.googleapis.com/google.rpc.QuotaFailure",
          violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel" }]
        }
      ]
    }
  )
  const answer = Effect.succeed({
    status: 200,
    headers: {},
    body: JSON.stringify({ candidates: [{ content: { parts: [{ text: "hello" }] }, finishReason: "STOP" }] })
  })
  const gemini = endpoint({
    name: "gemini",
    kind: "gemini",
    baseUrl: new URL("http://gemini.test/v1beta"),
    limits: { requestsPerSecond: 1 }
  })

  it.effect("fails requests at once until the provider's next day, then they are served as before", () => {
    const { transport, times } = timed((_, send) => (send === 1 ? spent : answer))
    return withClient(
      config([gemini]),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* TestClock.setTime(Date.parse("2026-01-05T06:00:00Z"))
        const waiting = yield* Effect.forkChild(ask(client, 30))
        yield* pass(100)
        for (const result of yield* Fiber.join(waiting)) {
          if (result._tag === "Success") assert.fail("there is no quota")
          else assert.deepInclude(result.failure.reason, { _tag: "QuotaExhausted", period: "day" })
        }
        assert.strictEqual((yield* Effect.flip(client.generate(request))).attempts, 0)
        assert.strictEqual(times.length, 1)
        yield* pass(2 * 3_600_000, 600_000)
        assert.deepStrictEqual(yield* states(client), ["up"])
        const served = yield* Effect.forkChild(ask(client, 3))
        yield* pass(5_000, 100)
        assert.isTrue((yield* Fiber.join(served)).every((result) => result._tag === "Success"))
        assert.isAtLeast(times[3]! - times[1]!, 2_000, "with its limits")
      })
    )
  })
})
