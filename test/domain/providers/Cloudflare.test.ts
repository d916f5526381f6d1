import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import * as Cloudflare from "../../../src/domain/providers/Cloudflare.ts"
import type { EncodeMode, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import { CREDENTIAL, conformance, hello, target } from "./conformance.ts"
import { completion, answer as openAiAnswer } from "./openAiFixtures.ts"

const baseUrl = "https://api.example.com/client/v4/accounts/a1/ai"

const usage = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 }

/** An answer as Workers AI sends it, with this result. */
const result = (fields: object): string =>
  JSON.stringify({ result: { response: "Hi.", usage, ...fields }, success: true, errors: [], messages: [] })

const answer = {
  text: "Hi.",
  finishReason: undefined,
  model: undefined,
  usage: { inputTokens: 9, outputTokens: 12, totalTokens: 21 }
}

const error = (code: number, message: string): string =>
  JSON.stringify({ result: null, success: false, errors: [{ code, message }], messages: [] })

const chunks = (...documents: ReadonlyArray<object>): string =>
  documents.map((document) => `data: ${JSON.stringify(document)}\n\n`).join("")

const done = "data: [DONE]\n\n"

conformance({
  kind: "cloudflare",
  baseUrl,
  credential: ["authorization", "Bearer k-123"],
  answers: [
    ["plain", result({}), answer],
    ["empty", result({ response: "" }), { ...answer, text: "" }],
    ["a tool call, which has no text", result({ response: null, tool_calls: [] }), { ...answer, text: "" }],
    ["without usage", result({ usage: undefined }), { ...answer, usage: undefined }],
    ["JSON that was asked for", result({ response: { a: [1] } }), { ...answer, text: '{"a":[1]}' }],
    ["a number", result({ response: 42 }), { ...answer, text: "42" }],
    [
      "as newer models answer",
      JSON.stringify({ result: JSON.parse(completion({})), success: true, errors: [], messages: [] }),
      openAiAnswer
    ]
  ],
  invalidAnswers: [
    ["an empty body", "", "not JSON"],
    ["truncated JSON", result({}).slice(0, 20), "not whole"],
    ["no result", '{"result":null,"success":true,"errors":[]}', "result.response is missing"],
    ["a list", "[]", "result.response is missing"]
  ],
  failures: [
    {
      what: "a rate limit",
      response: { status: 429, headers: { "retry-after": "3" }, body: error(10429, "Rate limited") },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 3_000 },
      says: "Rate limited"
    },
    {
      what: "no capacity",
      response: { status: 429, body: error(3040, "AiError: No more data centers to forward the request to") },
      reason: { _tag: "Overloaded", status: 429, retry: "anywhere" },
      says: "(429 3040): AiError: No more data centers"
    },
    {
      what: "no capacity, with status 200",
      response: { body: error(3040, "AiError: Capacity temporarily exceeded, please try again.") },
      reason: { _tag: "Overloaded", status: 200, retry: "anywhere" },
      says: "Capacity temporarily exceeded"
    },
    {
      what: "the day's allocation",
      response: { status: 429, body: error(3036, "you have used up your daily free allocation of 10,000 neurons") },
      reason: { _tag: "QuotaExhausted", status: 429, retry: "elsewhere" },
      says: "daily free allocation"
    },
    {
      what: "the day's allocation, with status 200 and its other code",
      response: { body: error(4006, "you have used up your daily free allocation of 10,000 neurons") },
      reason: { _tag: "QuotaExhausted", status: 200 },
      says: "daily free allocation"
    },
    {
      what: "a model that is not there",
      response: { status: 400, body: error(5007, "No such model @cf/x or task") },
      reason: { _tag: "NotFound", status: 400, retry: "elsewhere" },
      says: "No such model"
    },
    {
      what: "a model that is not there, with status 200",
      response: { body: error(5007, "No such model @cf/x or task") },
      reason: { _tag: "NotFound", status: 200 },
      says: "No such model"
    },
    {
      what: "a wrong token",
      response: { status: 401, body: error(10000, "Authentication error") },
      reason: { _tag: "Unauthorized", status: 401 },
      says: "Authentication error"
    },
    {
      what: "a wrong token, with status 400",
      response: { status: 400, body: error(9109, "Invalid access token") },
      reason: { _tag: "Unauthorized", status: 400 },
      says: "Invalid access token"
    },
    {
      what: "a request that is too large, with status 200",
      response: { body: error(3006, "Request is too large") },
      reason: { _tag: "InvalidRequest", status: 200, retry: "never" },
      says: "too large"
    },
    {
      what: "a timeout",
      response: { status: 408, body: error(3007, "Request timeout") },
      reason: { _tag: "ServerError", status: 408, retry: "anywhere" },
      says: "Request timeout"
    },
    {
      what: "a failure of no known code, with status 200",
      response: { body: error(1, "what?") },
      reason: { _tag: "ServerError", status: 200, retry: "anywhere" },
      says: "what?"
    },
    {
      what: "a failure that says nothing",
      response: { body: '{"success":false,"errors":[]}' },
      reason: { _tag: "ServerError", status: 200 },
      says: "the endpoint failed (200)"
    }
  ],
  complain: (message) => error(1, message),
  streams: {
    isEventStream: true,
    answers: [
      [
        "plain",
        chunks({ response: "Grü", p: "abc" }, { response: "ße 🐢" }, { response: "." }, { response: "", usage }) + done,
        { ...answer, text: "Grüße 🐢." }
      ],
      ["without usage", chunks({ response: "Hi." }) + done, { ...answer, usage: undefined }],
      [
        "with tokens that are numbers",
        chunks({ response: 4 }, { response: 2 }) + done,
        { ...answer, text: "42", usage: undefined }
      ],
      ["empty", chunks({ response: "", usage }) + done, { ...answer, text: "" }],
      [
        "as newer models stream",
        chunks(
          { model: "m", choices: [{ delta: { content: "Hi" } }] },
          { choices: [{ delta: { content: "." }, finish_reason: "stop" }] },
          { choices: [], usage }
        ) + done,
        { ...answer, finishReason: "stop", model: "m" }
      ]
    ],
    failures: [
      {
        what: "an error in the middle",
        body: `${chunks({ response: "Hi" })}data: ${error(3040, "Capacity temporarily exceeded")}\n\n${done}`,
        text: "Hi",
        reason: { _tag: "Overloaded", status: 200 },
        says: "Capacity"
      },
      {
        what: "an error instead of a stream",
        body: error(5007, "No such model"),
        text: "",
        reason: { _tag: "NotFound", status: 200 },
        says: "No such model"
      },
      {
        what: "no end",
        body: chunks({ response: "Hi" }, { response: ".", usage }),
        text: "Hi.",
        reason: { _tag: "InvalidAnswer", status: 200 },
        says: "broke off"
      }
    ]
  }
})

