/** Requests that wait while endpoints go and come back. */
import { assert, it } from "@effect/vitest"
import { Effect, type Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { GenAiError } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import type { GenAiClient, GenerateOptions } from "../../../src/services/GenAiClient.ts"
import { config, endpoint } from "../../support/Config.ts"
import { pass, settle } from "../dispatch/Gates.ts"
import { type Answer, after, describeBothWays, FakeTransport, ok, status, withClient } from "./FakeTransport.ts"

const request = { messages: [{ role: "user" as const, content: "hi" }] }
const spentToday = status(429, {}, { type: "daily_quota", message: "no more today" })
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** One minute before the daily quotas begin anew. */
const LATE = Date.parse("2026-01-05T07:59:00Z")

const east = endpoint({ name: "east" })
const west = endpoint({ name: "west" })
const narrow = { ...west, concurrency: 1 }

const ask = (client: GenAiClient["Service"], options: GenerateOptions = {}) =>
  Effect.tap(Effect.forkChild(client.generate(request, options), { startImmediately: true }), () => settle)

const askFour = (client: GenAiClient["Service"], options: GenerateOptions = {}) =>
  Effect.forEach([1, 2, 3, 4], () => ask(client, options))

/** Who has served the request, or why nobody has; `undefined` while it is under way. */
const outcome = (fiber: Fiber.Fiber<GenAiAnswer, GenAiError>): string | undefined => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return undefined
  if (exit._tag === "Success") return exit.value.endpoint
  return exit.cause.reasons.map((reason) => (reason._tag === "Fail" ? reason.error.reason._tag : reason._tag)).join()
}

const four = (what: string) => [what, what, what, what]

/** The quota of `east` is spent until `renew`. */
const renewable = (answer: (endpoint: string) => Answer) => {
  let isSpent = true
  const transport = new FakeTransport((name) => (name !== "east" ? answer(name) : isSpent ? spentToday : ok()))
  const renew = () => {
    isSpent = false
  }
  return { transport, renew }
}

describeBothWays("an endpoint whose daily quota begins anew", () => {
  it.effect("takes requests that came while it was out and queue for another", () => {
    const { transport, renew } = renewable(() => after(2 * HOUR_MS, ok()))
    return withClient(
      config([east, narrow], { deadlineMs: 10 * HOUR_MS }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* TestClock.setTime(LATE)
        yield* ask(client)
        const waiting = yield* askFour(client)
        assert.deepStrictEqual(transport.sent, ["east", "west"])
        renew()
        yield* pass(MINUTE_MS + 1_000, 1_000)
        // By load: the third is as well off at the other one.
        assert.deepStrictEqual(waiting.map(outcome).filter((name) => name === "east").length, 3)
      })
    )
  })

  it.effect("takes those that wait for room at another", () => {
    const { transport, renew } = renewable(() => after(2 * HOUR_MS, ok()))
    return withClient(
      config([east, { ...narrow, queueCapacity: 0 }], { deadlineMs: 10 * HOUR_MS }),
      transport,
      Effect.fnUntraced(function* (client) {
        yield* TestClock.setTime(LATE)
        yield* ask(client)
        const waiting = yield* askFour(client)
        renew()
        yield* pass(MINUTE_MS + 1_000, 1_000)
        assert.deepStrictEqual(waiting.map(outcome), four("east"))
      })
    )
  })

  for (const [whose, third] of [
    ["", []],
    [", of requests that may not use a third", [endpoint({ name: "north" })]]
  ] as const) {
    it.effect(`takes those that wait when the other is lost after that${whose}`, () => {
      const { transport, renew } = renewable(() => after(HOUR_MS, status(401)))
      return withClient(
        config([east, { ...narrow, queueCapacity: 2 }, ...third], { deadlineMs: 10 * HOUR_MS }),
        transport,
        Effect.fnUntraced(function* (client) {
          const exclude = new Set(third.map(({ name }) => name))
          yield* TestClock.setTime(LATE)
          yield* ask(client, { exclude })
          const waiting = yield* askFour(client, { exclude })
          renew()
          yield* pass(HOUR_MS + 2 * MINUTE_MS, MINUTE_MS)
          assert.deepStrictEqual(waiting.map(outcome), four("east"))
        })
      )
    })
  }

  it.effect("is waited for by those that may use no other, when it is back before their deadline", () => {
    const { transport, renew } = renewable(() => ok())
    return withClient(
      config([east, west]),
      transport,
      Effect.fnUntraced(function* (client) {
        const exclude = new Set(["west"])
        yield* TestClock.setTime(LATE)
        assert.strictEqual(outcome(yield* ask(client, { exclude })), "QuotaExhausted")
        const waiting = yield* ask(client, { exclude })
        assert.strictEqual(outcome(yield* ask(client, { exclude, deadline: 59_000 })), "QuotaExhausted")
        renew()
        assert.strictEqual(outcome(waiting), undefined)
        yield* pass(MINUTE_MS + 1_000, 1_000)
        assert.strictEqual(outcome(waiting), "east")
      })
    )
  })
})

describeBothWays("a session whose endpoint is lost", () => {
  it.effect("waits for it no more, and stays where it goes", () =>
    withClient(
      config([{ ...east, concurrency: 1, queueCapacity: 2 }, west, endpoint({ name: "north" })], {
        affinity: { ttlMs: HOUR_MS, sliding: false, capacity: 10, onUnavailable: "wait" }
      }),
      new FakeTransport((name) => (name === "east" ? after(1_000, status(401)) : ok())),
      Effect.fnUntraced(function* (client) {
        yield* ask(client, { session: "s" })
        const waiting = yield* askFour(client, { session: "s" })
        yield* pass(2_000, 1_000)
        const served = waiting.map(outcome)
        assert.isTrue(served.every((name) => name === "west" || name === "north"))
        const next = (yield* askFour(client, { session: "s" })).map(outcome)
        assert.deepStrictEqual(next, four(next[0]!))
        assert.include(served, next[0]!)
      })
    )
  )
})
