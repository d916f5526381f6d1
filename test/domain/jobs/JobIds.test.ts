import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as JobIds from "../../../src/domain/jobs/JobIds.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const timeOf = (id: string): number => {
  const match = V7.exec(id)
  assert.isNotNull(match, id)
  return Number.parseInt(`${match?.[1]}${match?.[2]}`, 16)
}

describe("ids of jobs", () => {
  it.effect.prop(
    "rise, whatever the clock does, and are UUIDs of version 7",
    { times: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2000 }))) },
    ({ times }) =>
      Effect.gen(function* () {
        const ids = yield* JobIds.make
        let last = ""
        let latest = 0
        for (const time of times) {
          yield* TestClock.setTime(time)
          latest = Math.max(latest, time)
          const id = yield* ids.next
          assert.isTrue(id > last, `${id} after ${last}`)
          assert.strictEqual(timeOf(id), latest)
          last = id
        }
      }),
    { arbitrary: listsUpTo(100) }
  )

  it.effect("rise beyond what one millisecond has numbers for, and borrow from the next", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_700_000_000_000)
      const ids = yield* JobIds.make
      const made = yield* Effect.replicateEffect(ids.next, 10_000)
      assert.deepStrictEqual([...made].sort(), made)
      assert.strictEqual(new Set(made).size, made.length)
      assert.strictEqual(timeOf(made[0]!), 1_700_000_000_000)
      assert.isAbove(timeOf(made.at(-1)!), 1_700_000_000_000)
    })
  )

  it.effect("of two makers in the same millisecond differ", () =>
    Effect.gen(function* () {
      const makers = yield* Effect.all([JobIds.make, JobIds.make])
      const made = yield* Effect.forEach(makers, ({ next }) => Effect.replicateEffect(next, 1000))
      assert.strictEqual(new Set(made.flat()).size, 2000)
    })
  )
})
