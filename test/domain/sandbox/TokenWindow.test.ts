import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { TokenWindow } from "../../../src/domain/sandbox/TokenWindow.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const Step = Schema.Tuple([
  Schema.Literals([0, 0, 0.25, 1, 10, 499, 500, 999, 1000, 1001, 5000]),
  Schema.Literals([0, 1, 7, 100]),
  Schema.Literals([0, 2, 50, 300])
])

describe("TokenWindow", () => {
  it.prop(
    "finds the maxima that a filter over all events finds",
    [Schema.Array(Step)],
    ([steps]) => {
      const window = new TokenWindow(1000)
      const events: Array<{ readonly at: number; readonly input: number; readonly output: number }> = []
      let now = 100
      let [input, output, total] = [0, 0, 0]
      for (const [gap, inputs, outputs] of steps) {
        now += gap
        window.add(now, inputs, outputs)
        events.push({ at: Math.floor(now), input: inputs, output: outputs })
        const inside = events.filter((event) => event.at + 1000 > Math.floor(now))
        const sum = (of: (event: (typeof events)[number]) => number) =>
          inside.reduce((all, event) => all + of(event), 0)
        input = Math.max(
          input,
          sum((event) => event.input)
        )
        output = Math.max(
          output,
          sum((event) => event.output)
        )
        total = Math.max(
          total,
          sum((event) => event.input + event.output)
        )
      }
      assert.deepStrictEqual([window.maxInput, window.maxOutput, window.maxTotal], [input, output, total])
    },
    { arbitrary: listsUpTo(100) }
  )

  it("goes on counting right when many entries have left", () => {
    const window = new TokenWindow(1000)
    for (let at = 0; at < 20_000; at++) window.add(at, 1, 2)
    assert.deepStrictEqual([window.maxInput, window.maxOutput, window.maxTotal], [1000, 2000, 3000])
  })
})
