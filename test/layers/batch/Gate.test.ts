import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Gate } from "../../../src/layers/batch/Gate.ts"

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
const microtasks = Effect.promise(() => Promise.resolve())

describe("a gate", () => {
  it.live("tests its condition once after all that changed until then", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      let tests = 0
      let isOpen = false
      const waiting = yield* Effect.forkChild(
        gate.until(() => {
          tests++
          return isOpen
        }),
        { startImmediately: true }
      )
      for (let change = 0; change < 10; change++) gate.look()
      yield* microtasks
      assert.strictEqual(tests, 2, "once at first, and once for all ten")
      isOpen = true
      gate.look()
      yield* Fiber.join(waiting)
      assert.strictEqual(tests, 3)
    })
  )

  it.live("that rests does not test its condition before the event loop has had its turn, and then does", () =>
    Effect.gen(function* () {
      const gate = new Gate()
      const tested: Array<string> = []
      let phase = "at first"
      const waiting = yield* Effect.forkChild(
        gate.until(() => {
          tested.push(phase)
          if (phase === "at first") {
            gate.look()
            gate.rest()
          }
          return phase === "after the turn"
        }),
        { startImmediately: true }
      )
      phase = "in the same turn"
      gate.look()
      yield* microtasks
      gate.look()
      yield* microtasks
      phase = "after the turn"
      yield* turn
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(tested, ["at first", "after the turn"])
    })
  )
})
