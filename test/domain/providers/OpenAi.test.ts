import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import * as OpenAi from "../../../src/domain/providers/OpenAi.ts"
import type { ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import { CREDENTIAL, conformance, hello, NOW, response, target } from "./conformance.ts"
import { answer, completion, error, streams } from "./openAiFixtures.ts"

conformance({
  kind: "openai",
  baseUrl: "https://llm.example.com/v1",
  credential: ["authorization", "Bearer k-123"],
  answers: [
    ["plain", completion({}), answer],
    ["with a byte order mark", `\ufeff${completion({})}`, answer],
    ["cut at the longest length", completion({ finish_reason: "length" }), { ...answer, finishReason: "length" }],
    ["empty", completion({ message: { role: "assistant", content: "" } }), { ...answer, text: "" }],
    [
      "a tool call, which has no text",
      completion({ message: { role: "assistant", content: null, tool_calls: [] }, finish_reason: "tool_calls" }),
      { ...answer, text: "", finishReason: "tool_calls" }
    ],
    [
      "a refusal, which has no text",
      completion({ message: { role: "assistant", content: null, refusal: "No." } }),
      { ...answer, text: "" }
    ],
    [
      "in parts",
      completion({
        message: { content: [{ type: "text", text: "Hi" }, { type: "image" }, { type: "text", text: "." }] }
      }),
      answer
    ],
    [
      "with nothing but the text",
      JSON.stringify({ choices: [{ message: { content: "Hi." } }] }),
      { text: "Hi.", finishReason: undefined, model: undefined, usage: undefined }
    ],
    [
      "with null for all that may be missing",
      completion({ finish_reason: null }, { model: null, usage: null, error: null }),
      { text: "Hi.", finishReason: undefined, model: undefined, usage: undefined }
    ],
    [
      "with usage that is not in whole tokens",
      completion({}, { usage: { prompt_tokens: 1.5, completion_tokens: -1, total_tokens: "21" } }),
      { ...answer, usage: {} }
    ]
  ],
  invalidAnswers: [
    ["an empty body", "", "not JSON"],
    [
      "an HTML page",
      "<!DOCTYPE html><title>Sign in</title><script>var a</script><p>Please log in",
      "Sign in Please log in"
    ],
    ["truncated JSON", completion({}).slice(0, 100), "not whole"],
    ["an event stream", 'data: {"choices":[]}\n\ndata: [DONE]\n\n', "not JSON"],
    ["JSON of something else", '{"data":[]}', "choices[0].message is missing"],
    ["no choices", '{"choices":[]}', "choices[0].message is missing"],
    ["a choice without message", '{"choices":[{"text":"Hi."}]}', "choices[0].message is missing"],
    ["null", "null", "choices[0].message is missing"],
    ["a long page that is none", "x".repeat(100_000), "xxx…"],
    ["a body that quotes the credential", "Hello k-123!", "Hello ***!"]
  ],
  failures: [
    {
      what: "rate limit",
      response: {
        status: 429,
        headers: { "retry-after": "2" },
        body: error({ message: "Rate limit reached for requests", type: "requests", code: "rate_limit_exceeded" })
      },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 2_000, retry: "anywhere" },
      says: "rate limit reached (429 rate_limit_exceeded): Rate limit reached for requests"
    },
    {
      what: "rate limit that says how long it lasts",
      response: { status: 429, body: error({ message: "Please try again in 6m0s.", code: "rate_limit_exceeded" }) },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 360_000, hint: "body" },
      says: "try again in 6m0s"
    },
    {
      what: "no money left, by code",
      response: { status: 429, headers: { "retry-after": "2" }, body: error({ code: "insufficient_quota" }) },
      reason: { _tag: "QuotaExhausted", status: 429, retry: "elsewhere" },
      says: "quota"
    },
    {
      what: "no money left, by type",
      response: { status: 429, body: error({ type: "insufficient_quota" }) },
      reason: { _tag: "QuotaExhausted", status: 429 },
      says: "quota"
    },
    {
      what: "a billing limit",
      response: { status: 400, body: error({ code: "billing_hard_limit_reached" }) },
      reason: { _tag: "QuotaExhausted", status: 400 },
      says: "Oops"
    },
    {
      what: "a wrong key",
      response: {
        status: 401,
        body: error({ message: "Incorrect API key provided: k-123.", code: "invalid_api_key" })
      },
      reason: { _tag: "Unauthorized", status: 401, retry: "elsewhere" },
      says: "the endpoint refuses the credential (401 invalid_api_key): Incorrect API key provided: ***."
    },
    {
      what: "a model that is not there",
      response: { status: 403, body: error({ code: "model_not_found" }) },
      reason: { _tag: "NotFound", status: 403, retry: "elsewhere" },
      says: "Oops"
    },
    {
      what: "a request that is too long",
      response: { status: 400, body: error({ message: "maximum context length", code: "context_length_exceeded" }) },
      reason: { _tag: "InvalidRequest", status: 400, retry: "never" },
      says: "the endpoint refuses the request (400 context_length_exceeded): maximum context length"
    },
    {
      what: "Ollama's form",
      response: { status: 404, body: '{"error":"model \'x\' not found"}' },
      reason: { _tag: "NotFound", status: 404 },
      says: "(404): model 'x' not found"
    },
    {
      what: "vLLM's form",
      response: { status: 400, body: '{"object":"error","message":"too long","type":"BadRequestError","code":400}' },
      reason: { _tag: "InvalidRequest", status: 400 },
      says: "(400): too long"
    },
    {
      what: "FastAPI's form",
      response: { status: 422, body: '{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}' },
      reason: { _tag: "InvalidRequest", status: 422 },
      says: "field required"
    },
    {
      what: "a list of errors",
      response: { status: 500, body: '[{"error":{"code":500,"message":"Internal"}}]' },
      reason: { _tag: "ServerError", status: 500 },
      says: "the endpoint failed (500): Internal"
    },
    {
      what: "a page of a proxy",
      response: {
        status: 502,
        body: "<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>"
      },
      reason: { _tag: "ServerError", status: 502, retry: "anywhere" },
      says: "502 Bad Gateway nginx"
    },
    {
      what: "an error with status 200 that has a status as its code",
      response: { body: '{"error":{"message":"slow down","code":429}}', headers: { "retry-after": "1" } },
      reason: { _tag: "RateLimited", status: 200, retryAfterMs: 1_000 },
      says: "slow down"
    },
    {
      what: "an error with status 200 that has a word as its type",
      response: { body: '{"error":{"message":"come back later","type":"overloaded_error"}}' },
      reason: { _tag: "Overloaded", status: 200 },
      says: "come back later"
    },
    {
      what: "an error with status 200 that says no money is left",
      response: { body: error({ code: "insufficient_quota" }) },
      reason: { _tag: "QuotaExhausted", status: 200 },
      says: "Oops"
    },
    {
      what: "an error with status 200 that says nothing",
      response: { body: '{"error":"something went wrong"}' },
      reason: { _tag: "ServerError", status: 200 },
      says: "something went wrong"
    }
  ],
  complain: (message) => error({ message }),
  streams
})

