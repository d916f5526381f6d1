import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { EndpointKind } from "../../../../src/domain/config/DispatcherConfig.ts"
import type { ChatMessage, GenAiRequest, Part } from "../../../../src/domain/genai/GenAiRequest.ts"
import * as Providers from "../../../../src/domain/providers/Providers.ts"
import { geminiParts, geminiText, openaiParts, openaiText, openaiTools, readOne } from "../Fixtures.ts"

/** The body and the path that an endpoint of this kind is sent. */
const sent = (
  kind: EndpointKind,
  request: GenAiRequest,
  { model, parameters = {} }: { model?: string; parameters?: Record<string, unknown> } = {}
) => {
  const baseUrl = new URL("http://127.0.0.1/base")
  const provider = Providers.make(kind, { baseUrl, model, parameters, headers: {} })
  const { body, path } = Result.getOrThrow(provider.encode(request, undefined, "answer"))
  return { body: JSON.parse(body), path }
}

const text = Schema.String
const Data = Schema.Struct({
  data: text,
  type: Schema.Literals(["image/png", "application/pdf", "audio/wav", "audio/mpeg"])
})
const Turn = Schema.Struct({
  assistant: Schema.Boolean,
  parts: Schema.Array(Schema.Union([text, Data, Schema.Struct({ uri: text })])).check(Schema.isMaxLength(4))
})
type Turn = typeof Turn.Type

const wellFormed = (value: string) => value.toWellFormed()
const base64 = (value: string) => Buffer.from(value).toString("base64")

const partOf = (part: Turn["parts"][number]): Part =>
  typeof part === "string"
    ? { type: "text", text: wellFormed(part) }
    : "uri" in part
      ? { type: "uri", uri: `https://images.example.com/${encodeURIComponent(wellFormed(part.uri))}` }
      : { type: "data", mimeType: part.type, data: base64(part.data) }

/** A turn as reading gives it: a single text is no list. */
const messageOf = ({ assistant, parts }: Turn): ChatMessage => {
  const [first, ...more] = parts.map(partOf)
  const content = first === undefined ? "" : more.length === 0 && first.type === "text" ? first.text : [first, ...more]
  return { role: assistant ? "assistant" : "user", content }
}

const rows: Record<"openai" | "gemini", (body: unknown) => unknown> = {
  openai: (body) => ({ ...openaiText, body }),
  gemini: (request) => ({ key: "a", request })
}

describe.each(["openai", "gemini"] as const)("a neutral request in the words of %s", (family) => {
  it.effect.prop(
    "is the same request when it is read as a row",
    {
      turns: Schema.Array(Turn).check(Schema.isMinLength(1), Schema.isMaxLength(4)),
      system: Schema.optionalKey(text),
      temperature: Schema.optionalKey(Schema.Finite),
      maxTokens: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0)))
    },
    ({ maxTokens, system, temperature, turns }) =>
      Effect.sync(() => {
        const request: GenAiRequest = {
          messages: turns.map(messageOf),
          ...(system === undefined ? {} : { system: wellFormed(system) }),
          ...(temperature === undefined ? {} : { temperature: temperature + 0 }),
          ...(maxTokens === undefined ? {} : { maxTokens })
        }
        const { body } = sent(family, request, { model: "m" })
        const { request: read, unsaid } = readOne(rows[family](body))
        const { body: _body, native, ...fields } = read
        assert.deepStrictEqual(fields, request)
        assert.deepStrictEqual(native, { family, body })
        assert.deepStrictEqual(unsaid, [])
      }),
    { arbitrary: { runs: 300 } }
  )
})

const members = Schema.Record(Schema.String, Schema.Json)

describe("a body that was written for a provider", () => {
  const parameters = { temperature: 0.9, max_tokens: 5, top_p: 0.1, maxOutputTokens: 5 }

  it.effect.prop(
    "reaches endpoints of OpenAI's dialect as it is, but for their own model",
    { more: members },
    ({ more }) =>
      Effect.sync(() => {
        for (const { body: written } of [openaiText, openaiTools, openaiParts]) {
          const { stream: _1, stream_options: _2, ...body } = JSON.parse(JSON.stringify({ ...more, ...written }))
          const { request } = readOne(rows.openai(body))
          assert.deepStrictEqual(sent("openai", request, { parameters }).body, body)
          const own = sent("openai", request, { model: "own", parameters })
          assert.deepStrictEqual(own.body, { ...body, model: "own" })
        }
      }).pipe(Effect.when(Effect.succeed(isReadable(more)))),
    { arbitrary: { runs: 100 } }
  )

  it.effect.prop(
    "reaches endpoints of Gemini's dialect as it is, with the model in the path",
    { more: members },
    ({ more }) =>
      Effect.sync(() => {
        for (const { request: written } of [geminiText, geminiParts]) {
          const { model: _model, ...body } = JSON.parse(JSON.stringify({ ...more, ...written }))
          for (const kind of ["gemini", "vertex"] as const) {
            const { request } = readOne(rows.gemini({ ...body, model: "models/theirs" }))
            assert.deepStrictEqual(sent(kind, request, { model: "own", parameters }).body, body)
            assert.include(sent(kind, request, { model: "own" }).path, "/own:")
            assert.include(sent(kind, request).path, "/models/theirs:")
          }
        }
      }).pipe(Effect.when(Effect.succeed(isReadable(more)))),
    { arbitrary: { runs: 100 } }
  )

  it("reaches a raw endpoint as it is", () => {
    assert.deepStrictEqual(sent("raw", readOne(geminiParts).request, { model: "own" }).body, geminiParts.request)
    assert.deepStrictEqual(sent("raw", readOne(openaiTools).request).body, openaiTools.body)
  })

  it("reaches endpoints of other kinds in their words", () => {
    const gemini = sent("gemini", readOne(openaiText).request, { model: "g" })
    assert.deepStrictEqual(gemini.body, {
      systemInstruction: { parts: [{ text: "You are a helpful assistant." }] },
      generationConfig: { maxOutputTokens: 1000 },
      contents: [{ role: "user", parts: [{ text: "Hello world!" }] }]
    })
    const openai = sent("openai", readOne(geminiText).request, { model: "o" })
    assert.deepStrictEqual(openai.body, {
      model: "o",
      temperature: 0.7,
      max_tokens: 200,
      messages: [
        { role: "system", content: "You are a botanist.\nBe brief." },
        { role: "user", content: "Describe the process of photosynthesis." }
      ]
    })
    const anthropic = sent("anthropic", readOne(openaiText).request, { model: "a" })
    assert.deepInclude(anthropic.body, { model: "a", system: "You are a helpful assistant.", max_tokens: 1000 })
  })
})

/**
 * Half surrogate pairs have no place in a file; and V8 13.6 takes a name that is one escaped character, such as `"\n"`, for `"\\"`
 * where an object that it has read before had that.
 */
const isReadable = (value: unknown): boolean => {
  const json = JSON.stringify(value)
  return json.isWellFormed() && !json.includes("\\ud") && !ESCAPED_NAME.test(json)
}

const ESCAPED_NAME = /"\\(?:u[0-9a-f]{4}|[^u])":/
