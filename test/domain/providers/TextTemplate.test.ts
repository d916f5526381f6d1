/** Events that differ in their text alone are not parsed: what is read from them must be what parsing them would give. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Providers from "../../../src/domain/providers/Providers.ts"
import type { StreamItem } from "../../../src/domain/providers/StreamDecoder.ts"
import { TextTemplate } from "../../../src/domain/providers/TextTemplate.ts"

const target = { baseUrl: new URL("https://llm.example.com/v1"), model: "m", headers: {}, parameters: {} }

/** Events with which an answer begins, and of whose text nothing can be learnt. */
const BEGINNINGS = {
  openai: '{"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0}]}}]}',
  anthropic: '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}'
}

type Kind = "openai" | "anthropic"

const decoderOf = (kind: Kind) => Providers.make(kind, target).stream(undefined, 0, true)

const bytes = (data: string) => new TextEncoder().encode(`data: ${data}\n\n`)

/** What is read from events by one decoder, after the beginning. */
const together = (kind: Kind, events: ReadonlyArray<string>): ReadonlyArray<StreamItem> => {
  const decoder = decoderOf(kind)
  decoder.push(bytes(BEGINNINGS[kind]))
  return events.flatMap((data) => [...decoder.push(bytes(data))])
}

/** The same when none can have learnt from another: each by a decoder of its own. */
const apart = (kind: Kind, events: ReadonlyArray<string>): ReadonlyArray<StreamItem> =>
  events.flatMap((data) => together(kind, [data]))

const piece = (content: string) =>
  `{"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":${content}},"finish_reason":null}]}`

const spaced = (content: string) =>
  `{ "model" : "m", "choices": [ {"delta" : { "role":"assistant", "content" :  ${content} } , "index":0 } ] }`

const block = (content: string) =>
  `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":${content}}}`

/** All that is not ASCII, and every second letter, as escapes. */
const escaped = (text: string) =>
  `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`

describe("pieces of a text", () => {
  for (const [kind, shape] of [
    ["openai", piece],
    ["openai", spaced],
    ["anthropic", block]
  ] as const) {
    it.prop(
      `are read as if each came alone, whatever they are and however they are spelt: ${kind}, ${shape("...")}`,
      [Schema.Array(Schema.String)],
      ([texts]) => {
        const spellings = ["word", ...texts, '"', "\\", "a\nb", "\u2028", "m", "assistant"].flatMap((text) => [
          shape(JSON.stringify(text)),
          shape(escaped(text))
        ])
        assert.deepStrictEqual(together(kind, spellings), apart(kind, spellings))
      }
    )
  }

  const after = (odd: string): void => {
    const events = [piece('"one"'), piece('"two"'), odd]
    assert.deepStrictEqual(together("openai", events), apart("openai", events))
  }

  it("are not mistaken for more than one string", () => {
    after(piece('"two","role":"assistant"'))
    after(piece('"two"},"logprobs":{"a":"b"'))
    after(piece('""'))
    after(piece('"tw\\u00e"'))
    after(piece('"a\\"'))
  })

  it("are looked at again when anything else is different", () => {
    after(piece('"two"').replace('"finish_reason":null', '"finish_reason":"stop"'))
    after(piece('"two"').replace("]}", '],"usage":{"prompt_tokens":1,"completion_tokens":2}}'))
    after(piece('"two"').replace("]}", '],"error":{"message":"broken"}}'))
    after(piece('["two"]'))
    after(piece("null"))
  })

  it("are found where the document has them, not where they stand first", () => {
    const twice = (text: string) =>
      `{"model":"m","note":"word","choices":[{"delta":{"content":"word","content":${text}},"index":0}]}`
    const events = [twice('"word"'), twice('"other"'), twice('"word"'), twice('"third"')]
    assert.deepStrictEqual(together("openai", events), apart("openai", events))
  })
})

describe("a text template", () => {
  const read = (document: unknown) =>
    Array.isArray(document) && typeof document[0] === "string" ? document[0] : undefined
  const learnt = () => {
    const template = new TextTemplate()
    template.learn({ name: "", data: '["one",1]' }, "one", read)
    return template
  }

  it("knows the text of what differs in nothing else", () => {
    assert.strictEqual(learnt().textOf({ name: "", data: '["two",1]' }), "two")
    assert.strictEqual(learnt().textOf({ name: "", data: '["\\u0041\\n",1]' }), "A\n")
  })

  it("knows nothing of other events", () => {
    for (const data of ['["two",2]', '[ "two",1]', '["",1]', '["a","b",1]', '["a\tb",1]', '["a\\",1]', '["', ""]) {
      assert.isUndefined(learnt().textOf({ name: "", data }), data)
    }
    assert.isUndefined(learnt().textOf({ name: "ping", data: '["two",1]' }))
  })

  it("learns nothing where another text would not be read as one", () => {
    const template = new TextTemplate()
    template.learn({ name: "", data: '["one","one"]' }, "one", (document) =>
      Array.isArray(document) ? String(document[1]) : undefined
    )
    assert.isUndefined(template.textOf({ name: "", data: '["two","one"]' }))
  })
})
