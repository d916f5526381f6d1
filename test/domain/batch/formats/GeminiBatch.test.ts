import { assert, describe, it } from "@effect/vitest"
import { geminiParts, geminiText, problemOf, readOne } from "../Fixtures.ts"

describe("a row of the batch API of Gemini", () => {
  it("is a neutral request and the body as it was written", () => {
    const row = readOne(geminiText)
    assert.deepStrictEqual(row.request, {
      messages: [{ role: "user", content: "Describe the process of photosynthesis." }],
      system: "You are a botanist.\nBe brief.",
      temperature: 0.7,
      maxTokens: 200,
      native: { family: "gemini", body: geminiText.request },
      body: geminiText.request
    })
    assert.deepInclude(row, { format: "gemini", id: "request-1", session: undefined, metadata: undefined, unsaid: [] })
    assert.deepStrictEqual(row.asked, { contents: geminiText.request.contents })
    assert.deepStrictEqual(row.source, geminiText)
  })

  it("is read in both spellings, and what has no neutral words is named once", () => {
    const { request, unsaid } = readOne(geminiParts)
    assert.deepStrictEqual(request.messages, [
      {
        role: "user",
        content: [
          { type: "text", text: "What is in these?" },
          { type: "data", mimeType: "image/png", data: "iVBORw0KGgo=" },
          { type: "uri", mimeType: "application/pdf", uri: "gs://bucket/a.pdf" }
        ]
      },
      { role: "assistant", content: "A cat." },
      { role: "user", content: "Sure?" }
    ])
    assert.deepInclude(request, { system: "Be brief.", temperature: 0 })
    assert.notProperty(request, "maxTokens")
    assert.deepStrictEqual(unsaid, [
      "safetySettings",
      "generationConfig.topP",
      "generationConfig.responseMimeType",
      "parts of text, thought",
      "parts of functionCall",
      "turns of role function"
    ])
  })

  it("needs no key, as Vertex AI writes them, and passes metadata through", () => {
    const row = readOne({ request: geminiText.request, metadata: "m" })
    assert.isUndefined(row.id)
    assert.strictEqual(row.metadata, "m")
  })

  it("names settings that are not of the right type", () => {
    const request = { ...geminiText.request, generationConfig: { temperature: "hot", maxOutputTokens: 1.5 } }
    const row = readOne({ key: 7, request })
    assert.strictEqual(row.id, 7)
    assert.deepStrictEqual(row.unsaid, ["generationConfig.temperature", "generationConfig.maxOutputTokens"])
    assert.notProperty(row.request, "temperature")
  })

  it.each<[unknown, string]>([
    [{ key: true, request: geminiText.request }, "key: expected text or a number, got true"],
    [{ key: "a" }, "request: expected an object, got nothing"],
    [{ key: "a", request: {} }, "request.contents: expected a list, got nothing"],
    [{ key: "a", request: { contents: [] } }, "request.contents: expected at least one turn, got an empty list"],
    [
      { key: "a", request: { contents: [{ parts: [] }, { text: "x" }] } },
      'request.contents[1]: expected an object with "parts", got an object'
    ]
  ])("names what is wrong with %j", (row, expected) => {
    assert.strictEqual(problemOf(row, { format: "gemini" }), expected)
  })
})
