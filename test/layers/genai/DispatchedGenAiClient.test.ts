import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Redacted } from "effect"
import { TestClock } from "effect/testing"
import type { GenAiError } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { TransportError } from "../../../src/services/Transport.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok, status, withClient } from "./FakeTransport.ts"

const east = endpoint({ name: "east" })
const west = endpoint({ name: "west" })
const request = { messages: [{ role: "user" as const, content: "hi" }] }

/** Runs an effect while the clock goes on by itself, a second at a time, at most ten minutes. */
const inTime = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(effect)
  for (let second = 0; second < 660 && fiber.pollUnsafe() === undefined; second++) {
    yield* settle
    yield* TestClock.adjust("1 second")
  }
  return yield* Fiber.join(fiber)
})

const failureOf = (client: GenAiClient["Service"]): Effect.Effect<GenAiError> =>
  Effect.orDie(inTime(Effect.flip(client.generate(request))))

describeBothWays("generate", () => {
  it.effect("answers with text, usage, endpoint, attempts", () =>
    withClient(
      config([east]),
      new FakeTransport(() => ok()),
      Effect.fnUntraced(function* (client) {
        assert.deepStrictEqual(yield* client.generate(request), {
          text: "hello",
          finishReason: "stop",
          model: "test-model-1",
          usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10 },
          endpoint: "east",
          attempts: 1,
          latencyMs: 0
        })
      })
    )
  )

  it.effect("keeps the endpoint's own words when asked: parsed, or as their text without its byte order mark", () => {
    const body = ` { "choices": [ { "message": { "content": "h\\u0069" } } ], "n": 1.50 }\n`
    return withClient(
      config([east]),
      new FakeTransport(() => Effect.succeed({ status: 200, headers: {}, body: `\ufeff${body}` })),
      Effect.fnUntraced(function* (client) {
        const plain = yield* client.generate({ ...request, keepRaw: false })
        assert.notProperty(plain, "raw")
        assert.notProperty(plain, "rawText")
        const parsed = yield* client.generate({ ...request, keepRaw: true })
        assert.deepStrictEqual(parsed, { ...plain, raw: { choices: [{ message: { content: "hi" } }], n: 1.5 } })
        const text = yield* client.generate({ ...request, keepRaw: "text" })
        assert.deepStrictEqual(text, { ...plain, rawText: body })
      })
    )
  })

  it.effect("retries a failure, on another endpoint if there is one", () => {
    const transport = new FakeTransport((_, send) => (send < 3 ? status(500) : ok()))
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const answer = yield* inTime(client.generate(request))
        assert.strictEqual(answer.attempts, 3)
        assert.deepStrictEqual(transport.sent, ["east", "west", "east"])
      })
    )
  })

  it.effect("retries on the same endpoint when it is the only one", () => {
    const transport = new FakeTransport((_, send) => (send < 5 ? status(429) : ok()))
    return withClient(
      config([east]),
      transport,
      Effect.fnUntraced(function* (client) {
        assert.strictEqual((yield* inTime(client.generate(request))).attempts, 5)
      })
    )
  })

  it.effect("gives up after maxAttempts, with the last reason and the count in the error", () => {
    const transport = new FakeTransport(() => status(503))
    return withClient(
      config([east, west], { maxAttempts: 3 }),
      transport,
      Effect.fnUntraced(function* (client) {
        const error = yield* failureOf(client)
        assert.strictEqual(error.reason._tag, "Overloaded")
        assert.strictEqual(error.attempts, 3)
        assert.include(error.message, '(endpoint "east", 3 attempts)')
        assert.strictEqual(transport.sent.length, 3)
      })
    )
  })

  it.effect("does not retry what is wrong with the request itself", () => {
    const transport = new FakeTransport(() => status(400, {}, { message: "max_tokens is too large" }))
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const error = yield* failureOf(client)
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.include(error.message, "max_tokens is too large")
        assert.strictEqual(transport.sent.length, 1)
      })
    )
  })

  it.effect("goes elsewhere at once with a dead key, and never back", () => {
    const transport = new FakeTransport((name, send) => {
      if (name === "east") return status(401)
      return send < 4 ? status(500) : ok()
    })
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const answer = yield* inTime(client.generate(request))
        assert.strictEqual(answer.endpoint, "west")
        assert.deepStrictEqual(transport.sent, ["east", "west", "west", "west"])
      })
    )
  })

  it.effect("fails at once when no endpoint is left that could help", () =>
    withClient(
      config([east, west]),
      new FakeTransport(() => status(401)),
      Effect.fnUntraced(function* (client) {
        const error = yield* Effect.flip(client.generate(request))
        assert.strictEqual(error.reason._tag, "Unauthorized")
        assert.strictEqual(error.attempts, 2)
      })
    )
  )

  it.effect("waits at least as long as the provider asks", () => {
    const times: Array<number> = []
    const transport = new FakeTransport((_, send) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        times.push(now)
        return send === 1 ? status(429, { "retry-after": "17" }) : ok()
      })
    )
    return withClient(
      config([east]),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* inTime(client.generate(request))
        assert.isAtLeast(times[1]! - times[0]!, 17_000)
      })
    )
  })

  it.effect("backs off exponentially, with full jitter, up to the cap", () => {
    const times: Array<number> = []
    const transport = new FakeTransport(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        times.push(now)
        return status(500)
      })
    )
    return withClient(
      config([east], { maxAttempts: 8, retry: { baseMs: 4_000, factor: 2, capMs: 20_000 } }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* failureOf(client)
        const waits = times.slice(1).map((time, index) => time - times[index]!)
        for (const [index, limit] of [4_000, 8_000, 16_000, 20_000, 20_000, 20_000, 20_000].entries()) {
          assert.isAtMost(waits[index]!, limit + 1_000, "a wait stays under its limit, to the second")
        }
        assert.strictEqual(waits.length, 7)
      })
    )
  })

  it.effect("does not wait for what would come after the deadline", () =>
    withClient(
      config([east], { deadlineMs: 20_000 }),
      new FakeTransport(() => status(429, { "retry-after": "3600" })),
      Effect.fnUntraced(function* (client) {
        const error = yield* Effect.flip(client.generate(request))
        assert.strictEqual(error.reason._tag, "RateLimited")
        assert.strictEqual(error.retryAfterMs, 3_600_000)
      })
    )
  )

  it.effect("ends a hanging request at its deadline and aborts it", () =>
    withClient(
      config([east]),
      new FakeTransport(() => Effect.never),
      Effect.fnUntraced(function* (client) {
        const fiber = yield* Effect.forkChild(Effect.flip(client.generate(request, { deadline: "3 seconds" })))
        yield* settle
        yield* TestClock.adjust("3 seconds")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error.reason._tag, "DeadlineExceeded")
        assert.strictEqual(error.attempts, 1)
        const [stats] = yield* client.stats
        assert.deepStrictEqual([stats!.aborted, stats!.inflight], [1, 0])
      })
    )
  )

  it.effect("tells timeouts and broken connections apart", () => {
    const broken = (phase: TransportError["phase"]) =>
      Effect.fail(new TransportError({ phase, code: "X", message: "m" }))
    const transport = new FakeTransport((_, send) => broken(send === 1 ? "connection" : "firstByte"))
    return withClient(
      config([east], { maxAttempts: 2 }),
      transport,
      Effect.fnUntraced(function* (client) {
        const error = yield* failureOf(client)
        assert.deepInclude(error.reason, { _tag: "TimedOut", phase: "firstByte", limitMs: 60_000 })
        assert.deepStrictEqual((yield* client.stats)[0]!.failures, { ConnectionFailed: 1, TimedOut: 1 })
      })
    )
  })

  it.effect("sends the key and never shows it", () => {
    const secret = "sk-very-secret"
    const transport = new FakeTransport((_, __, wire) => {
      assert.include(wire.headers, `Bearer ${secret}`)
      return status(401, {}, { message: `Incorrect API key provided: ${secret}` })
    })
    return withClient(
      config([endpoint({ name: "east", apiKey: Redacted.make(secret) })]),
      transport,
      Effect.fnUntraced(function* (client) {
        const error = yield* Effect.flip(client.generate(request))
        assert.notInclude(`${error.message} ${JSON.stringify(error)} ${String(error.stack)}`, secret)
      })
    )
  })
})

