import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import * as Anthropic from "../../../src/domain/providers/Anthropic.ts"
import type { EncodeMode, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import { CREDENTIAL, conformance, header, hello, target } from "./conformance.ts"

const baseUrl = "https://api.example.com"

/** A message as Anthropic sends it, with these fields in place of its own. */
const message = (fields: object): string =>
  JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "model-1-20260105",
    content: [{ type: "text", text: "Hi." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 9, output_tokens: 12 },
    ...fields
  })

const answer = {
  text: "Hi.",
  finishReason: "end_turn",
  model: "model-1-20260105",
  usage: { inputTokens: 9, outputTokens: 12 }
}

const error = (type: string, text: string): string =>
  JSON.stringify({ type: "error", error: { type, message: text }, request_id: "req_1" })

/** Events as Anthropic names them: by their type. */
const events = (...documents: ReadonlyArray<{ readonly type: string; readonly [name: string]: unknown }>): string =>
  documents.map((document) => `event: ${document.type}\ndata: ${JSON.stringify(document)}\n\n`).join("")

const start = {
  type: "message_start",
  message: { ...JSON.parse(message({ content: [], stop_reason: null })), usage: { input_tokens: 9, output_tokens: 1 } }
}
const textStart = { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }
const delta = (text: string) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })
const blockStop = { type: "content_block_stop", index: 0 }
const end = (usage: object = { output_tokens: 12 }, stop_reason = "end_turn") => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: null },
  usage
})
const stop = { type: "message_stop" }
const ping = { type: "ping" }

