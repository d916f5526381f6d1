/** Requests that no endpoint will serve, and how soon they are told. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { TransportError } from "../../../src/services/Transport.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok, status, withClient } from "./FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }
const refused = Effect.fail(
  new TransportError({ phase: "connection", code: "ECONNREFUSED", message: "connection refused: is the endpoint up?" })
)

/** Lets time pass until the fiber has ended, but not longer than `mostMs`; gives the time that passed. */
const timeOf = Effect.fnUntraced(function* <A, E>(fiber: Fiber.Fiber<A, E>, mostMs: number) {
  const startedAt = yield* Clock.currentTimeMillis
  while ((yield* Clock.currentTimeMillis) - startedAt < mostMs && fiber.pollUnsafe() === undefined) {
    yield* settle
    yield* TestClock.adjust(100)
  }
  return (yield* Clock.currentTimeMillis) - startedAt
})

describeBothWays("a request that waits for the only endpoints that it may use", () => {
  it.effect("is told why at once when these are disabled, though others are well", () =>
    withClient(
      config([endpoint({ name: "east", concurrency: 1 }), endpoint({ name: "west" })]),
      new FakeTransport((name) => (name === "east" ? Effect.andThen(Effect.sleep(1_000), status(401)) : ok())),
      Effect.fnUntraced(function* (client) {
        const onlyEast = { exclude: new Set(["west"]) }
        const first = yield* Effect.forkChild(client.generate(request, onlyEast), { startImmediately: true })
        const waiting = yield* Effect.forkChild(Effect.result(client.generate(request, onlyEast)), {
          startImmediately: true
        })
        yield* settle
        yield* TestClock.adjust(1_000)
        yield* settle
        const result = waiting.pollUnsafe()
        assert.isDefined(result, "it does not wait for its deadline")
        const error = Result.getOrThrow(Result.flip(yield* Fiber.join(waiting)))
        assert.strictEqual(error.reason._tag, "Unauthorized")
        assert.strictEqual(error.endpoint, "east")
        assert.strictEqual(error.attempts, 0)
        assert.strictEqual((yield* Fiber.await(first))._tag, "Failure")
        assert.strictEqual((yield* client.generate(request)).endpoint, "west", "others are served")
      })
    )
  )
})

describeBothWays("a request that may use no endpoint", () => {
  it.effect("is told so, and not that the client is shutting down", () =>
    withClient(
      config([endpoint({ name: "east" }), endpoint({ name: "west" })]),
      new FakeTransport(() => ok()),
      Effect.fnUntraced(function* (client) {
        const error = yield* Effect.flip(client.generate(request, { exclude: new Set(["east", "west"]) }))
        assert.deepInclude(error.reason, { _tag: "Rejected", cause: "NoEndpoint" })
        assert.include(error.message, "no endpoint is left")
        assert.strictEqual(error.attempts, 0)
      })
    )
  )
})

describeBothWays("an endpoint that has never been reached", () => {
  it.effect("fails its requests after their attempts, without the breaker's pauses, when there is no other", () =>
    withClient(
      config([endpoint({ name: "east" })], { maxAttempts: 5, retry: { baseMs: 500, factor: 2, capMs: 30_000 } }),
      new FakeTransport(() => refused),
      Effect.fnUntraced(function* (client) {
        const asked = Effect.forEach([1, 2, 3, 4, 5], () => Effect.flip(client.generate(request)), {
          concurrency: "unbounded"
        })
        const run = yield* Effect.forkChild(asked, { startImmediately: true })
        const tookMs = yield* timeOf(run, 60_000)
        assert.isBelow(tookMs, 10_000)
        for (const error of yield* Fiber.join(run)) {
          assert.strictEqual(error.reason._tag, "ConnectionFailed")
          assert.strictEqual(error.attempts, 5)
        }
      })
    )
  )

  it.effect("rests like any other that fails when it was reached before", () => {
    const transport = new FakeTransport((_, send) => (send === 1 ? ok() : refused))
    return withClient(
      config([endpoint({ name: "east", breaker: { failures: 3, windowMs: 10_000, openMs: 5_000 } })], {
        maxAttempts: 5,
        retry: { baseMs: 1, factor: 1, capMs: 1 }
      }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* client.generate(request)
        const run = yield* Effect.forkChild(Effect.flip(client.generate(request)), { startImmediately: true })
        yield* timeOf(run, 4_000)
        assert.strictEqual(transport.sent.length, 4, "three failures, then it is left alone")
        assert.strictEqual((yield* client.stats)[0]?.state, "open")
        assert.isAtLeast(yield* timeOf(run, 60_000), 1_000)
        assert.strictEqual((yield* Fiber.join(run)).attempts, 5)
      })
    )
  })
})
