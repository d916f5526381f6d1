import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { CircuitBreaker, type Ticket } from "../../../../src/domain/genai/health/CircuitBreaker.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

const config = { failures: 3, windowMs: 10_000, openMs: 5_000 }

/** A breaker that has just opened at time 0. */
const opened = (limit = 8): CircuitBreaker => {
  const breaker = new CircuitBreaker(config, limit)
  for (let count = 0; count < 3; count++) breaker.failed(breaker.sent(), 0)
  assert.strictEqual(breaker.state, "open")
  return breaker
}

describe("the circuit breaker", () => {
  it("opens after so many failures in a row, not sooner", () => {
    const breaker = new CircuitBreaker(config, 8)
    breaker.failed(breaker.sent(), 0)
    breaker.failed(breaker.sent(), 0)
    breaker.answered(breaker.sent())
    breaker.failed(breaker.sent(), 0)
    breaker.failed(breaker.sent(), 0)
    assert.strictEqual(breaker.state, "closed")
    breaker.failed(breaker.sent(), 0)
    assert.strictEqual(breaker.state, "open")
    assert.isFalse(breaker.allows)
  })

  it("stays closed when the failures are further apart than the window", () => {
    const breaker = new CircuitBreaker(config, 8)
    for (const time of [0, 5_001, 10_002, 15_003]) breaker.failed(breaker.sent(), time)
    assert.strictEqual(breaker.state, "closed")
    breaker.failed(breaker.sent(), 15_004)
    assert.strictEqual(breaker.state, "open")
  })

  it("does not take the quick failures of a burst for a row, while older sends are still out", () => {
    const breaker = new CircuitBreaker(config, 100)
    const tickets = Array.from({ length: 100 }, () => breaker.sent())
    for (let index = 0; index < 100; index += 10) breaker.failed(tickets[index]!, 1)
    assert.strictEqual(breaker.state, "closed")
  })

  it("opens after a few failures of a burst when they come in the order of sending", () => {
    const breaker = new CircuitBreaker(config, 100)
    const tickets = Array.from({ length: 100 }, () => breaker.sent())
    for (const ticket of tickets.slice(0, 3)) breaker.failed(ticket, 1)
    assert.strictEqual(breaker.state, "open")
  })

  it("never counts refusals that are the request's fault, nor aborted sends", () => {
    const breaker = new CircuitBreaker(config, 8)
    for (let count = 0; count < 20; count++) {
      breaker.refused(breaker.sent())
      breaker.aborted(breaker.sent())
    }
    assert.strictEqual(breaker.state, "closed")
    breaker.failed(breaker.sent(), 0)
    breaker.refused(breaker.sent())
    breaker.failed(breaker.sent(), 0)
    breaker.failed(breaker.sent(), 0)
    assert.strictEqual(breaker.state, "open", "and they do not end a row either")
  })

  it("lets one probe go when its time has come, and opens again when it fails", () => {
    const breaker = opened()
    assert.isFalse(breaker.tick(4_999))
    assert.isTrue(breaker.tick(5_000))
    assert.strictEqual(breaker.state, "halfOpen")
    const probe = breaker.sent()
    assert.isFalse(breaker.allows)
    breaker.failed(probe, 5_100)
    assert.strictEqual(breaker.state, "open")
    assert.strictEqual(breaker.openUntilMs, 10_100)
  })

  it("lets another probe go when the first was given up", () => {
    const breaker = opened()
    breaker.tick(5_000)
    breaker.aborted(breaker.sent())
    assert.isTrue(breaker.allows)
  })

  it("comes back in rounds of 2, 4, 8, ... up to the limit", () => {
    const breaker = opened(20)
    breaker.tick(5_000)
    breaker.answered(breaker.sent())
    const rounds: Array<number> = []
    while (breaker.state !== "closed") {
      const round: Array<Ticket> = []
      while (breaker.allows) round.push(breaker.sent())
      rounds.push(round.length)
      for (const ticket of round) breaker.answered(ticket)
    }
    assert.deepStrictEqual(rounds, [2, 4, 8, 16])
    assert.strictEqual(breaker.concurrency, 20)
  })

  it("neither waits for calls that hang from before, nor believes them", () => {
    const breaker = new CircuitBreaker(config, 8)
    const hanging = Array.from({ length: 4 }, () => breaker.sent())
    for (let count = 0; count < 4; count++) breaker.failed(breaker.sent(), 0)
    assert.strictEqual(breaker.state, "open")
    breaker.tick(5_000)
    assert.strictEqual(breaker.concurrency, 5, "one more than hang")
    breaker.answered(hanging[0]!)
    assert.strictEqual(breaker.state, "halfOpen")
    breaker.failed(hanging[1]!, 5_001)
    assert.strictEqual(breaker.state, "halfOpen")
    assert.strictEqual(breaker.concurrency, 3)
    assert.strictEqual(breaker.inflight, 2)
  })

  const step = Schema.Struct({
    what: Schema.Literals(["send", "send", "send", "send", "answer", "fail", "fail", "refuse", "abort", "wait"]),
    pick: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
  })

  it.prop(
    "never has two probes at once, keeps within its limit, and always tries again",
    [Schema.Array(step).check(Schema.isMaxLength(200)), Schema.Literals([1, 2, 5, 64])],
    ([steps, limit]) => {
      const breaker = new CircuitBreaker(config, limit)
      const inflight: Array<{ readonly ticket: Ticket; readonly isProbe: boolean }> = []
      let now = 0
      for (const { what, pick } of steps) {
        const isProbing = breaker.state === "halfOpen"
        if (what === "wait") {
          now += pick * 700
          breaker.tick(now)
        } else if (what === "send") {
          // Only while closed does it leave that to its caller.
          if (breaker.allows && (breaker.state !== "closed" || inflight.length < breaker.concurrency)) {
            if (isProbing)
              assert.isFalse(
                inflight.some((send) => send.isProbe),
                "two probes at once"
              )
            inflight.push({ ticket: breaker.sent(), isProbe: isProbing })
          }
        } else {
          const [send] = inflight.splice(pick % Math.max(1, inflight.length), 1)
          if (send === undefined) continue
          if (what === "answer") breaker.answered(send.ticket)
          else if (what === "fail") breaker.failed(send.ticket, now)
          else if (what === "refuse") breaker.refused(send.ticket)
          else breaker.aborted(send.ticket)
        }
        assert.isTrue(breaker.concurrency >= 1 && breaker.concurrency <= limit)
        assert.strictEqual(breaker.inflight, inflight.length)
        if (breaker.openUntilMs !== undefined) assert.isAtMost(breaker.openUntilMs, now + config.openMs)
      }
      while (inflight.length > 0) breaker.aborted(inflight.pop()!.ticket)
      breaker.tick(now + config.openMs)
      assert.isTrue(breaker.allows, "it is tried again")
      for (let count = 0; count < 200; count++) breaker.answered(breaker.sent())
      assert.strictEqual(breaker.state, "closed", "and comes back when it is answered")
    },
    { arbitrary: listsUpTo(200) }
  )
})
