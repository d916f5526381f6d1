import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Ticket } from "../../../../src/domain/genai/health/CircuitBreaker.ts"
import { EndpointHealth } from "../../../../src/domain/genai/health/EndpointHealth.ts"
import type { Verdict } from "../../../../src/domain/genai/health/Verdict.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

const breaker = { failures: 3, windowMs: 10_000, openMs: 5_000 }
const make = (adaptiveConcurrency = false) =>
  new EndpointHealth({ breaker, concurrency: 32, adaptiveConcurrency, autoConcurrency: false })

const FAULT: Verdict = { retry: "anywhere", sign: "fault" }
const CONGESTION: Verdict = { retry: "anywhere", sign: "congestion" }
const NEUTRAL: Verdict = { retry: "never", sign: "neutral" }
const cool = (forMs: number): Verdict => ({ retry: "anywhere", sign: "neutral", cool: { forMs, hint: "retry-after" } })

describe("the health of an endpoint", () => {
  it("cools for as long as the longest hint, and does not hold that against it", () => {
    const health = make()
    for (const [at, forMs] of [
      [0, 3_000],
      [100, 4_000],
      [200, 1_000]
    ] as const)
      health.failed(health.sent(), cool(forMs), at, at)
    assert.strictEqual(health.state(300), "cooling")
    assert.strictEqual(health.availableAtMs(300), 4_100)
    assert.isFalse(health.allows(4_099))
    assert.isTrue(health.allows(4_100))
    assert.strictEqual(health.state(4_100), "up")
    assert.strictEqual(health.concurrency, 32)
  })

  it("does not touch anything on client errors", () => {
    const health = make()
    for (let count = 0; count < 50; count++) assert.isFalse(health.failed(health.sent(), NEUTRAL, 0, 0))
    assert.strictEqual(health.state(0), "up")
  })

  it("is disabled for good by a dead key, and until a time by a quota per day", () => {
    const health = make()
    health.failed(health.sent(), { ...NEUTRAL, disable: { cause: "quota", untilMs: 9_000 } }, 0, 0)
    assert.strictEqual(health.state(0), "disabled")
    assert.strictEqual(health.availableAtMs(0), 9_000)
    assert.isFalse(health.tick(8_999))
    assert.isTrue(health.tick(9_000))
    assert.isTrue(health.allows(9_000))
    health.failed(health.sent(), { ...NEUTRAL, disable: { cause: "credential" } }, 9_000, 9_000)
    health.tick(1e12)
    assert.isFalse(health.allows(1e12))
    assert.strictEqual(health.availableAtMs(1e12), Number.POSITIVE_INFINITY)
  })

  it("takes congestion for a fault, unless fewer sends at a time may help", () => {
    const plain = make()
    for (let count = 0; count < 3; count++) plain.failed(plain.sent(), CONGESTION, 0, 0)
    assert.strictEqual(plain.state(0), "open")
    const adaptive = make(true)
    let now = 0
    const concurrencies: Array<number> = []
    while (adaptive.concurrency > 1) {
      now += 10
      concurrencies.push(adaptive.concurrency)
      adaptive.failed(adaptive.sent(), CONGESTION, now, now + 5)
      assert.strictEqual(adaptive.state(now), "up")
    }
    assert.deepStrictEqual(concurrencies, [16, 11, 7, 5, 3, 2])
    for (let count = 0; count < 3; count++) adaptive.failed(adaptive.sent(), CONGESTION, now, now)
    assert.strictEqual(adaptive.state(now), "open")
  })

  const step = Schema.Struct({
    what: Schema.Literals([
      "send",
      "send",
      "send",
      "send",
      "send",
      "answer",
      "fault",
      "congestion",
      "cool",
      "abort",
      "wait"
    ]),
    pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  })

  it.prop(
    "never allows a send before a hint is over, and is available at the time it says",
    [Schema.Array(step).check(Schema.isMaxLength(200)), Schema.Boolean],
    ([steps, isAdaptive]) => {
      const health = make(isAdaptive)
      const inflight: Array<Ticket> = []
      let now = 1_000
      let notBefore = 0
      for (const { what, pick } of steps) {
        if (what === "wait") {
          now += pick * 700
          health.tick(now)
        } else if (what === "send") {
          if (health.allows(now)) inflight.push(health.sent())
        } else {
          const [ticket] = inflight.splice(pick % Math.max(1, inflight.length), 1)
          if (ticket === undefined) continue
          if (what === "cool") notBefore = Math.max(notBefore, now + pick * 500)
          if (what === "answer") health.answered(ticket, now - 10, now)
          else if (what === "abort") health.aborted(ticket)
          else health.failed(ticket, what === "cool" ? cool(pick * 500) : FAULT, now - 10, now)
        }
        if (health.allows(now)) assert.isAtLeast(now, notBefore)
        assert.isTrue(health.concurrency >= 1 && health.concurrency <= 32)
        const at = health.availableAtMs(now)
        assert.isTrue(at === 0 || at > now)
      }
      while (inflight.length > 0) health.aborted(inflight.pop()!)
      const at = Math.max(now, health.availableAtMs(now))
      health.tick(at)
      assert.isTrue(health.allows(at), "an endpoint that was only cooling or open is tried again")
    },
    { arbitrary: listsUpTo(200) }
  )
})