describe("the cloudflare dialect's requests", () => {
  const encode = (request: GenAiRequest, options: Partial<ProviderTarget> = {}, mode: EncodeMode = "answer") =>
    Result.map(
      Cloudflare.make(target(baseUrl, { model: "@cf/meta/llama-3.1-8b-instruct", ...options })).encode(
        request,
        CREDENTIAL,
        mode
      ),
      ({ path, body }) => ({ path, body: JSON.parse(body) as unknown })
    )

  it("go to the model below run", () => {
    const { path } = Result.getOrThrow(encode(hello))
    assert.strictEqual(path, "/client/v4/accounts/a1/ai/run/@cf/meta/llama-3.1-8b-instruct")
    assert.include(Result.getOrThrow(encode(hello, { model: "a b?c#d" })).path, "/run/a%20b%3Fc%23d")
  })

  it("have the system prompt before the conversation, and the endpoint's parameters", () => {
    const parameters = { max_tokens: 100, seed: 1, prompt: "no", stream: true, messages: [] }
    const { body } = Result.getOrThrow(encode({ ...hello, system: "Be brief.", maxTokens: 5 }, { parameters }))
    assert.deepStrictEqual(body, {
      max_tokens: 5,
      seed: 1,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "hello" }
      ]
    })
  })

  it("ask for a stream by a member", () => {
    const { body } = Result.getOrThrow(encode(hello, {}, "stream"))
    assert.deepStrictEqual(body, { stream: true, messages: hello.messages })
  })

  it("fail without a model, and without messages", () => {
    for (const [request, says] of [
      [hello, "no model"],
      [{ messages: [], model: "m" }, "no messages"]
    ] as const) {
      const failed = encode(request, { model: undefined })
      assert(Result.isFailure(failed))
      assert.deepInclude(failed.failure.reason, { _tag: "InvalidRequest", retry: "never" })
      assert.include(failed.failure.message, says)
    }
  })
})
