import { setImmediate } from "node:timers/promises"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok } from "./FakeTransport.ts"

/** So many are started in all. */
const MOST = 3_000
const request = { messages: [{ role: "user" as const, content: "hi" }] }

/** Starts requests for as long as there is room, and whenever the client says that there may be more. */
const feeding = <A, E>(
  settings: DispatcherConfig,
  transport: FakeTransport,
  use: (fed: () => number) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const client = yield* GenAiClient
    const start = yield* client.starter!
    let fed = 0
    let isFeeding = false
    const feed = (): void => {
      if (isFeeding) return
      isFeeding = true
      while (fed < MOST && client.room!.has()) {
        fed++
        void start(request, undefined, { ended: () => queueMicrotask(feed) })
      }
      isFeeding = false
    }
    client.room!.watch(() => queueMicrotask(feed))
    feed()
    yield* settle
    return yield* use(() => fed)
  }).pipe(Effect.provide(layer(settings).pipe(Layer.provide(transport.layer))))

describeBothWays("the room of a client", () => {
  const limited = endpoint({ name: "east", concurrency: 800, limits: { requestsPerSecond: 100 } })

  it.effect("under a limit is for few more than are sent, and the limit is used", () => {
    const transport = new FakeTransport(() => Effect.never)
    return feeding(
      config([limited]),
      transport,
      Effect.fnUntraced(function* (fed) {
        for (let second = 0; second < 5; second++) {
          assert.isAtMost(fed() - transport.sent.length, 800 / 8 + 64)
          for (let tick = 0; tick < 100; tick++) {
            yield* TestClock.adjust("10 millis")
            yield* settle
          }
        }
        assert.isAtLeast(transport.sent.length, 480)
      })
    )
  })

  it.effect("is there for an endpoint that is idle, however many wait for another's limit", () => {
    const transport = new FakeTransport((name) => (name === "west" ? ok() : Effect.never))
    const slow = { ...limited, limits: { requestsPerMinute: 1 }, queueCapacity: 400 }
    return feeding(
      config([slow, endpoint({ name: "west", concurrency: 1 })], { policy: "weighted" }),
      transport,
      Effect.fnUntraced(function* () {
        const toWest = () => transport.sent.filter((name) => name === "west").length
        for (let turn = 0; turn < 5_000 && toWest() <= 2_000; turn++) yield* Effect.promise(() => setImmediate())
        assert.isAbove(toWest(), 2_000)
      })
    )
  })
})
