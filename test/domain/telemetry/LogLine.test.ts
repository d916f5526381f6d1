import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { jsonLine, textLine } from "../../../src/domain/telemetry/LogLine.ts"
import { record } from "../../support/Records.ts"

const whole = {
  time: "2026-01-02T03:04:05.678Z",
  id: "request-1",
  method: "POST",
  route: "openai.chat",
  key: "team-a",
  model: "fast",
  endpoint: "east",
  status: 200,
  attempts: 1,
  first_byte_ms: 30.2,
  duration_ms: 42.5,
  input_tokens: 12,
  output_tokens: 40
}

describe("a line", () => {
  it("tells a request as JSON", () => {
    assert.deepStrictEqual(JSON.parse(jsonLine(record())), whole)
  })

  it("tells what went wrong, and leaves out what is not known", () => {
    const failed = record({
      status: 499,
      problem: "Overloaded",
      isAborted: true,
      isStreamed: true,
      endpoint: undefined,
      key: undefined,
      attempts: 0,
      firstByteMs: undefined,
      inputTokens: undefined,
      outputTokens: undefined
    })
    assert.deepStrictEqual(JSON.parse(jsonLine(failed)), {
      time: "2026-01-02T03:04:05.678Z",
      id: "request-1",
      method: "POST",
      route: "openai.chat",
      model: "fast",
      status: 499,
      problem: "Overloaded",
      duration_ms: 42.5,
      streamed: true,
      aborted: true
    })
  })

  it("tells a request as text for people", () => {
    assert.strictEqual(
      textLine(record({ model: 'a "b"' })),
      'time=2026-01-02T03:04:05.678Z id=request-1 method=POST route=openai.chat key=team-a model="a \\"b\\"" endpoint=east ' +
        "status=200 attempts=1 first_byte_ms=30.2 duration_ms=42.5 input_tokens=12 output_tokens=40\n"
    )
  })

  it.prop("is one line of printable text whatever the names are, and keeps them", [Schema.String], ([name]) => {
    for (const name2 of [name, `${name}\r\n\u001b[31m\u009b\u2028\u202e"\\`]) {
      const named = record({ key: name2, problem: name2, method: name2 })
      const line = jsonLine(named)
      assert.deepInclude(JSON.parse(line), { key: name2, problem: name2, method: name2 })
      for (const text of [line, textLine(named)]) {
        assert.strictEqual(text.indexOf("\n"), text.length - 1)
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
        assert.notMatch(text.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/)
      }
    }
  })

  it("stays JSON when a figure is none", () => {
    assert.notProperty(JSON.parse(jsonLine(record({ durationMs: Number.NaN }))), "duration_ms")
  })
})
