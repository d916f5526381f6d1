import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Affinity } from "../../../src/layers/dispatch/Affinity.ts"
import { withSettableClock } from "../../support/SettableClock.ts"

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

describe("a session", () => {
  it.effect.each([-HOUR_MS, 0, HOUR_MS])("lasts its time, although the wall clock is set by %s ms", (byMs) =>
    withSettableClock((set) =>
      Effect.gen(function* () {
        const settings = { capacity: 10, ttl: Duration.minutes(10), sliding: false, onUnavailable: "wait" } as const
        const affinity = new Affinity(settings, yield* Clock.Clock)
        assert.strictEqual(
          affinity.laneOf("s", () => 1),
          1
        )
        yield* TestClock.adjust(9 * MINUTE_MS)
        set(byMs)
        assert.strictEqual(
          affinity.laneOf("s", () => 2),
          1
        )
        yield* TestClock.adjust(MINUTE_MS)
        assert.strictEqual(
          affinity.laneOf("s", () => 2),
          2
        )
      })
    )
  )
})
