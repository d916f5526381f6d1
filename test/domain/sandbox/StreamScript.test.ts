import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { FaultName } from "../../../src/domain/sandbox/FailureMix.ts"
import { scriptOf } from "../../../src/domain/sandbox/StreamScript.ts"

const stream = { headers: [], frames: ["aaaa", "bbbb", "cccc", "dddd", "end!"] }

describe("scriptOf", () => {
  it("spreads the frames over the latency, so that the last comes when it has passed", () => {
    const script = scriptOf(stream, "err", undefined, 100, undefined)
    assert.deepStrictEqual(script, { frames: stream.frames, firstMs: 20, gapMs: 20, ending: "end" })
    assert.strictEqual(script.firstMs + (script.frames.length - 1) * script.gapMs, 100)
  })

  it("sends the first frame after the latency and the others at the delay that is set", () => {
    assert.deepInclude(scriptOf(stream, "err", undefined, 100, 7), { firstMs: 100, gapMs: 7 })
  })

  it("breaks off in the middle as the failure says", () => {
    const broken = (fault: FaultName) => {
      const { frames, ending } = scriptOf(stream, "err", fault, 100, undefined)
      return [frames, ending]
    }
    assert.deepStrictEqual(broken("reset"), [["aaaa", "bbbb"], "reset"])
    assert.deepStrictEqual(broken("stall-body"), [["aaaa", "bbbb"], "stall"])
    assert.deepStrictEqual(broken("truncated"), [["aaaa", "bb"], "end"])
    assert.deepStrictEqual(broken("stream-error"), [["aaaa", "bbbb", "err"], "end"])
    assert.deepStrictEqual(broken("empty"), [[], "end"])
  })

  it.prop(
    "never sends a whole answer that fails, however few frames it has, and always begins before it breaks off",
    [Schema.Literals([2, 3, 8]), FaultName.pick(["reset", "stall-body", "truncated", "stream-error"])],
    ([count, fault]) => {
      const frames = Array.from({ length: count }, (_, index) => `frame ${index};`)
      const script = scriptOf({ headers: [], frames }, "err", fault, 0, undefined)
      const text = script.frames.join("").replace(/err$/, "")
      assert.isNotEmpty(text)
      assert.isBelow(text.length, frames.join("").length)
      assert.isTrue(frames.join("").startsWith(text))
    }
  )
})
