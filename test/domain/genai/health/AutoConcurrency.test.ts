import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { AutoConcurrency } from "../../../../src/domain/genai/health/AutoConcurrency.ts"
import { listsUpTo } from "../../../support/RandomLists.ts"

/** An endpoint that works on at most so many at once, each for so long; the others wait for those before them. */
interface Endpoint {
  readonly atOnce: number
  readonly serviceMs: number
}

/** Keeps all that is allowed under way (or `need`, when that is less) for so long; gives what was allowed at each answer. */
const drive = (
  auto: AutoConcurrency,
  { atOnce, serviceMs }: Endpoint,
  forMs: number,
  need = Number.POSITIVE_INFINITY
) => {
  const places = Array.from({ length: Math.min(atOnce, 50_000) }, () => 0)
  const underWay: Array<{ readonly sentAt: number; readonly endsAt: number }> = []
  const allowed: Array<number> = []
  let place = 0
  let now = 0
  while (now < forMs) {
    while (underWay.length < Math.min(auto.concurrency, need)) {
      // Requests come in order and all take as long, so the places come free in turn.
      const endsAt = Math.max(now, places[place]!) + serviceMs
      places[place] = endsAt
      place = (place + 1) % places.length
      underWay.push({ sentAt: now, endsAt })
    }
    underWay.sort((a, b) => a.endsAt - b.endsAt)
    const endsAt = underWay[0]!.endsAt
    now = endsAt
    const inflight = underWay.length
    const ended = underWay.filter((one) => one.endsAt === endsAt)
    underWay.splice(0, ended.length)
    for (const [index, { sentAt }] of ended.entries()) {
      auto.answered(sentAt, now, inflight - index)
      allowed.push(auto.concurrency)
    }
  }
  return allowed
}

describe("concurrency that is found by itself", () => {
  it("starts small, and reaches thousands within some round trips where the latency stays", () => {
    const auto = new AutoConcurrency(32_768)
    assert.strictEqual(auto.concurrency, 64)
    drive(auto, { atOnce: 50_000, serviceMs: 2_000 }, 16_000)
    assert.isAtLeast(auto.concurrency, 10_000)
  })

  it("does not grow beyond what is used", () => {
    const auto = new AutoConcurrency(32_768)
    drive(auto, { atOnce: 50_000, serviceMs: 100 }, 20_000, 200)
    assert.isBelow(auto.concurrency, 600)
  })

  it("stays near what the endpoint works on at once, where more would only wait there", () => {
    const auto = new AutoConcurrency(32_768)
    const allowed = drive(auto, { atOnce: 300, serviceMs: 100 }, 60_000)
    const late = allowed.slice(-allowed.length / 2)
    assert.isBelow(Math.max(...late), 1_200, "not far more wait than are worked on")
    assert.isAtLeast(Math.min(...late), 100, "and there is work for the endpoint")
  })

  it("goes down once for what was sent before a refusal, and not below 1", () => {
    const auto = new AutoConcurrency(1_000)
    assert.isTrue(auto.congested(0, 100))
    assert.strictEqual(auto.concurrency, 44)
    assert.isFalse(auto.congested(50, 110))
    for (let at = 200; at < 2_000; at += 10) auto.congested(at, at + 5)
    assert.strictEqual(auto.concurrency, 1)
  })

  it.prop(
    "is a whole number from 1 to its bound, whatever happens",
    {
      bound: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 })),
      events: Schema.Array(
        Schema.Struct({
          kind: Schema.Literals(["answered", "answered", "answered", "congested"]),
          tookMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000 })),
          inflight: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 }))
        })
      ).check(Schema.isMaxLength(300))
    },
    ({ bound, events }) => {
      const auto = new AutoConcurrency(bound)
      let now = 10_000
      for (const { inflight, kind, tookMs } of events) {
        now += 10
        const before = auto.concurrency
        const isChanged =
          kind === "answered" ? auto.answered(now - tookMs, now, inflight) : auto.congested(now - tookMs, now)
        assert.strictEqual(isChanged, before !== auto.concurrency)
        assert.isTrue(Number.isInteger(auto.concurrency) && auto.concurrency >= 1 && auto.concurrency <= bound)
      }
    },
    { arbitrary: listsUpTo(300) }
  )
})
