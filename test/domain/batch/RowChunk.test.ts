import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { RawLine } from "../../../src/domain/batch/LineSplitter.ts"
import { type ChunkLines, chunkOf, lineAt, RowChunk, spanOf } from "../../../src/domain/batch/RowChunk.ts"
import { listsUpTo } from "../../support/RandomLists.ts"

const line = (index: number, text: string, oversized = false): RawLine => ({
  index,
  bytes: Buffer.from(text),
  oversized,
  ended: true
})

/** The input that these lines stand in, one after the other with something between, and the lines with their places. */
const inputOf = (lines: ReadonlyArray<RawLine>, first = 0) => {
  let text = "x".repeat(first)
  const placed = lines.map((one) => {
    const start = text.length
    text += `${one.bytes.toString("latin1")}\n-`
    return { ...one, start }
  })
  return { input: Buffer.from(text, "latin1"), placed }
}

/** As a process does that has the input. */
const read = (lines: ChunkLines, input: Buffer): Uint8Array =>
  lines.at === undefined ? lines.bytes : Uint8Array.from(input.subarray(lines.at, lines.at + (lines.ends.at(-1) ?? 0)))

const textsOf = (chunk: RowChunk | undefined, input = Buffer.alloc(0)): ReadonlyArray<readonly [number, string]> =>
  chunk === undefined
    ? []
    : Array.from({ length: chunk.rows }, (_, position) => {
        const { bytes, index } = lineAt(chunk.all, position, read(chunk.all, input))
        return [index, bytes.toString()] as const
      })

describe("a chunk of lines", () => {
  it("has the lines that it was made of, blank, cut and not next to each other too", () => {
    const lines = [line(3, "a"), line(4, ""), line(9, "äöü"), line(2 ** 40, "cut", true), line(2 ** 40 + 1, "")]
    const chunk = chunkOf(lines, "openai")
    assert.strictEqual(chunk.format, "openai")
    assert.deepStrictEqual(
      lines.map((_, position) => lineAt(chunk, position)),
      lines
    )
  })

  it("tells where the lines stand, for who can read them", () => {
    const lines = [line(3, "a"), line(4, ""), line(9, "äöü"), line(2 ** 40, "cut", true)]
    const { input, placed } = inputOf(lines, 1000)
    const span = spanOf(placed, "gemini")
    assert.strictEqual(span.bytes.length, 0)
    assert.deepStrictEqual(
      lines.map((_, position) => lineAt(span, position, read(span, input))),
      lines
    )
  })

  it("is a copy", () => {
    const bytes = Buffer.from("first")
    const chunk = chunkOf([{ ...line(0, ""), bytes }], undefined)
    bytes.write("other")
    assert.strictEqual(lineAt(chunk, 0).bytes.toString(), "first")
  })
})

describe("RowChunk", () => {
  it.prop(
    "gives what is not settled to another process, whole, and holds little more than that",
    { keys: Schema.Array(Schema.Finite), part: Schema.Finite, again: Schema.Finite, isSpan: Schema.Boolean },
    ({ again, isSpan, keys, part }) => {
      const lines = keys.map((_, index) => line(2 * index, `${index}`.repeat(1 + (index % 7))))
      const share = (of: number, by: number) => Math.floor((Math.abs(Math.sin(by)) || 0) * of)
      let open = lines.map(({ bytes, index }) => [index, bytes.toString()] as const)
      const { input, placed } = inputOf(lines)
      let chunk: RowChunk | undefined = new RowChunk(5, isSpan ? spanOf(placed, undefined) : chunkOf(lines, undefined))
      // Settled in any order, and taken over twice.
      for (const by of [part, again]) {
        if (chunk === undefined) break
        const order = open.map((_, position) => position).sort((a, b) => keys[a]! - keys[b]! || a - b)
        const settled = new Set(order.slice(0, share(open.length, by)))
        for (const position of settled) chunk.settle(position)
        open = open.filter((_, position) => !settled.has(position))
        assert.strictEqual(chunk.left, open.length)
        const bytes = open.reduce((sum, [, text]) => sum + text.length, 0)
        if (open.length === 0) assert.strictEqual(chunk.size, 0)
        else if (settled.size * 4 >= chunk.rows * 3 + 4) assert.isAtMost(chunk.size, 4 * 7 * 4 * (bytes + 4))
        chunk = chunk.rest()
        assert.deepStrictEqual(textsOf(chunk, input), open)
        if (chunk !== undefined) assert.strictEqual(chunk.sequence, 5)
      }
    },
    { arbitrary: listsUpTo(60) }
  )

  it("lets go of what is settled", () => {
    const lines = Array.from({ length: 100 }, (_, index) => line(index, "x".repeat(100)))
    const chunk = new RowChunk(0, chunkOf(lines, undefined))
    for (let position = 0; position < 99; position++) chunk.settle(position)
    assert.isAtMost(chunk.size, 400)
    assert.deepStrictEqual(textsOf(chunk.rest()), [[99, "x".repeat(100)]])
  })

  it("refuses to settle a row twice, or one that it does not have", () => {
    const chunk = new RowChunk(0, chunkOf([line(0, "a"), line(1, "b")], undefined))
    chunk.settle(1)
    assert.throws(() => chunk.settle(1), /is not open/)
    assert.throws(() => chunk.settle(2), /is not open/)
  })
})
