import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { InOrder } from "../../../src/domain/batch/InOrder.ts"

describe("InOrder", () => {
  it.prop(
    "gives every result once, in the order of the numbers, as soon as it can",
    { keys: Schema.Array(Schema.Finite) },
    ({ keys }) => {
      const shuffled = keys.map((key, number) => ({ key, number })).sort((a, b) => a.key - b.key)
      const emitted: Array<number> = []
      const order = new InOrder<{ number: number }>((result) => emitted.push(result.number))
      const seen = new Set<number>()
      for (const { number } of shuffled) {
        order.put(number, { number })
        seen.add(number)
        let ready = 0
        while (seen.has(ready)) ready += 1
        assert.strictEqual(emitted.length, ready)
      }
      assert.deepStrictEqual(
        emitted,
        keys.map((_, number) => number)
      )
    }
  )
})