describe("the openai dialect's requests", () => {
  const encode = (
    request: GenAiRequest,
    options: Partial<ProviderTarget> = {},
    baseUrl = "https://llm.example.com/v1"
  ) =>
    Result.map(OpenAi.make(target(baseUrl, options)).encode(request, CREDENTIAL, "answer"), ({ path, body }) => ({
      path,
      body: JSON.parse(body) as unknown
    }))

  const sent = (request: GenAiRequest, options: Partial<ProviderTarget> = {}) =>
    Result.getOrThrow(encode(request, options)).body

  it("go to chat/completions below the base URL, whose query stays", () => {
    for (const [baseUrl, path] of [
      ["https://llm.example.com/v1", "/v1/chat/completions"],
      ["https://llm.example.com/v1/", "/v1/chat/completions"],
      ["https://llm.example.com", "/chat/completions"],
      ["http://127.0.0.1:8080/a/b?api-version=7", "/a/b/chat/completions?api-version=7"]
    ]) {
      assert.strictEqual(Result.getOrThrow(encode(hello, {}, baseUrl)).path, path)
    }
  })

  it("put the system prompt before the conversation", () => {
    assert.deepStrictEqual(sent({ ...hello, system: "Be brief." }), {
      model: "model-1",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "hello" }
      ]
    })
  })

  it("merge the endpoint's parameters under the request's fields, each name once", () => {
    const parameters = { max_tokens: 120, temperature: 0.4, top_p: 0.9, response_format: { type: "json_object" } }
    const common = { model: "model-1", messages: hello.messages, top_p: 0.9, response_format: { type: "json_object" } }
    for (const [fields, expected] of [
      [{}, { temperature: 0.4, max_tokens: 120 }],
      [{ temperature: 0 }, { temperature: 0, max_tokens: 120 }],
      [{ maxTokens: 5 }, { temperature: 0.4, max_tokens: 5 }],
      [
        { temperature: 1, maxTokens: 5 },
        { temperature: 1, max_tokens: 5 }
      ]
    ] as const) {
      const request = { ...hello, ...fields }
      assert.deepStrictEqual(sent(request, { parameters }), { ...common, ...expected })
      const body = Result.getOrThrow(
        OpenAi.make(target("https://x", { parameters })).encode(request, undefined, "answer")
      ).body
      assert.strictEqual(body.split('"temperature"').length, 2)
      assert.strictEqual(body.split('"max_tokens"').length, 2)
    }
  })

  it("name the length as the endpoint's parameters do", () => {
    assert.deepStrictEqual(sent({ ...hello, maxTokens: 5 }, { parameters: { max_completion_tokens: 100 } }), {
      model: "model-1",
      messages: hello.messages,
      max_completion_tokens: 5
    })
  })

  it("never ask for a stream, and never lose the conversation to a parameter", () => {
    const parameters = { stream: true, stream_options: { include_usage: true }, messages: [] }
    assert.deepStrictEqual(sent(hello, { parameters }), { model: "model-1", messages: hello.messages })
  })

  it("ask for a stream with its usage, unless the parameters say how", () => {
    const common = { model: "model-1", messages: hello.messages, stream: true }
    const streamed = (parameters: Record<string, unknown>, request = hello): unknown => {
      const made = OpenAi.make(target("https://x", { parameters })).encode(request, CREDENTIAL, "stream")
      return JSON.parse(Result.getOrThrow(made).body)
    }
    assert.deepStrictEqual(streamed({}), { ...common, stream_options: { include_usage: true } })
    assert.deepStrictEqual(streamed({ stream: false, stream_options: { x: 1 } }), {
      ...common,
      stream_options: { x: 1 }
    })
    assert.deepStrictEqual(streamed({ stream_options: null }), common)
    assert.deepStrictEqual(streamed({ stream_options: null }, { ...hello, extra: { stream: false } }), common)
    assert.notProperty(sent({ ...hello, extra: { stream: true } }), "stream")
  })

  it("carry images, sounds and files along, or say where images are", () => {
    const request: GenAiRequest = {
      system: "Look.",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "see" },
            { type: "data", mimeType: "image/png", data: "AAAA" },
            { type: "data", mimeType: "audio/mpeg", data: "BBBB" },
            { type: "data", mimeType: "application/pdf", data: "CCCC" },
            { type: "uri", uri: "https://example.com/a.jpg", mimeType: "image/jpeg" },
            { type: "uri", uri: "https://example.com/b" }
          ]
        },
        { role: "assistant", content: "seen" }
      ]
    }
    assert.deepStrictEqual(sent(request), {
      model: "model-1",
      messages: [
        { role: "system", content: "Look." },
        {
          role: "user",
          content: [
            { type: "text", text: "see" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
            { type: "input_audio", input_audio: { data: "BBBB", format: "mp3" } },
            { type: "file", file: { filename: "file", file_data: "data:application/pdf;base64,CCCC" } },
            { type: "image_url", image_url: { url: "https://example.com/a.jpg" } },
            { type: "image_url", image_url: { url: "https://example.com/b" } }
          ]
        },
        { role: "assistant", content: "seen" }
      ]
    })
  })

  it("fail for files that the API cannot take, and say what they are", () => {
    for (const part of [
      { type: "data", mimeType: "audio/ogg", data: "AAAA" },
      { type: "uri", uri: "https://example.com/a.pdf", mimeType: "application/pdf" }
    ] as const) {
      const result = encode({ messages: [{ role: "user", content: [part] }] })
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
      assert.include(result.failure.message, part.mimeType)
    }
  })

  it("are somebody's own body as it is, but for the model and the stream", () => {
    const body = { model: "theirs", messages: [{ role: "user", content: "hi", name: "n" }], stream: true, tools: [1] }
    const request: GenAiRequest = { ...hello, temperature: 1, native: { family: "openai", body } }
    const parameters = { top_p: 0.5 }
    const common = { messages: body.messages, tools: [1] }
    assert.deepStrictEqual(sent(request, { parameters }), { ...common, model: "model-1" })
    assert.deepStrictEqual(sent(request, { model: undefined }), { ...common, model: "theirs" })
    const unnamed = { ...request, model: "n", native: { family: "openai", body: { messages: [] } } } as const
    assert.deepStrictEqual(sent(unnamed, { model: undefined }), { model: "n", messages: [] })
    assert.deepStrictEqual(sent({ ...request, extra: { n: 2 } }), { ...common, model: "model-1", n: 2 })
    const streamed = (stream_options?: object): unknown => {
      const native = {
        family: "openai",
        body: stream_options === undefined ? body : { ...body, stream_options }
      } as const
      const made = OpenAi.make(target("https://x")).encode({ ...request, native }, CREDENTIAL, "stream")
      return JSON.parse(Result.getOrThrow(made).body)
    }
    const asked = { ...common, model: "model-1", stream: true }
    assert.deepStrictEqual(streamed(), { ...asked, stream_options: { include_usage: true } })
    assert.deepStrictEqual(streamed({ x: 1 }), { ...asked, stream_options: { x: 1 } })
    assert.deepStrictEqual(sent({ ...request, native: { family: "gemini", body: {} } }), {
      model: "model-1",
      messages: hello.messages,
      temperature: 1
    })
  })

  it("may take the model from the parameters", () => {
    const parameters = { model: "model-p" }
    assert.deepStrictEqual(sent(hello, { model: undefined, parameters }), {
      model: "model-p",
      messages: hello.messages
    })
    assert.deepStrictEqual(sent(hello, { parameters }), { model: "model-1", messages: hello.messages })
  })

  it("fail without a model, and say where to set it", () => {
    const result = encode(hello, { model: undefined })
    assert(Result.isFailure(result))
    assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
    assert.strictEqual(result.failure.message, "no model: name one in the request or in the endpoint's `model`")
    assert.deepInclude(Result.getOrThrow(encode({ ...hello, model: "m" }, { model: undefined })).body, { model: "m" })
  })

  it("fail without messages", () => {
    const result = encode({ messages: [], body: { prompt: "hello" } })
    assert(Result.isFailure(result))
    assert.include(result.failure.message, "no messages")
  })

  it("read hints of time against the clock they are given", () => {
    const late = response({ status: 503, headers: { "retry-after": "Mon, 05 Jan 2026 11:00:00 GMT" } })
    const result = OpenAi.make(target("https://x")).decode(late, undefined, NOW)
    assert(Result.isFailure(result))
    assert.deepInclude(result.failure.reason, { retryAfterMs: 0 })
  })
})
