import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import * as Gemini from "../../../src/domain/providers/Gemini.ts"
import type { EncodeMode, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import { CREDENTIAL, conformance, hello, target } from "./conformance.ts"
import { fixtures } from "./geminiFixtures.ts"

const BASE = "https://generativelanguage.googleapis.com/v1beta"

conformance({ kind: "gemini", baseUrl: BASE, credential: ["x-goog-api-key", "k-123"], ...fixtures })

describe("the gemini dialect's requests", () => {
  const encode = (request: GenAiRequest, options: Partial<ProviderTarget> = {}, mode: EncodeMode = "answer") =>
    Gemini.make(target(BASE, options)).encode(request, CREDENTIAL, mode)
  const sent = (request: GenAiRequest, options: Partial<ProviderTarget> = {}): unknown =>
    JSON.parse(Result.getOrThrow(encode(request, options)).body)
  const path = (options: Partial<ProviderTarget>, mode: EncodeMode = "answer", request = hello) =>
    Result.getOrThrow(encode(request, options, mode)).path
  const contents = [{ role: "user", parts: [{ text: "hello" }] }]

  it("have model and method in their path, below the base URL, whose query stays", () => {
    assert.strictEqual(path({}), "/v1beta/models/model-1:generateContent")
    assert.strictEqual(path({}, "stream"), "/v1beta/models/model-1:streamGenerateContent?alt=sse")
    const own = { baseUrl: new URL("http://127.0.0.1:8080/a/?x=1") }
    assert.strictEqual(path(own), "/a/models/model-1:generateContent?x=1")
    assert.strictEqual(path(own, "stream"), "/a/models/model-1:streamGenerateContent?x=1&alt=sse")
    assert.strictEqual(path({}, "stream", { ...hello, model: "m" }), "/v1beta/models/m:streamGenerateContent?alt=sse")
  })

  it("may name a model by its path, and never leave that place", () => {
    assert.strictEqual(path({ model: "models/m" }), "/v1beta/models/m:generateContent")
    assert.strictEqual(path({ model: "tunedModels/my-1" }), "/v1beta/tunedModels/my-1:generateContent")
    assert.strictEqual(path({ model: "a b?c#d" }), "/v1beta/models/a%20b%3Fc%23d:generateContent")
  })

  it("may take the model from the parameters", () => {
    assert.strictEqual(
      path({ model: undefined, parameters: { model: "model-p" } }),
      "/v1beta/models/model-p:generateContent"
    )
    assert.deepStrictEqual(sent(hello, { parameters: { model: "model-p" } }), { contents })
  })

  it("name the two sides user and model, and put all system turns into the system instruction", () => {
    const request: GenAiRequest = {
      system: "Be brief.",
      messages: [
        { role: "user", content: "hello" },
        { role: "assistant", content: "Hi." },
        { role: "system", content: "Speak German." },
        { role: "user", content: "and now?" }
      ]
    }
    assert.deepStrictEqual(sent(request), {
      systemInstruction: { parts: [{ text: "Be brief." }, { text: "Speak German." }] },
      contents: [
        { role: "user", parts: [{ text: "hello" }] },
        { role: "model", parts: [{ text: "Hi." }] },
        { role: "user", parts: [{ text: "and now?" }] }
      ]
    })
  })

  it("carry files along, or say where they are", () => {
    const content = [
      { type: "text", text: "What is this?" },
      { type: "data", mimeType: "image/png", data: "iVBORw0KGgo=" },
      { type: "uri", uri: "gs://bucket/a.pdf", mimeType: "application/pdf" },
      { type: "uri", uri: "https://example.com/clip" }
    ] as const
    assert.deepStrictEqual(sent({ messages: [{ role: "user", content }] }), {
      contents: [
        {
          role: "user",
          parts: [
            { text: "What is this?" },
            { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } },
            { fileData: { mimeType: "application/pdf", fileUri: "gs://bucket/a.pdf" } },
            { fileData: { fileUri: "https://example.com/clip" } }
          ]
        }
      ]
    })
  })

  it("merge the endpoint's parameters under the request's fields", () => {
    const parameters = {
      temperature: 0.4,
      maxOutputTokens: 120,
      topK: 5,
      generationConfig: { thinkingConfig: { thinkingBudget: 0 } }
    }
    const common = { topK: 5, thinkingConfig: { thinkingBudget: 0 } }
    for (const [fields, expected] of [
      [{}, { temperature: 0.4, maxOutputTokens: 120 }],
      [{ temperature: 0 }, { temperature: 0, maxOutputTokens: 120 }],
      [{ maxTokens: 5 }, { temperature: 0.4, maxOutputTokens: 5 }]
    ] as const) {
      assert.deepStrictEqual(sent({ ...hello, ...fields }, { parameters }), {
        contents,
        generationConfig: { ...common, ...expected }
      })
    }
    assert.deepStrictEqual(sent({ ...hello, temperature: 1, maxTokens: 5 }), {
      contents,
      generationConfig: { temperature: 1, maxOutputTokens: 5 }
    })
  })

  it("put parameters that are no generation config beside it", () => {
    const safetySettings = [{ category: "HARM_CATEGORY_HARASSMENT", threshold: "BLOCK_NONE" }]
    assert.deepStrictEqual(sent(hello, { parameters: { safetySettings, contents: [], topP: 0.5 } }), {
      contents,
      safetySettings,
      generationConfig: { topP: 0.5 }
    })
  })

  it("know the API's other spelling of its members, so that none comes twice", () => {
    const parameters = { safety_settings: [1], generation_config: { max_output_tokens: 9 } }
    assert.deepStrictEqual(sent({ ...hello, maxTokens: 5 }, { parameters }), {
      contents,
      safetySettings: [1],
      generationConfig: { maxOutputTokens: 5 }
    })
    assert.deepStrictEqual(sent({ ...hello, extra: { generation_config: { topK: 1 } }, temperature: 0 }), {
      contents,
      generationConfig: { temperature: 0, topK: 1 }
    })
  })

  it("let what the request adds win over everything else", () => {
    const extra = { generationConfig: { responseMimeType: "application/json" }, tools: [{ googleSearch: {} }] }
    assert.deepStrictEqual(
      sent({ ...hello, temperature: 0, extra }, { parameters: { tools: [1], responseMimeType: "text/plain" } }),
      {
        contents,
        generationConfig: { temperature: 0, responseMimeType: "application/json" },
        tools: [{ googleSearch: {} }]
      }
    )
  })

  it("are the body that somebody wrote for this API, with the endpoint's model", () => {
    const body = { model: "models/m", contents: [{ parts: [{ text: "x" }] }], generation_config: { top_k: 1 } }
    const request: GenAiRequest = { messages: [], native: { family: "gemini", body } }
    const { model: _model, ...rest } = body
    assert.deepStrictEqual(sent(request, { parameters: { topP: 0.5 } }), rest)
    assert.strictEqual(path({}, "answer", request), "/v1beta/models/model-1:generateContent")
    assert.strictEqual(path({ model: undefined }, "stream", request), "/v1beta/models/m:streamGenerateContent?alt=sse")
    const unnamed = { ...request, model: "n", native: { family: "gemini", body: rest } } as const
    assert.strictEqual(path({ model: undefined }, "answer", unnamed), "/v1beta/models/n:generateContent")
    assert.deepStrictEqual(sent({ ...request, extra: { generationConfig: { seed: 7 } } }), {
      contents: body.contents,
      generationConfig: { top_k: 1, seed: 7 }
    })
  })

  it("are made from the request's fields when the body was written for another API", () => {
    const native = { family: "openai", body: { messages: [] } } as const
    assert.deepStrictEqual(sent({ ...hello, native }), { contents })
  })

  it("fail without a model, without messages, and without one of the user's", () => {
    for (const [request, options, says] of [
      [hello, { model: undefined }, "no model: name one in the request or in the endpoint's `model`"],
      [{ messages: [] }, {}, "no messages"],
      [{ messages: [{ role: "system", content: "Be brief." }] }, {}, "only system messages"]
    ] as const) {
      const result = encode(request, options)
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
      assert.include(result.failure.message, says)
    }
  })
})
