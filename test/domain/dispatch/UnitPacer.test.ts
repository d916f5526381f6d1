import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { UnitPacer } from "../../../src/domain/dispatch/UnitPacer.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const LIMIT = 60_000
const MINUTE = 60_000

interface Event {
  readonly start: number
  readonly end: number
  readonly units: number
}

/** Runs events of given sizes and durations as fast as the pacer allows, at most `concurrency` at once. */
const drive = (options: {
  readonly sizes: () => number
  readonly durationMs: () => number
  readonly estimate: number
  readonly concurrency: number
  readonly untilMs: number
}): ReadonlyArray<Event> => {
  const pacer = new UnitPacer(LIMIT, MINUTE)
  const done: Array<Event> = []
  let running: Array<{ readonly event: Event; readonly settle: () => void }> = []
  for (let now = 0; now < options.untilMs; now += 5) {
    for (const { event, settle } of running.filter(({ event }) => event.end <= now)) {
      settle()
      done.push(event)
    }
    running = running.filter(({ event }) => event.end > now)
    while (running.length < options.concurrency && pacer.delay(now, options.estimate) === 0) {
      const reservation = pacer.reserve(now, options.estimate)
      const event = { start: now, end: now + Math.max(5, options.durationMs()), units: options.sizes() }
      running.push({ event, settle: () => pacer.settle(event.end, reservation, event.units) })
    }
  }
  return done
}

/** The most units in any minute, counted at the start or at the end of events. */
const most = (events: ReadonlyArray<Event>, at: "start" | "end"): number => {
  const sorted = [...events].sort((a, b) => a[at] - b[at])
  let [worst, sum, first] = [0, 0, 0]
  for (const event of sorted) {
    sum += event.units
    while (event[at] - sorted[first]![at] >= MINUTE) sum -= sorted[first++]!.units
    worst = Math.max(worst, sum)
  }
  return worst
}

const random = (seed: number) => (): number => {
  seed = (seed * 48_271) % 2_147_483_647
  return seed / 2_147_483_647
}

const Between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("UnitPacer", () => {
  it.prop(
    "never lets a minute hold more than the limit, counted at starts or at ends, while estimates are upper bounds",
    { seed: Between(1, 1_000_000), concurrency: Between(1, 20), slowest: Between(100, 20_000) },
    ({ seed, concurrency, slowest }) => {
      const next = random(seed)
      const events = drive({
        sizes: () => 1 + Math.floor(next() * 1_000),
        durationMs: () => next() * slowest,
        estimate: 1_000,
        concurrency,
        untilMs: 200_000
      })
      assert.isAtMost(most(events, "start"), LIMIT)
      assert.isAtMost(most(events, "end"), LIMIT)
    },
    { arbitrary: { runs: 30 } }
  )

  it("uses at least 95 % of the limit over three minutes, although every answer is shorter than estimated", () => {
    const next = random(7)
    const events = drive({
      sizes: () => 200 + Math.floor(next() * 800),
      durationMs: () => 300 + next() * 1_500,
      estimate: 1_000,
      concurrency: 8,
      untilMs: 3 * MINUTE
    })
    const used = events.reduce((sum, event) => sum + event.units, 0)
    assert.isAtLeast(used, 0.95 * 3 * LIMIT)
    assert.isAtMost(most(events, "end"), LIMIT)
  })

  it("passes the limit by no more than what was underestimated in flight, and pays it back", () => {
    const next = random(11)
    const events = drive({
      sizes: () => 500 + Math.floor(next() * 500),
      durationMs: () => 2_000,
      estimate: 400,
      concurrency: 2,
      untilMs: 3 * MINUTE
    })
    assert.isAtMost(most(events, "end"), LIMIT + 2 * 600)
    const used = events.reduce((sum, event) => sum + event.units, 0)
    assert.isAtMost(used, 3 * LIMIT + 2 * 600)
  })

  it("spreads a minute's units over the minute", () => {
    const events = drive({
      sizes: () => 1_000,
      durationMs: () => 100,
      estimate: 1_000,
      concurrency: 100,
      untilMs: 30_000
    })
    const firstTenth = events.filter((event) => event.start < 6_000).reduce((sum, event) => sum + event.units, 0)
    assert.isAtMost(firstTenth, LIMIT / 10 + 1_000)
  })

  it.prop(
    "gives every event its turn within finite time once none runs, however limits, shares and sizes are rounded",
    {
      limit: Between(1, 1_000_000),
      processes: Between(1, 16),
      usedAt: Schema.UndefinedOr(Between(0, 1_000_000)),
      // Of what the pacer may use in a minute.
      parts: Schema.Array(Schema.Literals([0, 1 / 3, 0.7, 1, 1.3, 16])).check(Schema.isMinLength(1))
    },
    ({ limit, processes, usedAt, parts }) => {
      const share = limit / processes
      const pacer = new UnitPacer(share, MINUTE, usedAt)
      let now = usedAt ?? 0
      for (const part of parts) {
        const from = now
        for (let wait = pacer.delay(now, share * part); wait > 0; wait = pacer.delay(now, share * part)) {
          assert.isTrue(Number.isFinite(wait))
          now += Math.ceil(wait)
          assert.isAtMost(now - from, 20 * MINUTE)
        }
        const reservation = pacer.reserve(now, share * part)
        now += 100
        pacer.settle(now, reservation, share * part * 0.9)
      }
    },
    { arbitrary: listsUpTo(20) }
  )

  it("lets an event larger than its share follow another one that has used the share", () => {
    const pacer = new UnitPacer(50_000 / 3, MINUTE, 0)
    assert.strictEqual(pacer.delay(MINUTE, 20_000), 0)
  })

  it("lets an event larger than the limit run alone instead of never", () => {
    const pacer = new UnitPacer(100, MINUTE)
    assert.strictEqual(pacer.delay(0, 250), 0)
    const reservation = pacer.reserve(0, 250)
    assert.strictEqual(pacer.delay(1, 1), Number.POSITIVE_INFINITY)
    pacer.settle(10, reservation, 250)
    assert.isAbove(pacer.delay(11, 250), 59_000)
    assert.isTrue(Number.isFinite(pacer.delay(11, 250)))
  })
})
