import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { WireResponse } from "../../../src/domain/providers/Wire.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { type EndListener, type StartedRequest, Transport } from "../../../src/services/Transport.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"

/** Sends without a fiber. */
type Start = (onEnd: EndListener) => StartedRequest

const throwing = (what: string) => (): never => {
  throw new Error(what)
}
const nothing: StartedRequest = { giveUp: () => {} }
const answer = (status: number): Exit.Exit<WireResponse> =>
  Exit.succeed({
    status,
    headers: {},
    body: JSON.stringify({ model: "m", choices: [{ message: { role: "assistant", content: "hello" } }] })
  })

const transportOf = (start: Start | undefined, send: () => never) =>
  Layer.succeed(
    Transport,
    Transport.of({
      tellsSent: true,
      start: start && ((_, onEnd) => start(onEnd)),
      send,
      open: () => Effect.never
    })
  )

/** Three requests, of which one is given up while it is under way, and how they end. */
const endsOf = (start: Start | undefined, send: () => never = throwing("not this way")) =>
  Effect.gen(function* () {
    const client = yield* GenAiClient
    const begin = yield* client.starter!
    const ends = [0, 0, 0]
    const kinds = new Set<string>()
    const calls = ends.map((_, i) =>
      begin(
        { messages: [{ role: "user", content: "hi" }] },
        { deadline: "1 minute" },
        {
          ended: (end) => {
            ends[i]!++
            kinds.add(Exit.isSuccess(end) ? "answered" : end.cause.reasons[0]!._tag)
          }
        }
      )
    )
    yield* calls[2]!.interrupt
    for (let second = 0; second < 90; second++) {
      yield* settle
      yield* TestClock.adjust("1 second")
    }
    assert.deepStrictEqual(ends, [1, 1, 1], "each has ended once")
    const [stats] = yield* client.stats
    const failed = Object.values(stats!.failures).reduce((sum, count) => sum + count, 0)
    assert.isAbove(stats!.sent, 0)
    assert.strictEqual(stats!.sent, stats!.succeeded + failed + stats!.aborted, "each send has come to one end")
    assert.deepInclude(stats!, { inflight: 0, queueLen: 0 })
    assert.isTrue(yield* client.drain({ timeout: 0 }))
    return kinds
  }).pipe(Effect.provide(layer(config([endpoint({ name: "east" })])).pipe(Layer.provide(transportOf(start, send)))))

describe("a transport that does what it must not leaves the books right: it", () => {
  for (const status of [200, 500]) {
    const later = (onEnd: EndListener, times: number) => {
      for (let i = 0; i < times; i++) setImmediate(() => onEnd.ended(answer(status)))
    }
    const ways: Record<string, Start> = {
      "calls back twice": (onEnd) => {
        later(onEnd, 2)
        return nothing
      },
      "calls back before it returns": (onEnd) => {
        onEnd.ended(answer(status))
        return nothing
      },
      "calls back before it returns, and once more": (onEnd) => {
        onEnd.ended(answer(status))
        later(onEnd, 1)
        return nothing
      },
      "throws, and calls back all the same": (onEnd) => {
        later(onEnd, 1)
        throw new Error("start")
      },
      "throws when it is to abort": (onEnd) => {
        later(onEnd, 1)
        return { giveUp: throwing("abort") }
      }
    }
    for (const [name, start] of Object.entries(ways)) {
      it.effect(`${name}, after ${status}`, () => Effect.asVoid(endsOf(start)))
    }
  }

  it.effect("calls back with a failure before it returns, and then throws", () =>
    Effect.asVoid(
      endsOf((onEnd) => {
        onEnd.ended(answer(500))
        throw new Error("start")
      })
    )
  )

  it.effect("throws instead of sending, in a fiber", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([...(yield* endsOf(undefined, throwing("send")))], ["Die"])
    })
  )
})
