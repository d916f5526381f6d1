import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import * as GroupCommit from "../../../src/layers/jobs/GroupCommit.ts"
import { JobStoreError } from "../../../src/services/JobStore.ts"
import { storeDown } from "./JobsHarness.ts"

const refused = new JobStoreError({ message: "It cannot be written.", isTransient: false })

/** A store that is busy with the item 0 until it is let go on, so that all others come together. */
const held = Effect.fnUntraced(function* (
  write: (items: ReadonlyArray<number>) => Effect.Effect<ReadonlyArray<number>, JobStoreError>,
  sizeOf: (item: number) => number = () => 1
) {
  const open = yield* Deferred.make<void>()
  const groups: Array<ReadonlyArray<number>> = []
  const commit = yield* GroupCommit.make((items: ReadonlyArray<number>) => {
    if (items.includes(0)) return Effect.as(Deferred.await(open), items)
    groups.push(items)
    return write(items)
  }, sizeOf)
  const first = yield* Effect.forkChild(commit(0), { startImmediately: true })
  yield* Effect.yieldNow
  const all = (items: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const fibers = yield* Effect.forEach(items, (item) => Effect.forkChild(commit(item), { startImmediately: true }))
      yield* Deferred.succeed(open, undefined)
      yield* Fiber.join(first)
      return yield* Effect.forEach(fibers, Fiber.await)
    })
  return { all, groups, commit }
})

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1)

describe("GroupCommit", () => {
  it.effect("asks a store that is away once for all who wait, and tells them", () =>
    Effect.gen(function* () {
      const { all, groups } = yield* held(
        () => Effect.fail(storeDown),
        () => 100_000
      )
      assert.deepStrictEqual(
        yield* all(upTo(600)),
        upTo(600).map(() => Exit.fail(storeDown))
      )
      assert.strictEqual(groups.length, 6, "one for each hundred")
    })
  )

  it.effect("writes all but the one that cannot be written, in few more tries", () =>
    Effect.gen(function* () {
      const { all, groups } = yield* held((items) =>
        items.includes(37) ? Effect.fail(refused) : Effect.succeed(items)
      )
      assert.deepStrictEqual(
        yield* all(upTo(64)),
        upTo(64).map((item) => (item === 37 ? Exit.fail(refused) : Exit.succeed(item)))
      )
      assert.strictEqual(groups.length, 13, "two for each halving")
    })
  )

  it.effect("writes not too much in one transaction, and what is too much by itself alone", () =>
    Effect.gen(function* () {
      const sizes = [300_000, 300_000, 300_000, 300_000, 5_000_000, 1, 1]
      const { all, groups } = yield* held(Effect.succeed, (item) => sizes[item - 1] ?? 0)
      assert.deepStrictEqual(yield* all(upTo(7)), upTo(7).map(Exit.succeed))
      assert.deepStrictEqual(groups, [[1, 2, 3], [4], [5], [6, 7]])
    })
  )

  it.effect("goes on after a write that throws", () =>
    Effect.gen(function* () {
      const { all, commit } = yield* held((items) => {
        if (items.includes(1)) throw new Error("broken")
        return Effect.succeed(items)
      })
      const [one, two] = yield* all([1, 2])
      assert.isTrue(one !== undefined && Exit.hasDies(one))
      assert.deepStrictEqual(two, Exit.succeed(2))
      assert.strictEqual(yield* commit(3), 3)
    })
  )

  it.effect("refuses more than may wait, as something that passes", () =>
    Effect.gen(function* () {
      const { all } = yield* held(Effect.succeed)
      const exits = yield* all(upTo(10_001))
      assert.strictEqual(exits.filter(Exit.isSuccess).length, 10_000)
      const error = yield* Effect.flip(exits[10_000]!)
      assert.isTrue(error.isTransient)
    })
  )
})
