import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SteadyTime } from "../../src/domain/SteadyTime.ts"

const HOUR_MS = 3_600_000
/** Both clocks are read in whole milliseconds. */
const ROUNDED_MS = 2

/** Two clocks of which the wall clock can be set. */
class Clocks {
  wallMs = Date.parse("2026-11-22T12:00:00.400Z")
  monotonicMs = 77_000.9
  asked = 0

  pass(ms: number): void {
    this.wallMs += ms
    this.monotonicMs += ms
  }

  currentTimeMillisUnsafe(): number {
    return Math.floor(this.wallMs)
  }

  monotonicTimeNanosUnsafe(): bigint {
    this.asked++
    return BigInt(Math.round(this.monotonicMs * 1e6))
  }
}

describe("the steady time", () => {
  it("is the monotonic clock's, which it asks once a second at most", () => {
    const clocks = new Clocks()
    const time = new SteadyTime(clocks)
    for (let look = 0; look < 2_000; look++) {
      clocks.pass(5.03)
      assert.approximately(time.now(), clocks.monotonicMs, ROUNDED_MS)
    }
    assert.isAtMost(clocks.asked, 11)
  })

  it.each([HOUR_MS, -HOUR_MS, 1_500, -1])("does not notice that the wall clock is set by %s ms", (byMs) => {
    const clocks = new Clocks()
    const time = new SteadyTime(clocks)
    const before = time.now()
    clocks.pass(200)
    clocks.wallMs += byMs
    assert.approximately(time.now() - before, 200, ROUNDED_MS)
    assert.approximately(time.wallOf(time.now() + 5_000), clocks.wallMs + 5_000, ROUNDED_MS)
  })

  it("does not go by a wall clock that was set back while nobody looked, for longer than a second", () => {
    const clocks = new Clocks()
    const time = new SteadyTime(clocks)
    time.now()
    clocks.pass(HOUR_MS)
    clocks.wallMs -= HOUR_MS - 500
    time.now()
    clocks.pass(1_000)
    assert.approximately(time.now(), clocks.monotonicMs, ROUNDED_MS)
  })

  const Step = Schema.Struct({
    passMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3_000 })),
    setByMs: Schema.Int.check(Schema.isBetween({ minimum: -2_000, maximum: 2_000 }))
  })

  it.prop(
    "never goes back, and is right again a second after the wall clock was set",
    { steps: Schema.Array(Step) },
    ({ steps }) => {
      const clocks = new Clocks()
      const time = new SteadyTime(clocks)
      let last = time.now()
      for (const { passMs, setByMs } of steps) {
        clocks.pass(passMs)
        clocks.wallMs += setByMs
        const now = time.now()
        assert.isAtLeast(now, last)
        clocks.pass(1_000)
        // What went too far stands still meanwhile.
        last = time.now()
        assert.isAtLeast(last, now)
        assert.approximately(last, clocks.monotonicMs, ROUNDED_MS)
      }
    }
  )
})