describeBothWays("limits and shares", () => {
  it.effect("every send counts against the limit, retries too", () => {
    const times: Array<number> = []
    const transport = new FakeTransport((_, send) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        times.push(now)
        return send % 5 === 0 ? status(500) : ok()
      })
    )
    return withClient(
      config([east, west], { maxRequestsPerSecond: 20 }),
      transport,
      Effect.fnUntraced(function* (client) {
        const calls = yield* Effect.forkChild(
          Effect.forEach(Array.from({ length: 160 }), () => client.generate(request), { concurrency: 50 })
        )
        for (let tick = 0; tick < 1_500 && calls.pollUnsafe() === undefined; tick++)
          yield* TestClock.adjust("10 millis")
        yield* Fiber.join(calls)
        for (const time of times)
          assert.isAtMost(times.filter((other) => other >= time && other < time + 1000).length, 20)
        const early = times.filter((time) => time < times[0]! + 7_000)
        assert.isAtLeast(early.length, 138, "and the limit is used")
      })
    )
  })

  it.effect("shares follow the weights, although retries prefer the other endpoint", () => {
    const transport = new FakeTransport((_, send) => (send % 10 === 0 ? status(500) : ok()))
    return withClient(
      config([endpoint({ name: "east", weight: 3 }), west], {
        policy: "weighted",
        retry: { baseMs: 0, factor: 1, capMs: 0 }
      }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* inTime(
          Effect.forEach(Array.from({ length: 2_000 }), () => client.generate(request), { concurrency: 50 })
        )
        const share = transport.sent.filter((name) => name === "east").length / transport.sent.length
        assert.approximately(share, 0.75, 0.005)
      })
    )
  })

  it.effect("counts add up: sent = succeeded + failed + aborted", () => {
    const transport = new FakeTransport((_, send) =>
      send % 7 === 0 ? Effect.never : send % 3 === 0 ? status(500) : ok()
    )
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* inTime(
          Effect.forEach(
            Array.from({ length: 100 }),
            () => Effect.exit(client.generate(request, { deadline: "30 seconds" })),
            {
              concurrency: 20
            }
          )
        )
        const stats = yield* client.stats
        assert.strictEqual(
          stats.reduce((sum, one) => sum + one.sent, 0),
          transport.sent.length
        )
        for (const one of stats) {
          const failed = Object.values(one.failures).reduce((sum, count) => sum + count, 0)
          assert.strictEqual(one.sent, one.succeeded + failed + one.aborted)
          assert.isAbove(one.aborted, 0)
          assert.strictEqual(one.latency.count, one.succeeded)
          assert.strictEqual(one.inputTokens, 7 * one.succeeded)
        }
      })
    )
  })
})

