import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ChunkOrder, type ResultBytes } from "../../../src/domain/batch/ChunkOrder.ts"

const bytes = (text: string): ResultBytes => ({ save: Buffer.from(text), errors: Buffer.alloc(0) })

describe("ChunkOrder", () => {
  it.prop(
    "writes the results of each chunk once, after those of all chunks before it, as soon as it can",
    { sizes: Schema.Array(Schema.Literals([1, 1, 2, 3, 8])), keys: Schema.Array(Schema.Finite) },
    ({ keys, sizes }) => {
      const written: Array<string> = []
      const order = new ChunkOrder(({ save }) => written.push(Buffer.from(save).toString()))
      const pieces = sizes.flatMap((size, sequence) => {
        order.open(sequence, size)
        return Array.from({ length: size }, () => sequence)
      })
      const shuffled = pieces
        .map((sequence, at) => ({ sequence, key: keys[at % Math.max(1, keys.length)] ?? 0 }))
        .sort((a, b) => a.key - b.key)
      const came = sizes.map(() => 0)
      for (const { sequence } of shuffled) {
        order.put(sequence, 1, bytes(`${sequence}`))
        came[sequence]! += 1
        // Of the first chunk that is not complete all that came is written, and of later ones nothing.
        const first = sizes.findIndex((size, at) => came[at]! < size)
        const through = first < 0 ? sizes.length - 1 : first
        const expected = sizes.flatMap((_, at) => (at <= through ? Array(came[at]!).fill(`${at}`) : []))
        assert.deepStrictEqual(written, expected)
        assert.strictEqual(order.held, came.reduce((sum, n) => sum + n, 0) - written.length)
        const all = sizes.flatMap((_, at) => Array(came[at]!).fill(`${at}`)).join("").length
        assert.strictEqual(order.bytes, all - written.join("").length)
      }
      assert.deepStrictEqual(written, pieces.map(String))
    }
  )

  it("refuses results that a chunk cannot have", () => {
    const order = new ChunkOrder(() => {})
    order.open(0, 1)
    assert.throws(() => order.put(0, 2, bytes("a")), /no 2 rows open/)
    assert.throws(() => order.put(1, 1, bytes("a")), /no 1 rows open/)
  })
})
