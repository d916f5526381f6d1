import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import type { RawLine } from "../../../src/domain/batch/LineSplitter.ts"
import type { InvalidRow, Row } from "../../../src/domain/batch/Row.ts"
import { type RowOptions, RowReader } from "../../../src/domain/batch/RowReader.ts"

const readRow = (line: RawLine, options: RowOptions) => new RowReader(options).read(line)
const rawLine = (bytes: Buffer, index = 6): RawLine => ({ index, bytes, oversized: false, ended: true })
const read = (text: string, anyObject = false) => readRow(rawLine(Buffer.from(text)), { anyObject })

const row = (value: unknown, anyObject = false): Row => {
  const result = read(JSON.stringify(value), anyObject)
  if (result._tag === "InvalidRow") return assert.fail(result.error)
  return result
}

const invalid = (text: string, anyObject = false): InvalidRow => {
  const result = read(text, anyObject)
  if (result._tag === "Row") return assert.fail(`a row: ${text}`)
  return result
}

const problem = (value: unknown) => invalid(JSON.stringify(value)).error

describe("readRow", () => {
  it("reads a text as one turn of the user", () => {
    const read = row({ input: "Why is the sky blue?" })
    assert.deepStrictEqual(read.request, { messages: [{ role: "user", content: "Why is the sky blue?" }] })
    assert.deepStrictEqual(read.asked, { input: "Why is the sky blue?" })
    assert.strictEqual(read.index, 6)
  })

  it("reads a conversation and every parameter", () => {
    const value = {
      id: "q-1",
      session: 42,
      system: "Be brief.",
      model: "m-1",
      temperature: 0.2,
      max_tokens: 80,
      metadata: { topic: "sky" },
      messages: [
        { role: "user", content: "Hello", name: "extra" },
        { role: "assistant", content: "Hi" }
      ],
      note: "kept"
    }
    const read = row(value)
    assert.deepStrictEqual(read.request, {
      messages: [
        { role: "user", content: "Hello" },
        { role: "assistant", content: "Hi" }
      ],
      system: "Be brief.",
      model: "m-1",
      temperature: 0.2,
      maxTokens: 80
    })
    assert.strictEqual(read.id, "q-1")
    assert.strictEqual(read.session, "42")
    assert.deepStrictEqual(read.metadata, { topic: "sky" })
    assert.deepStrictEqual(read.asked, { messages: value.messages })
    assert.deepStrictEqual(read.source, value)
  })

  it("reads null as absent, as exporters write it", () => {
    const read = row({ input: "x", id: null, session: null, system: null, temperature: null, messages: null })
    assert.deepStrictEqual(read.request, { messages: [{ role: "user", content: "x" }] })
    assert.isUndefined(read.id)
    assert.isUndefined(read.session)
  })

  it("reads a body for endpoints that take any JSON", () => {
    const read = row({ body: { text: "x" }, id: 3 })
    assert.deepStrictEqual(read.request, { messages: [], body: { text: "x" } })
    assert.deepStrictEqual(read.asked, { body: { text: "x" } })
  })

  it("hashes the bytes of the line, so that sha1sum gives the same", () => {
    const text = '{"input":"ä"}'
    assert.strictEqual(read(text).hash, createHash("sha1").update(text).digest("hex").slice(0, 16))
  })

  it.each<[unknown, string]>([
    [{ input: 3 }, "input: expected text, got 3"],
    [{ input: null }, "input: expected text, got null"],
    [{ prompt: "x" }, 'expected a field "input" (text), "messages" or "body"; there is none'],
    [{ input: "x", max_tokens: "x" }, 'max_tokens: expected a whole number above 0, got "x"'],
    [{ input: "x", max_tokens: 0 }, "max_tokens: expected a whole number above 0, got 0"],
    [{ input: "x", max_tokens: 1.5 }, "max_tokens: expected a whole number above 0, got 1.5"],
    [{ input: "x", temperature: "hot" }, 'temperature: expected a number, got "hot"'],
    [{ input: "x", id: true }, "id: expected text or a number, got true"],
    [{ input: "x", id: {} }, "id: expected text or a number, got an object"],
    [{ input: "x", session: [1] }, "session: expected text or a number, got a list"],
    [{ input: "x", system: 1 }, "system: expected text, got 1"],
    [{ input: "x", messages: [{ role: "user", content: "y" }] }, 'has both "input" and "messages"; keep one of them'],
    [{ messages: "x" }, 'messages: expected a list of messages, got "x"'],
    [{ messages: [] }, "messages: expected at least one message, got an empty list"],
    [{ messages: [3] }, 'messages[0]: expected an object with "role" and "content", got 3'],
    [
      {
        messages: [
          { role: "user", content: "y" },
          { role: "robot", content: "y" }
        ]
      },
      'messages[1].role: expected "system", "user" or "assistant", got "robot"'
    ],
    [{ messages: [{ role: "user" }] }, "messages[0].content: expected text or a list of parts, got nothing"],
    [
      { input: "x", model: "m".repeat(50), temperature: "n".repeat(50) },
      `temperature: expected a number, got "${"n".repeat(39)}...`
    ],
    [[1], "expected a JSON object, got a list"],
    ["text", 'expected a JSON object, got "text"'],
    [null, "expected a JSON object, got null"]
  ])("names what is wrong with %j", (value, expected) => {
    assert.strictEqual(problem(value), expected)
  })

  it("refuses numbers that JSON cannot bring over whole", () => {
    assert.include(invalid('{"input":"x","id":12345678901234567890}').error, "id: the number is too large")
    assert.include(invalid('{"input":"x","temperature":1e999}').error, "temperature: expected a number")
  })

  it("names a line that is no JSON, and keeps its text", () => {
    const found = invalid('{"input": "x"')
    assert.include(found.error, "the line is not valid JSON: ")
    assert.strictEqual(found.raw, '{"input": "x"')
    assert.strictEqual(invalid("   ").error, "the line is blank")
  })

  it("keeps the id of an invalid row when it has one", () => {
    assert.strictEqual(invalid('{"id":"a","input":1}').id, "a")
    assert.isUndefined(invalid('{"id":[],"input":1}').id)
  })

  it("refuses half of a surrogate pair anywhere, and takes a whole one", () => {
    assert.strictEqual(row(JSON.parse('{"input":"\\ud83d\\ude00"}')).asked["input"], "\u{1f600}")
    for (const [text, where] of [
      ['{"input":"a\\ud800"}', "input"],
      ['{"messages":[{"role":"user","content":"\\udc00"}]}', "messages[0].content"],
      ['{"input":"x","metadata":{"a":["\\ud800x"]}}', "metadata.a[0]"]
    ] as const) {
      const found = invalid(text)
      assert.strictEqual(found.error, `${where}: has half of a surrogate pair, which is no character`)
      assert.strictEqual(found.raw, text)
    }
    assert.include(invalid('{"input":"x","\\ud800":1}').error, "half of a surrogate pair")
    assert.include(invalid('{"any":"\\ud800"}', true).error, "any: has half")
  })

  it("refuses what is nested too deeply to be written again, and takes what is not", () => {
    const nested = (levels: number) => `{"input":"x","metadata":${"[".repeat(levels)}${"]".repeat(levels)}}`
    assert.strictEqual(invalid(nested(1_000_000)).error, "the row is nested more than 500 levels deep")
    assert.strictEqual(invalid(nested(500), true).error, "the row is nested more than 500 levels deep")
    assert.strictEqual(read(nested(499))._tag, "Row")
  })

  it("refuses bytes that are no UTF-8 and shows the rest", () => {
    const bytes = Buffer.concat([Buffer.from('{"input":"a'), Buffer.from([0xff, 0xed, 0xa0, 0x80]), Buffer.from('"}')])
    const found = readRow(rawLine(bytes), { anyObject: true })
    assert.deepInclude(found, { _tag: "InvalidRow", error: "the line is not valid UTF-8" })
    assert.isTrue(found._tag === "InvalidRow" && found.raw.startsWith('{"input":"a\ufffd') && found.raw.endsWith('"}'))
  })

  it("shows of an oversized line its first 1,000 characters", () => {
    const bytes = Buffer.from("\u{1f600}".repeat(2000))
    const found = readRow({ index: 0, bytes, oversized: true, ended: true }, { anyObject: true })
    assert.deepInclude(found, { error: "the line is longer than 16 MiB", raw: "\u{1f600}".repeat(500) })
  })
})

