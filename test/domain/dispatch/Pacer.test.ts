import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Pacer } from "../../../src/domain/dispatch/Pacer.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const Between = (minimum: number, maximum: number) => Schema.Finite.check(Schema.isBetween({ minimum, maximum }))

/**
 * Takes whenever allowed; a timer that is asked for `delay` fires `late()` milliseconds too late, and an event that was taken
 * happens `after()` milliseconds later. Gives when they happened.
 */
const drive = (pacer: Pacer, untilMs: number, late: () => number, after = () => 0): Array<number> => {
  const events: Array<number> = []
  /** When those that were taken are going to happen. */
  let pending: Array<number> = []
  const happen = (until: number): void => {
    for (const time of pending.filter((time) => time <= until).sort((a, b) => a - b)) {
      pacer.happened(time)
      events.push(time)
    }
    pending = pending.filter((time) => time > until)
  }
  let now = 0
  while (now < untilMs) {
    happen(now)
    const delay = pacer.delay(now)
    if (delay > 0) {
      now += Math.max(delay, 0.001) + late()
    } else {
      pacer.take(now)
      pending.push(now + after())
    }
  }
  happen(Number.POSITIVE_INFINITY)
  return events
}

/** The most events in any window of `windowMs`. */
const most = (events: ReadonlyArray<number>, windowMs: number): number => {
  let worst = 0
  let start = 0
  for (let end = 0; end < events.length; end++) {
    while (events[end]! - events[start]! >= windowMs) start++
    worst = Math.max(worst, end - start + 1)
  }
  return worst
}

describe("Pacer", () => {
  it.prop(
    "holds and uses limits that are too high for every event to be kept",
    { limit: Between(60_000, 300_000), lateMs: Between(0, 100) },
    ({ limit, lateMs }) => {
      const events = drive(new Pacer(limit, 60_000), 150_000, () => lateMs)
      assert.isAtMost(most(events, 60_000 - 1e-6), limit)
      const later = events.filter((time) => time >= 60_000 && time < 120_000).length
      assert.isAtLeast(later, limit * 0.98)
    },
    { arbitrary: { runs: 8 } }
  )

  it("has limits of any height", () => {
    const pacer = new Pacer(1e12, 60_000)
    for (let event = 0; event < 1_000; event++) {
      assert.strictEqual(pacer.delay(event), 0)
      pacer.take(event)
      pacer.happened(event)
    }
  })

  it.prop(
    "never lets any window hold more than the limit, however late its timers are",
    { limit: Between(0.3, 400), lateness: Schema.Array(Between(0, 1500)).check(Schema.isBetweenLength(1, 30)) },
    ({ limit, lateness }) => {
      let turn = 0
      const events = drive(new Pacer(limit, 1000), 10_000, () => lateness[turn++ % lateness.length]!)
      const whole = Math.max(1, Math.floor(limit))
      assert.isAtMost(most(events, (1000 / limit) * whole - 1e-6), whole)
    },
    { arbitrary: listsUpTo(30) }
  )

  it.prop(
    "never lets any window hold more than the limit, however long after its turn an event happens",
    {
      limit: Between(0.3, 200),
      lateness: Schema.Array(Between(0, 300)).check(Schema.isBetweenLength(1, 30)),
      delays: Schema.Array(Between(0, 3_000)).check(Schema.isBetweenLength(1, 30))
    },
    ({ delays, lateness, limit }) => {
      let turn = 0
      const late = (): number => lateness[turn++ % lateness.length]!
      const after = (): number => delays[turn % delays.length]!
      const events = drive(new Pacer(limit, 1000), 10_000, late, after)
      const whole = Math.max(1, Math.floor(limit))
      assert.isAtMost(most(events, (1000 / limit) * whole - 1e-6), whole)
    },
    { arbitrary: listsUpTo(30) }
  )

  it.each([7, 50, 500, 10_000])("uses a limit of %d/s within one percent when timers are a few ms late", (limit) => {
    let seed = 1
    const late = (): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return (seed / 2_147_483_647) * 4
    }
    const events = drive(new Pacer(limit, 1000), 20_000, late)
    assert.isAtMost(events.length, limit * 20 + 1)
    assert.isAtLeast(events.length, limit * 20 * 0.99)
  })

  it("loses nothing to the time that whoever has the events needs for each", () => {
    const pacer = new Pacer(10_000, 1000)
    const events: Array<number> = []
    for (let now = 0; now < 5_000; ) {
      // A timer that is a few milliseconds late, and then one event after another.
      if (pacer.delay(now) > 0) now += 3
      else {
        pacer.take(now)
        pacer.happened(now)
        events.push(now)
        now += 0.02
      }
    }
    assert.isAtMost(most(events, 1000 - 1e-6), 10_000)
    assert.isAtLeast(events.filter((time) => time >= 2_000).length, 30_000 * 0.995)
  })

  it("makes up for a pause of the process, without ever passing the limit", () => {
    let turn = 0
    const late = (): number => (++turn % 500 === 0 ? 200 : 0)
    const events = drive(new Pacer(500, 1000), 20_000, late)
    assert.isAtLeast(events.length, 9_800)
    assert.isAtMost(most(events, 1000 - 1e-6), 500)
  })

  it("uses a limit within two percent when events happen some milliseconds after their turns", () => {
    let turn = 0
    const events = drive(
      new Pacer(500, 1000),
      20_000,
      () => 1,
      () => (turn++ % 20) + 1
    )
    assert.isAtLeast(events.length, 9_800)
  })

  it.each([0.5, 7, 400])("goes on where another left off, at a limit of %d/s", (limit) => {
    const before = drive(new Pacer(limit, 1000), 10_000, () => 0)
    const usedAt = before.at(-1)!
    const after = drive(new Pacer(limit, 1000, usedAt), 20_000, () => 0).filter((time) => time > usedAt)
    assert.isAtMost(most([...before, ...after], Math.max(1000, 1000 / limit) - 1e-6), Math.max(1, Math.floor(limit)))
    assert.isAtLeast(after.length, Math.floor(limit * 9.8))
  })

  it("does not save up idle time", () => {
    const pacer = new Pacer(10, 1000)
    assert.strictEqual(pacer.delay(0), 0)
    pacer.take(0)
    pacer.happened(0)
    assert.strictEqual(pacer.delay(5_000), 0)
    pacer.take(5_000)
    pacer.happened(5_000)
    assert.approximately(pacer.delay(5_000), 100, 1)
  })

  it("lets no more than a few milliseconds' worth happen at once after idle time", () => {
    const pacer = new Pacer(10_000, 1000)
    let events = 0
    const happen = (now: number): void => {
      pacer.take(now)
      pacer.happened(now)
      events++
    }
    assert.strictEqual(pacer.delay(0), 0)
    happen(0)
    while (pacer.delay(10_000) === 0) happen(10_000)
    assert.isAtMost(events, 51)
  })

  it("starts a tenth slower: the first events arrive late, for want of connections", () => {
    const events = drive(new Pacer(500, 1000), 3_000, () => 0)
    assert.approximately(events.filter((time) => time < 1_000).length, 454, 3)
    assert.approximately(events.filter((time) => time >= 1_000 && time < 2_000).length, 499, 2)
  })
})