describeBothWays("drain", () => {
  it.effect("refuses new requests and lets those that are there finish, their retries too", () => {
    const transport = new FakeTransport((_, send) => (send === 1 ? status(500) : ok()))
    return withClient(
      config([east]),
      transport,
      Effect.fnUntraced(function* (client) {
        const call = yield* Effect.forkChild(client.generate(request))
        yield* settle
        const drained = yield* Effect.forkChild(client.drain({ timeout: "1 minute" }))
        yield* settle
        const error = yield* Effect.flip(client.generate(request))
        assert.deepInclude(error.reason, { _tag: "Rejected", cause: "Draining" })
        assert.isTrue(yield* inTime(Fiber.join(drained)))
        assert.strictEqual((yield* Fiber.join(call)).attempts, 2)
      })
    )
  })

  it.effect("can discard what was not sent", () => {
    const transport = new FakeTransport(() => Effect.andThen(Effect.sleep("5 seconds"), ok()))
    return withClient(
      config([endpoint({ name: "east", concurrency: 1 })]),
      transport,
      Effect.fnUntraced(function* (client) {
        const sent = yield* Effect.forkChild(client.generate(request))
        yield* settle
        const queued = yield* Effect.forkChild(Effect.flip(client.generate(request)))
        yield* settle
        const drained = yield* Effect.forkChild(client.drain({ timeout: "1 minute", queued: "discard" }))
        assert.strictEqual((yield* Fiber.join(queued)).reason._tag, "Rejected")
        assert.isTrue(yield* inTime(Fiber.join(drained)))
        assert.strictEqual((yield* Fiber.join(sent)).attempts, 1)
      })
    )
  })
})
