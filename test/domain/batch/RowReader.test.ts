import { assert, describe, it } from "@effect/vitest"
import { resultFormats } from "../../../src/domain/batch/ResultLine.ts"
import { RowReader } from "../../../src/domain/batch/RowReader.ts"
import type { Part } from "../../../src/domain/genai/GenAiRequest.ts"
import { geminiText, line, openaiText, problemOf, readAll, readOne } from "./Fixtures.ts"

const formats = (rows: ReadonlyArray<unknown>, anyObject = false) =>
  readAll(rows, { anyObject }).map((read) => (read._tag === "Row" ? read.format : "invalid"))

describe("the format of an input", () => {
  it("is that of its first row", () => {
    assert.deepStrictEqual(formats([openaiText, openaiText]), ["openai", "openai"])
    assert.deepStrictEqual(formats([geminiText]), ["gemini"])
    assert.deepStrictEqual(formats([{ input: "x" }, geminiText]), ["own", "invalid"])
    assert.deepStrictEqual(formats([openaiText, { input: "x" }]), ["openai", "invalid"])
  })

  it("is not settled by what is no row in any", () => {
    assert.deepStrictEqual(formats(["", "{", "[]", "{}", { input: null, raw: "x" }, geminiText]).at(-1), "gemini")
  })

  it("is ours for objects of other kinds where any object is a row", () => {
    assert.deepStrictEqual(formats([{ any: "thing" }, openaiText], true), ["own", "own"])
    assert.deepStrictEqual(formats([openaiText], true), ["openai"])
  })

  it("can be given, whatever the rows look like", () => {
    assert.include(problemOf(geminiText, { format: "own" }), "messages")
    assert.strictEqual(readOne(openaiText, { format: "own", anyObject: true }).format, "own")
    assert.include(problemOf({ input: "x" }, { format: "openai" }), "custom_id")
  })

  it("is told by lines that are only looked at", () => {
    const reader = new RowReader({ anyObject: false, format: "auto" })
    assert.isUndefined(reader.format)
    reader.see(line(JSON.stringify(openaiText)))
    assert.strictEqual(reader.format, "openai")
    assert.strictEqual(reader.read(line('{"input":"x"}'))._tag, "InvalidRow")
  })
})

describe("a line of an errors file that was no row", () => {
  it.each(["own", "openai", "gemini"] as const)(
    "is none again, with its first text and fault, as %s writes it: also where any object is a row",
    (format) => {
      const [first] = readAll(["{bad"])
      assert.strictEqual(first?._tag, "InvalidRow")
      if (first?._tag !== "InvalidRow") return
      const written = resultFormats[format].invalid(first)
      for (const anyObject of [false, true]) {
        const [again] = readAll([written], { anyObject })
        assert.deepInclude(again, { _tag: "InvalidRow", error: first.error, raw: "{bad" })
      }
    }
  )
})

describe("a row of our own", () => {
  it("may have parts, extra members and a wish for the raw answer", () => {
    const content: ReadonlyArray<Part> = [
      { type: "text", text: "What is this?" },
      { type: "data", mimeType: "image/png", data: "iVBORw0KGgo=" },
      { type: "uri", uri: "gs://bucket/a.pdf", mimeType: "application/pdf" },
      { type: "uri", uri: "https://images.example.com/a.png" }
    ]
    const extra = { tools: [{ name: "look" }], nested: { a: 1 } }
    const row = readOne({ messages: [{ role: "user", content }], extra, raw: true })
    assert.deepStrictEqual(row.request, { messages: [{ role: "user", content }], extra, keepRaw: true })
    assert.notProperty(readOne({ input: "x", raw: false, extra: null }).request, "keepRaw")
  })

  it.each<[object, string]>([
    [{ input: "x", extra: [1] }, "extra: expected an object, got a list"],
    [{ input: "x", raw: "yes" }, 'raw: expected true or false, got "yes"'],
    [{ messages: [{ role: "user", content: 3 }] }, "messages[0].content: expected text or a list of parts, got 3"],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      'messages[0].content[0]: expected a part of type "text", "data" or "uri", got an object'
    ],
    [
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "a" },
              { type: "data", data: "AA==" }
            ]
          }
        ]
      },
      'messages[0].content[1].mimeType: expected text such as "image/png", got nothing'
    ],
    [
      { messages: [{ role: "user", content: ["a"] }] },
      'messages[0].content[0]: expected a part of type "text", "data" or "uri", got "a"'
    ]
  ])("names what is wrong with %j", (row, expected) => {
    assert.strictEqual(problemOf(row), expected)
  })

  it("always asks for the raw answer where results need it", () => {
    assert.isTrue(readOne({ input: "x" }, { keepRaw: true }).request.keepRaw)
    assert.isTrue(readOne(geminiText, { keepRaw: true }).request.keepRaw)
  })
})

describe("a line with our marks", () => {
  const marks = { index: 4, hash: "0123456789abcdef", reason: "TimedOut" }

  it("is the row without them", () => {
    const row = readOne({ ...openaiText, _dispatcher: marks })
    assert.deepStrictEqual(row.source, openaiText)
  })

  it("is the row that they hold", () => {
    const source = { id: 7, input: "x", metadata: [1] }
    const row = readOne({ custom_id: "7", response: null, error: {}, _dispatcher: { ...marks, row: source } })
    assert.deepInclude(row, { format: "own", id: 7 })
    assert.deepStrictEqual(row.source, source)
  })

  it("has the row's own member of that name when it is not ours", () => {
    assert.deepStrictEqual(readOne({ any: 1, _dispatcher: { row: {} } }, { anyObject: true }).request.body, {
      any: 1,
      _dispatcher: { row: {} }
    })
  })
})
