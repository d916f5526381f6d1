import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Sparing from "../../../src/layers/jobs/Sparing.ts"

describe("a costly answer", () => {
  it.effect("is asked for once by all who come together, and holds for some times as long as it took", () =>
    Effect.gen(function* () {
      let asked = 0
      const { forget, get } = yield* Sparing.make(
        Effect.delay(
          Effect.sync(() => ++asked),
          "2 seconds"
        ),
        10
      )
      const all = yield* Effect.forkChild(Effect.all([get, get, get], { concurrency: "unbounded" }))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(all), [1, 1, 1])
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(yield* get, 1)
      const later = yield* Effect.forkChild(Effect.delay(get, "1 second"))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Fiber.join(later), 2)
      yield* forget
      const anew = yield* Effect.forkChild(get)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(anew), 3)
    })
  )

  it.effect("is asked for each time when it is cheap, or fails", () =>
    Effect.gen(function* () {
      let asked = 0
      const cheap = yield* Sparing.make(
        Effect.sync(() => ++asked),
        10
      )
      assert.deepStrictEqual([yield* cheap.get, yield* cheap.get], [1, 2])
      const failing = yield* Sparing.make(Effect.delay(Effect.fail("no"), "1 second"), 10)
      for (let time = 0; time < 2; time++) {
        const asking = yield* Effect.forkChild(Effect.flip(failing.get))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* Fiber.join(asking), "no")
      }
    })
  )
})
