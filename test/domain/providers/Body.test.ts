import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Body from "../../../src/domain/providers/Body.ts"

const Members = Schema.Record(Schema.String, Schema.Json)

describe("members merged into a body", () => {
  it("win, object by object", () => {
    const base = { a: { b: 1, c: { d: 2 } }, e: 3 }
    const over = { a: { c: { d: 4, f: 5 } }, g: 6 }
    assert.deepStrictEqual(Body.merge(base, over), { a: { b: 1, c: { d: 4, f: 5 } }, e: 3, g: 6 })
  })

  it("replace lists, nulls and plain values as a whole, and are replaced so", () => {
    const base = { a: [1, 2], b: null, c: 1, d: { x: 1 }, e: { x: 1 }, f: { x: 1 } }
    const over = { a: [3], b: { y: 1 }, c: { y: 1 }, d: [1], e: null, f: 2 }
    assert.deepStrictEqual(Body.merge(base, over), over)
  })

  it.prop(
    "leave a body alone when there are none, and are all there afterwards",
    [Members, Members],
    ([base, over]) => {
      assert.deepStrictEqual(Body.merge(base, {}), base)
      assert.deepStrictEqual(Body.merge({}, over), over)
      assert.deepStrictEqual(Body.merge(over, over), over)
      assert.sameMembers(Object.keys(Body.merge(base, over)), [
        ...new Set([...Object.keys(base), ...Object.keys(over)])
      ])
    }
  )

  it("are nothing but members, whatever their names", () => {
    const over = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')
    const merged = Body.merge(JSON.parse('{"__proto__":{"a":1}}'), over)
    assert.strictEqual(JSON.stringify(merged), '{"__proto__":{"a":1,"polluted":true},"constructor":1}')
    assert.notProperty({}, "polluted")
  })

  it("change neither of the two", () => {
    const base = { a: { b: 1 } }
    const over = { a: { c: 2 } }
    Body.merge(base, over)
    assert.deepStrictEqual([base, over], [{ a: { b: 1 } }, { a: { c: 2 } }])
  })

  it("are left out where they are fixed, at the top only", () => {
    const json = Body.extend('{"stream":true,"a":{"stream":1}}', { stream: false, a: { stream: 2 } }, ["stream"])
    assert.strictEqual(Result.getOrThrow(json), '{"stream":true,"a":{"stream":2}}')
  })
})