describe("readRow, any object", () => {
  it("takes the object itself as the body", () => {
    const value = { prompt: "x", input: 3, id: 7, session: "s", metadata: [1] }
    const read = row(value, true)
    assert.deepStrictEqual(read.request, { messages: [], body: value })
    assert.deepStrictEqual(read.asked, { body: value })
    assert.strictEqual(read.id, 7)
    assert.strictEqual(read.session, "s")
    assert.deepStrictEqual(read.source, { id: 7, session: "s", metadata: [1], body: value })
  })

  it("reads the source of a row as the same row", () => {
    const first = row({ prompt: "x", id: 7, index: 99, error: "mine" }, true)
    const again = row(first.source, true)
    assert.deepStrictEqual(again.request, first.request)
    assert.deepStrictEqual(again.source, first.source)
    const raw = row({ prompt: "x", raw: true }, true)
    assert.deepStrictEqual(row(raw.source, true).request, raw.request)
  })

  it("takes the field body when there is one", () => {
    const read = row({ body: [1], id: "a" }, true)
    assert.deepStrictEqual(read.request, { messages: [], body: [1] })
    assert.strictEqual(read.id, "a")
  })

  it("still reads what endpoints of other kinds need", () => {
    assert.deepStrictEqual(row({ input: "x", model: "m" }, true).request, {
      messages: [{ role: "user", content: "x" }],
      model: "m",
      body: { input: "x", model: "m" }
    })
  })

  it("refuses what is no object", () => {
    assert.strictEqual(invalid("[1]", true).error, "expected a JSON object, got a list")
  })
})