conformance({
  kind: "anthropic",
  baseUrl,
  credential: ["x-api-key", "k-123"],
  answers: [
    ["plain", message({}), answer],
    ["cut at the longest length", message({ stop_reason: "max_tokens" }), { ...answer, finishReason: "max_tokens" }],
    ["refused", message({ content: [], stop_reason: "refusal" }), { ...answer, text: "", finishReason: "refusal" }],
    [
      "in blocks, some without text",
      message({
        content: [
          { type: "thinking", thinking: "Well", signature: "x" },
          { type: "text", text: "Hi" },
          { type: "note", text: "of a kind that is not known yet" },
          { type: "text", text: "." }
        ]
      }),
      answer
    ],
    [
      "a tool call, which has no text",
      message({ content: [{ type: "tool_use", id: "t", name: "f", input: {} }], stop_reason: "tool_use" }),
      { ...answer, text: "", finishReason: "tool_use" }
    ],
    [
      "with tokens from the cache and to it",
      message({
        usage: { input_tokens: 9, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 12 }
      }),
      { ...answer, usage: { inputTokens: 129, cachedInputTokens: 100, outputTokens: 12 } }
    ],
    [
      "with nothing but the text",
      '{"content":[{"type":"text","text":"Hi."}]}',
      { text: "Hi.", finishReason: undefined, model: undefined, usage: undefined }
    ]
  ],
  invalidAnswers: [
    ["an empty body", "", "not JSON"],
    ["truncated JSON", message({}).slice(0, 100), "not whole"],
    ["JSON of something else", '{"choices":[]}', "content is missing"]
  ],
  failures: [
    {
      what: "rate limit",
      response: {
        status: 429,
        headers: { "retry-after": "12" },
        body: error("rate_limit_error", "This request would exceed your organization's rate limit")
      },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 12_000, retry: "anywhere" },
      says: "rate limit reached (429): This request would exceed"
    },
    {
      what: "overloaded",
      response: { status: 529, body: error("overloaded_error", "Overloaded") },
      reason: { _tag: "Overloaded", status: 529, retry: "anywhere" },
      says: "the endpoint has no capacity now (529): Overloaded"
    },
    {
      what: "an internal error",
      response: { status: 500, body: error("api_error", "Internal server error") },
      reason: { _tag: "ServerError", status: 500, retry: "anywhere" },
      says: "Internal server error"
    },
    {
      what: "a request that is too large",
      response: { status: 413, body: error("request_too_large", "Request exceeds the maximum size") },
      reason: { _tag: "InvalidRequest", status: 413, retry: "never" },
      says: "maximum size"
    },
    {
      what: "a wrong request",
      response: { status: 400, body: error("invalid_request_error", "max_tokens: Field required") },
      reason: { _tag: "InvalidRequest", status: 400, retry: "never" },
      says: "max_tokens: Field required"
    },
    {
      what: "a wrong key",
      response: { status: 401, body: error("authentication_error", "invalid x-api-key") },
      reason: { _tag: "Unauthorized", status: 401, retry: "elsewhere" },
      says: "invalid x-api-key"
    },
    {
      what: "a key that may not do this",
      response: { status: 403, body: error("permission_error", "not allowed") },
      reason: { _tag: "Unauthorized", status: 403 },
      says: "not allowed"
    },
    {
      what: "a model that is not there",
      response: { status: 404, body: error("not_found_error", "model: model-9") },
      reason: { _tag: "NotFound", status: 404, retry: "elsewhere" },
      says: "model: model-9"
    },
    {
      what: "no money left",
      response: {
        status: 400,
        body: error("invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
      },
      reason: { _tag: "QuotaExhausted", status: 400, retry: "elsewhere" },
      says: "credit balance"
    },
    {
      what: "a limit of money",
      response: {
        status: 400,
        body: error("invalid_request_error", "You have reached your specified API usage limits.")
      },
      reason: { _tag: "QuotaExhausted", status: 400 },
      says: "usage limits"
    },
    {
      what: "an account with a problem",
      response: { status: 403, body: error("billing_error", "There is an issue with your payment.") },
      reason: { _tag: "QuotaExhausted", status: 403 },
      says: "payment"
    },
    {
      what: "an error with status 200",
      response: { body: error("overloaded_error", "Overloaded") },
      reason: { _tag: "Overloaded", status: 200 },
      says: "Overloaded"
    }
  ],
  complain: (text) => error("invalid_request_error", text),
  streams: {
    isEventStream: true,
    answers: [
      [
        "plain",
        events(start, textStart, ping, delta("Grü"), delta("ße 🐢"), delta("."), blockStop, end(), stop),
        { ...answer, text: "Grüße 🐢." }
      ],
      [
        "with thoughts before the text",
        events(
          start,
          { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
          { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "Well" } },
          { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "x" } },
          blockStop,
          { ...textStart, index: 1 },
          delta("Hi."),
          blockStop,
          end(),
          stop
        ),
        answer
      ],
      [
        "a tool call, which has no text",
        events(
          start,
          { type: "content_block_start", content_block: { type: "tool_use", id: "t", name: "f", input: {} } },
          { type: "content_block_delta", delta: { type: "input_json_delta", partial_json: "{}" } },
          blockStop,
          end(undefined, "tool_use"),
          stop
        ),
        { ...answer, text: "", finishReason: "tool_use" }
      ],
      [
        "with usage that is corrected at the end",
        events(
          start,
          textStart,
          delta("Hi."),
          blockStop,
          end({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 3 }),
          stop
        ),
        { ...answer, usage: { inputTokens: 15, cachedInputTokens: 5, outputTokens: 3 } }
      ],
      [
        "refused",
        events(start, end({ output_tokens: 0 }, "refusal"), stop),
        {
          ...answer,
          text: "",
          finishReason: "refusal",
          usage: { inputTokens: 9, outputTokens: 0 }
        }
      ],
      [
        "with events of kinds that are not known yet",
        events(start, { type: "news" }, textStart, delta("Hi."), blockStop, end(), stop),
        answer
      ]
    ],
    failures: [
      {
        what: "overloaded in the middle",
        body: `${events(start, textStart, delta("Hi"))}event: error\ndata: ${error("overloaded_error", "Overloaded")}\n\n`,
        text: "Hi",
        reason: { _tag: "Overloaded", status: 200, retry: "anywhere" },
        says: "Overloaded"
      },
      {
        what: "an internal error",
        body: `${events(start)}event: error\ndata: ${error("api_error", "Internal server error")}\n\n`,
        text: "",
        reason: { _tag: "ServerError", status: 200, retry: "anywhere" },
        says: "Internal server error"
      },
      {
        what: "a request that is too large",
        body: `event: error\ndata: ${error("request_too_large", "Too large")}\n\n`,
        text: "",
        reason: { _tag: "InvalidRequest", status: 200, retry: "never" },
        says: "Too large"
      },
      {
        what: "no end",
        body: events(start, textStart, delta("Hi."), blockStop),
        text: "Hi.",
        reason: { _tag: "InvalidAnswer", status: 200, retry: "anywhere" },
        says: "broke off"
      }
    ]
  }
})

