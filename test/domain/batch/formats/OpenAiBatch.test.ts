import { assert, describe, it } from "@effect/vitest"
import { openaiParts, openaiText, openaiTools, problemOf, readAll, readOne } from "../Fixtures.ts"

describe("a row of OpenAI's batch API", () => {
  it("is a neutral request and the body as it was written", () => {
    const row = readOne(openaiText)
    assert.deepStrictEqual(row.request, {
      messages: [{ role: "user", content: "Hello world!" }],
      system: "You are a helpful assistant.",
      maxTokens: 1000,
      native: { family: "openai", body: openaiText.body },
      body: openaiText.body
    })
    assert.deepInclude(row, { format: "openai", id: "request-1", session: undefined, metadata: undefined, unsaid: [] })
    assert.deepStrictEqual(row.asked, { messages: openaiText.body.messages })
    assert.deepStrictEqual(row.source, openaiText)
  })

  it("names what there are no neutral words for, each once, and nothing else", () => {
    const { request, unsaid } = readOne(openaiTools)
    assert.deepStrictEqual(request.messages, [{ role: "user", content: "What is the weather in Boston?" }])
    assert.deepInclude(request, { system: "Use the tools.", temperature: 0.2, maxTokens: 300 })
    assert.deepStrictEqual(unsaid, [
      "messages[].name",
      "messages[].tool_calls",
      "messages of role tool",
      "top_p",
      "tools",
      "response_format"
    ])
  })

  it("keeps images, sounds and files", () => {
    const { request, unsaid } = readOne(openaiParts)
    assert.deepStrictEqual(request.messages, [
      {
        role: "user",
        content: [
          { type: "text", text: "What is in these?" },
          { type: "uri", uri: "https://images.example.com/a.png" },
          { type: "data", mimeType: "image/png", data: "iVBORw0KGgo=" },
          { type: "data", mimeType: "audio/wav", data: "UklGRg==" },
          { type: "data", mimeType: "application/pdf", data: "JVBERi0=" }
        ]
      }
    ])
    assert.deepStrictEqual(unsaid, ["parts of type file"])
  })

  it("names parameters that are not of the right type, for endpoints of other kinds get none", () => {
    const body = { ...openaiText.body, temperature: "hot", max_tokens: -1 }
    const { request, unsaid } = readOne({ ...openaiText, body })
    assert.deepStrictEqual(unsaid, ["max_tokens", "temperature"])
    assert.notProperty(request, "temperature")
    assert.notProperty(request, "maxTokens")
  })

  it("takes the path of Azure's batches and passes metadata through", () => {
    const row = readOne({ ...openaiText, url: "/chat/completions", metadata: { a: 1 } })
    assert.deepStrictEqual(row.metadata, { a: 1 })
  })

  it.each<[string, unknown, string]>([
    ["custom_id", 3, "custom_id: expected text, got 3"],
    ["method", "GET", 'method: expected "POST", got "GET"'],
    ["url", "/v1/embeddings", 'url: expected "/v1/chat/completions", got "/v1/embeddings"'],
    ["body", [], "body: expected an object, got an empty list"],
    ["body", { model: "m" }, "body.messages: expected a list of messages, got nothing"],
    ["body", { messages: [] }, "body.messages: expected at least one message, got an empty list"],
    ["body", { messages: [{}, 3] }, "body.messages[1]: expected an object, got 3"]
  ])("names a wrong %s: %j", (name, value, expected) => {
    assert.strictEqual(problemOf({ ...openaiText, [name]: value }, { format: "openai" }), expected)
  })

  it("keeps the name of a row that is wrong, when it has one", () => {
    const ids = [
      { ...openaiText, url: 3 },
      { ...openaiText, custom_id: [] }
    ].map((row) => readAll([row], { format: "openai" })[0])
    assert.deepStrictEqual(
      ids.map((read) => [read?._tag, read?.id]),
      [
        ["InvalidRow", "request-1"],
        ["InvalidRow", undefined]
      ]
    )
  })
})
