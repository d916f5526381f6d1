import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { describeBothWays, FakeTransport, ok } from "./FakeTransport.ts"

const LIMIT = 40
const request = { messages: [{ role: "user" as const, content: "hi" }] }

/** What can be asked of a client, in either way that it answers. */
const ask = {
  "whole answers": (client: GenAiClient["Service"]) => Effect.asVoid(client.generate(request)),
  "streamed answers": (client: GenAiClient["Service"]) => Stream.runDrain(client.stream(request))
}

const limited = {
  "over all endpoints": { ...config([endpoint({ name: "east" })]), maxRequestsPerSecond: LIMIT },
  "of an endpoint": config([endpoint({ name: "east", limits: { requestsPerSecond: LIMIT } })])
}

describeBothWays("a rate limit", () => {
  for (const [what, one] of Object.entries(ask)) {
    for (const [whose, settings] of Object.entries(limited)) {
      it.effect(`${whose} holds for ${what} by when they are sent, also when connections take ever less time`, () => {
        const sentAt: Array<number> = []
        const transport = new FakeTransport(() =>
          Effect.andThen(
            Effect.clockWith((clock) => Effect.sync(() => void sentAt.push(clock.currentTimeMillisUnsafe()))),
            ok()
          )
        )
        let connects = 0
        transport.connected = Effect.suspend(() => Effect.sleep(Math.max(0, 800 - 10 * connects++)))
        return Effect.gen(function* () {
          const client = yield* GenAiClient
          for (let call = 0; call < LIMIT * 4; call++) yield* Effect.forkChild(one(client))
          yield* settle
          for (let tick = 0; tick < 600; tick++) {
            yield* TestClock.adjust("10 millis")
            yield* settle
          }
          assert.strictEqual(sentAt.length, LIMIT * 4)
          for (let from = 0; from + LIMIT < sentAt.length; from++) {
            assert.isAtLeast(sentAt[from + LIMIT]! - sentAt[from]!, 1_000, `from send ${from}`)
          }
        }).pipe(Effect.provide(layer(settings).pipe(Layer.provide(transport.layer))))
      })
    }
  }
})
