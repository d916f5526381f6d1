import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Result } from "effect"
import { TestClock } from "effect/testing"
import { hashKey, KeyRing } from "../../../src/domain/server/KeyRing.ts"
import { Auth } from "../../../src/layers/server/Auth.ts"

const make = (requestsPerMinute: number) =>
  Effect.map(
    Clock.Clock,
    (clock) =>
      new Auth(new KeyRing([{ name: "team", sha256: hashKey("k"), requestsPerMinute, models: undefined }]), clock)
  )

describe("an API key with a rate", () => {
  it.effect("is admitted so often in any minute, and exactly when it is told to come again", () =>
    Effect.gen(function* () {
      const auth = yield* make(3)
      const admitted: Array<number> = []
      for (let step = 0; step < 600; step++) {
        const result = auth.admit("k")
        const now = yield* Clock.currentTimeMillis
        if (Result.isSuccess(result)) {
          admitted.push(now)
          yield* TestClock.adjust(step % 7 === 0 ? 19_999 : 11)
        } else {
          const { kind, retryAfterMs } = result.failure
          assert.strictEqual(kind, "RateLimited")
          assert.isDefined(retryAfterMs)
          yield* TestClock.adjust(Math.max(0, retryAfterMs! - 1))
          assert.isTrue(Result.isFailure(auth.admit("k")))
          yield* TestClock.adjust(1)
          const again = auth.admit("k")
          assert.isTrue(Result.isSuccess(again))
          admitted.push(yield* Clock.currentTimeMillis)
        }
      }
      for (let index = 3; index < admitted.length; index++) {
        assert.isAtLeast(admitted[index]! - admitted[index - 3]!, 60_000)
      }
    })
  )

  it.effect("is known without using up its rate", () =>
    Effect.gen(function* () {
      const auth = yield* make(1)
      for (let round = 0; round < 5; round++) assert.isTrue(Result.isSuccess(auth.identify("k")))
      assert.isTrue(Result.isSuccess(auth.admit("k")))
      assert.isTrue(Result.isFailure(auth.admit("k")))
      assert.isTrue(Result.isFailure(auth.identify("other")))
      assert.isTrue(Result.isFailure(auth.identify(undefined)))
    })
  )
})
