import { assert, describe, it } from "@effect/vitest"
import { own } from "../../../src/domain/batch/formats/OwnResults.ts"
import * as ResultLine from "../../../src/domain/batch/ResultLine.ts"
import { rowFailure } from "../../../src/domain/batch/RowFailure.ts"
import { RowReader } from "../../../src/domain/batch/RowReader.ts"
import { GenAiError, Overloaded } from "../../../src/domain/genai/GenAiError.ts"

const read = (text: string, index = 4) =>
  new RowReader({ anyObject: false }).read({ index, bytes: Buffer.from(text), oversized: false, ended: true })

const row = (text: string, index?: number) => {
  const result = read(text, index)
  return result._tag === "Row" ? result : assert.fail(result.error)
}

const answer = {
  text: "Because.",
  finishReason: "stop",
  model: "m-1",
  usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
  endpoint: "east",
  attempts: 2,
  latencyMs: 12.6
}

const text = '{"id":"a","input":"Why?","metadata":{"n":1},"note":"mine","endpoint":"old","line":99}'

describe("the line of a saved row", () => {
  it("has the answer, the row's own names and what it took", () => {
    const asked = row(text)
    assert.deepStrictEqual(JSON.parse(own.saved(asked, answer, 0)), {
      response: "Because.",
      index: 4,
      id: "a",
      input: "Why?",
      endpoint: "east",
      model: "m-1",
      usage: { input_tokens: 3, output_tokens: 2, total_tokens: 5 },
      attempts: 2,
      latency_ms: 13,
      finish_reason: "stop",
      metadata: { n: 1 },
      hash: asked.hash
    })
  })

  it("has null for what the provider did not say", () => {
    const line = JSON.parse(
      own.saved(
        row('{"input":"x"}'),
        {
          ...answer,
          model: undefined,
          usage: undefined,
          finishReason: undefined
        },
        0
      )
    )
    assert.deepInclude(line, { model: null, usage: null, finish_reason: null })
    assert.notProperty(line, "id")
    assert.notProperty(line, "metadata")
  })
})

describe("the line of a failed row", () => {
  const failure = rowFailure(
    new GenAiError({ message: "All endpoints are busy.", reason: new Overloaded({ status: 503 }), attempts: 5 })
  )

  it("has the whole row, with the failure's own facts over those of an earlier one", () => {
    const asked = row(text)
    assert.deepStrictEqual(JSON.parse(own.failed(asked, failure)), {
      id: "a",
      input: "Why?",
      metadata: { n: 1 },
      note: "mine",
      error: "All endpoints are busy.",
      reason: "Overloaded",
      index: 4,
      line: 5,
      attempts: 5,
      hash: asked.hash
    })
  })

  it("is a row that asks for the same again", () => {
    const first = row(text)
    const again = row(own.failed(first, failure), 0)
    assert.deepStrictEqual(again.request, first.request)
    assert.strictEqual(again.id, first.id)
  })
})

describe("the line of an invalid row", () => {
  it("has null for input and the text apart, so that it is invalid again", () => {
    const first = read('{"input": 3')
    if (first._tag !== "InvalidRow") return assert.fail("a row")
    const line = own.invalid(first)
    const parsed = JSON.parse(line)
    assert.deepInclude(parsed, {
      input: null,
      reason: "InvalidRow",
      index: 4,
      line: 5,
      attempts: 0,
      raw: '{"input": 3'
    })
    assert.isString(parsed.error)
    assert.strictEqual(read(line)._tag, "InvalidRow")
  })
})

describe("readResultLine", () => {
  it("reads every kind of line", () => {
    const saved = ResultLine.readResultLine(own.saved(row(text), answer, 0))
    assert.deepStrictEqual(saved, { index: 4, hash: row(text).hash, reason: undefined })
    const invalid = read("x")
    if (invalid._tag !== "InvalidRow") return assert.fail("a row")
    assert.deepInclude(ResultLine.readResultLine(own.invalid(invalid)), { index: 4, reason: "InvalidRow" })
  })

  it.each([
    "",
    "{",
    "[]",
    "3",
    "{}",
    '{"index":1}',
    '{"index":-1,"hash":"0123456789abcdef"}',
    '{"index":1.5,"hash":"0123456789abcdef"}',
    '{"index":1,"hash":"xyz"}'
  ])("does not take %j for a result", (line) => assert.isUndefined(ResultLine.readResultLine(line)))
})