describe("the anthropic dialect's requests", () => {
  const send = (request: GenAiRequest, options: Partial<ProviderTarget> = {}, mode: EncodeMode = "answer") =>
    Anthropic.make(target(baseUrl, options)).encode(request, CREDENTIAL, mode)
  const sent = (request: GenAiRequest, options: Partial<ProviderTarget> = {}, mode: EncodeMode = "answer"): unknown =>
    JSON.parse(Result.getOrThrow(send(request, options, mode)).body)

  it("go to v1/messages below the base URL, whose query stays", () => {
    for (const [url, path] of [
      ["https://api.example.com", "/v1/messages"],
      ["https://api.example.com/", "/v1/messages"],
      ["http://127.0.0.1:8080/a?beta=true", "/a/v1/messages?beta=true"]
    ]) {
      const made = Anthropic.make(target(url!)).encode(hello, CREDENTIAL, "answer")
      assert.strictEqual(Result.getOrThrow(made).path, path)
    }
  })

  it("name the version of the API, which the endpoint's headers may replace", () => {
    assert.strictEqual(header(Result.getOrThrow(send(hello)), "anthropic-version"), "2023-06-01")
    const headers = { "Anthropic-Version": "2030-01-01" }
    assert.strictEqual(header(Result.getOrThrow(send(hello, { headers })), "anthropic-version"), "2030-01-01")
  })

  it("always say the longest answer: the request's, else the endpoint's, else 4096 tokens", () => {
    const common = { model: "model-1", messages: hello.messages }
    assert.deepStrictEqual(sent(hello), { ...common, max_tokens: 4096 })
    assert.deepStrictEqual(sent(hello, { parameters: { max_tokens: 100 } }), { ...common, max_tokens: 100 })
    assert.deepStrictEqual(sent({ ...hello, maxTokens: 5 }, { parameters: { max_tokens: 100 } }), {
      ...common,
      max_tokens: 5
    })
  })

  it("have the system prompts apart, wherever they stand", () => {
    const request: GenAiRequest = {
      system: "Be brief.",
      messages: [
        { role: "user", content: "first" },
        { role: "system", content: [{ type: "text", text: "Be kind." }] },
        { role: "assistant", content: "second" }
      ]
    }
    assert.deepStrictEqual(sent(request), {
      model: "model-1",
      max_tokens: 4096,
      system: "Be brief.\n\nBe kind.",
      messages: [
        { role: "user", content: "first" },
        { role: "assistant", content: "second" }
      ]
    })
  })

  it("have no empty system prompt", () => {
    assert.notProperty(sent({ ...hello, system: "" }), "system")
  })

  it("ask for a stream by a member, which parameters and additions cannot change", () => {
    const parameters = { stream: true }
    assert.notProperty(sent({ ...hello, extra: { stream: true } }, { parameters }), "stream")
    assert.propertyVal(sent({ ...hello, extra: { stream: false } }, {}, "stream"), "stream", true)
  })

  it("carry images and documents along, or where they are", () => {
    const request: GenAiRequest = {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "see" },
            { type: "data", mimeType: "image/png", data: "AAAA" },
            { type: "data", mimeType: "application/pdf", data: "BBBB" },
            { type: "uri", uri: "https://example.com/a.jpg" },
            { type: "uri", uri: "https://example.com/b", mimeType: "application/pdf" }
          ]
        }
      ]
    }
    assert.deepInclude(sent(request), {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "see" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
            { type: "document", source: { type: "base64", media_type: "application/pdf", data: "BBBB" } },
            { type: "image", source: { type: "url", url: "https://example.com/a.jpg" } },
            { type: "document", source: { type: "url", url: "https://example.com/b" } }
          ]
        }
      ]
    })
  })

  it("merge what is added into the endpoint's parameters, lists as a whole", () => {
    const parameters = { metadata: { user_id: "u", a: 1 }, stop_sequences: ["x"] }
    const extra = { metadata: { a: 2 }, stop_sequences: ["y", "z"], max_tokens: 7 }
    assert.deepStrictEqual(sent({ ...hello, maxTokens: 5, extra }, { parameters }), {
      model: "model-1",
      max_tokens: 7,
      metadata: { user_id: "u", a: 2 },
      stop_sequences: ["y", "z"],
      messages: hello.messages
    })
  })

  it("are the body that somebody wrote for this API, with the endpoint's model and streamed as it is asked for", () => {
    const body = {
      model: "theirs",
      max_tokens: 7,
      stream: true,
      thinking: { type: "enabled" },
      messages: [{ role: "user" }]
    }
    const request: GenAiRequest = { ...hello, system: "no", native: { family: "anthropic", body } }
    const { stream: _stream, ...rest } = body
    const parameters = { max_tokens: 100, top_k: 1 }
    assert.deepStrictEqual(sent(request, { parameters }), { ...rest, model: "model-1" })
    assert.deepStrictEqual(sent(request, { model: undefined }), rest)
    assert.deepStrictEqual(sent({ ...request, extra: { top_k: 5 } }, { model: undefined }, "stream"), {
      ...rest,
      top_k: 5,
      stream: true
    })
    const unnamed = { ...request, model: "n", native: { family: "anthropic", body: { messages: [] } } } as const
    assert.deepStrictEqual(sent(unnamed, { model: undefined }), { model: "n", messages: [] })
    const nameless = send({ ...request, native: { family: "anthropic", body: { messages: [] } } }, { model: undefined })
    assert(Result.isFailure(nameless))
    assert.include(nameless.failure.message, "no model")
  })

  it("are made from the request's fields when the body was written for another API", () => {
    const native = { family: "openai", body: { messages: [] } } as const
    assert.deepInclude(sent({ ...hello, native }), { messages: hello.messages, max_tokens: 4096 })
  })

  it("fail for what the API cannot take, and say what it is", () => {
    const audio = { type: "data", mimeType: "audio/wav", data: "AAAA" } as const
    const requests: ReadonlyArray<readonly [GenAiRequest, string]> = [
      [{ messages: [] }, "no messages"],
      [{ messages: [{ role: "system", content: "Be brief." }] }, "no messages"],
      [{ messages: [{ role: "user", content: [audio] }] }, "audio/wav"],
      [{ messages: [...hello.messages, { role: "system", content: [audio] }] }, "only text"]
    ]
    for (const [request, says] of requests) {
      const result = send(request)
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
      assert.include(result.failure.message, says)
    }
    const result = send(hello, { model: undefined })
    assert(Result.isFailure(result))
    assert.include(result.failure.message, "no model")
  })
})
