/** When a request is tried again, and when it is not. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Random } from "effect"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok, status } from "./FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }

/** Dice that always fall the same way, between 0 and 1. */
const dice = (share: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => share, nextIntUnsafe: () => 0 })

const clientOver = (settings: DispatcherConfig, transport: FakeTransport) =>
  Effect.flatMap(Layer.build(Layer.provide(layer(settings), transport.layer)), (context) =>
    Effect.provide(GenAiClient, context)
  )

/** Times of the sends of a request that always fails, while the clock goes on by tenths of a second. */
const sendsOf = Effect.fnUntraced(function* (settings: Partial<DispatcherConfig>, share: number) {
  const times: Array<number> = []
  const transport = new FakeTransport(() =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      times.push(now)
      return status(500)
    })
  )
  const breaker = { failures: 100, windowMs: 1_000, openMs: 1_000 }
  const client = yield* clientOver(config([endpoint({ name: "east", breaker })], settings), transport)
  const fiber = yield* Effect.forkChild(Effect.flip(client.generate(request)).pipe(dice(share)))
  for (let tick = 0; tick < 1_000 && fiber.pollUnsafe() === undefined; tick++) {
    yield* settle
    yield* TestClock.adjust(100)
  }
  return { error: yield* Fiber.join(fiber), times, endedAt: yield* Clock.currentTimeMillis }
})

describeBothWays("a request that failed", () => {
  const retry = { baseMs: 4_000, factor: 2, capMs: 20_000 }

  it.effect("waits the share that the dice say of a time that doubles up to the cap", () =>
    Effect.gen(function* () {
      const { times } = yield* sendsOf({ maxAttempts: 6, retry }, 0.5)
      assert.deepStrictEqual(
        times.slice(1).map((time, index) => time - times[index]!),
        [2_000, 4_000, 8_000, 10_000, 10_000]
      )
    })
  )

  it.effect("fails as it did last, at once, when its wait would end after its deadline", () =>
    Effect.gen(function* () {
      const { endedAt, error, times } = yield* sendsOf({ deadlineMs: 5_000, retry }, 0.75)
      assert.deepStrictEqual(times, [0, 3_000])
      assert.deepInclude(error.reason, { _tag: "ServerError", status: 500 })
      assert.isBelow(endedAt, 3_300)
    })
  )

  it.effect(
    "is not turned away any more: it waits for a place in a full queue, even if it was not to wait at first",
    () =>
      Effect.gen(function* () {
        const transport = new FakeTransport((_, send) => Effect.delay(send === 1 ? status(500) : ok(), 1_000))
        const east = endpoint({ name: "east", concurrency: 1, queueCapacity: 1 })
        const client = yield* clientOver(config([east], { retry: { baseMs: 100, factor: 1, capMs: 100 } }), transport)
        const eager = yield* Effect.forkChild(client.generate(request, { onFull: "fail" }).pipe(dice(0.5)))
        yield* settle
        // One has the slot while the first waits for its second attempt, one the only place in the queue.
        const others = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(client.generate(request)))
        yield* settle
        for (let second = 0; second < 6; second++) {
          yield* TestClock.adjust(1_000)
          yield* settle
        }
        assert.strictEqual((yield* Fiber.join(eager)).attempts, 2)
        yield* Effect.forEach(others, Fiber.join)
      })
  )
})
