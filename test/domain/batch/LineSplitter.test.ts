import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { LineCounter, LineSplitter } from "../../../src/domain/batch/LineSplitter.ts"

/** All lines of the chunks: their text, and whether they were cut. */
const split = (chunks: ReadonlyArray<Uint8Array>, limit?: number) => {
  const splitter = new LineSplitter(limit)
  const whole = Buffer.concat(chunks)
  const lines: Array<{ index: number; text: string; oversized: boolean; ended: boolean }> = []
  const add = (line: ReturnType<LineSplitter["next"]>) => {
    if (line === undefined) return false
    const { bytes, start = Number.NaN, ...rest } = line
    assert.isTrue(whole.subarray(start, start + bytes.length).equals(bytes), "it is where it says")
    lines.push({ ...rest, text: bytes.toString("latin1") })
    return true
  }
  for (const chunk of chunks) {
    splitter.push(chunk)
    while (add(splitter.next()));
  }
  add(splitter.finish())
  assert.strictEqual(splitter.count, lines.length)
  return { lines, offset: splitter.offset }
}

const texts = (text: string) => split([Buffer.from(text)]).lines.map((line) => line.text)

const count = (chunks: ReadonlyArray<Uint8Array>) => {
  const counter = new LineCounter()
  for (const chunk of chunks) counter.push(chunk)
  return counter.total
}

const cut = (bytes: Buffer, sizes: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const chunks: Array<Buffer> = []
  let at = 0
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return [...chunks, bytes.subarray(at)]
}

/** Inputs made of what matters to a splitter: line ends, halves of them, byte order marks and other bytes. */
const Bytes = Schema.Array(Schema.Literals(["\n", "\r", "\r\n", "a", "bc", "\u00ef\u00bb\u00bf", "\u00ef", "\u00bb"]))
const Sizes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })))

describe("LineSplitter", () => {
  it("ends a line at a line feed, with or without a carriage return", () => {
    assert.deepStrictEqual(texts("a\nb\r\nc\rd\n"), ["a", "b", "c\rd"])
  })

  it("gives blank lines, but none after the last line end", () => {
    assert.deepStrictEqual(texts("\n\na\n\n"), ["", "", "a", ""])
    assert.deepStrictEqual(texts(""), [])
  })

  it("gives a last line without a line end, and says so", () => {
    const { lines, offset } = split([Buffer.from("a\nbc")])
    assert.deepStrictEqual(
      lines.map(({ ended, text }) => [text, ended]),
      [
        ["a", true],
        ["bc", false]
      ]
    )
    assert.strictEqual(offset, 4)
  })

  it("leaves out a byte order mark at the start, and only there", () => {
    const bom = "\u00ef\u00bb\u00bf"
    const bytes = (text: string) => [Buffer.from(text, "latin1")]
    assert.deepStrictEqual(
      split(bytes(`${bom}a\n${bom}b`)).lines.map((line) => line.text),
      ["a", `${bom}b`]
    )
    assert.deepStrictEqual(split(bytes(bom)).lines, [])
    assert.strictEqual(count(bytes(bom)), 0)
    assert.deepStrictEqual(
      split(bytes(`${bom}\n`)).lines.map((line) => line.text),
      [""]
    )
  })

  it("cuts a line of more bytes than the limit, and goes on with the next", () => {
    const { lines } = split([Buffer.from("abc\nabcd\nabc\r\nabcdefghijkl"), Buffer.from("mnop\nx")], 3)
    assert.deepStrictEqual(
      lines.map(({ oversized, text }) => [text, oversized]),
      [
        ["abc", false],
        ["abc", true],
        ["abc", false],
        ["abc", true],
        ["x", false]
      ]
    )
  })

  it("keeps of an endless line no more than the limit", () => {
    const splitter = new LineSplitter(1024)
    const chunk = Buffer.alloc(64 * 1024, "x")
    for (let i = 0; i < 800; i++) {
      splitter.push(chunk)
      assert.isUndefined(splitter.next())
    }
    const line = splitter.finish()
    assert.deepInclude(line, { oversized: true, index: 0 })
    assert.strictEqual(line?.bytes.length, 1024)
    assert.strictEqual(splitter.offset, 800 * 64 * 1024)
  })

  it.prop(
    "gives the same lines whatever the chunks, and all their bytes",
    { parts: Bytes, sizes: Sizes, limit: Schema.Literals([2, 5, 1000]) },
    ({ limit, parts, sizes }) => {
      const bytes = Buffer.from(parts.join(""), "latin1")
      const whole = split([bytes], limit)
      assert.deepStrictEqual(split(cut(bytes, sizes), limit), whole)
      if (whole.lines.length > 0) assert.strictEqual(whole.offset, bytes.length)
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "agrees with the counter",
    { parts: Bytes, sizes: Sizes },
    ({ parts, sizes }) => {
      const bytes = Buffer.from(parts.join(""), "latin1")
      assert.strictEqual(count(cut(bytes, sizes)), split([bytes]).lines.length)
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "gives what splitting the text at line feeds gives",
    { parts: Schema.Array(Schema.Literals(["a", "\n", "bc", "é", "{}"])) },
    ({ parts }) => {
      const text = parts.join("")
      const expected = text.split("\n")
      if (expected.at(-1) === "") expected.pop()
      assert.deepStrictEqual(
        texts(text).map((line) => Buffer.from(line, "latin1").toString("utf8")),
        expected
      )
    },
    { arbitrary: { runs: 1000 } }
  )
})
