import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import type { ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import * as Raw from "../../../src/domain/providers/Raw.ts"
import { CREDENTIAL, conformance, hello, response, target } from "./conformance.ts"

const answer = (text: string) => ({ text, finishReason: undefined, model: undefined, usage: undefined })

conformance({
  kind: "raw",
  baseUrl: "https://llm.example.com/generate?x=1",
  credential: ["authorization", "Bearer k-123"],
  answers: [
    ["JSON", '{"output": ["Hi."]}', answer('{"output": ["Hi."]}')],
    ["text", "Hi.\n", answer("Hi.\n")],
    ["JSON with a member named error", '{"error":null}', answer('{"error":null}')]
  ],
  invalidAnswers: [
    ["an empty body", "", "the answer is empty"],
    ["white space", " \r\n", "the answer is empty"]
  ],
  failures: [
    {
      what: "any JSON with a message",
      response: { status: 400, body: '{"message":"input is missing"}' },
      reason: { _tag: "InvalidRequest", status: 400 },
      says: "the endpoint refuses the request (400): input is missing"
    },
    {
      what: "plain text",
      response: { status: 503, body: "upstream connect error" },
      reason: { _tag: "Overloaded", status: 503 },
      says: "upstream connect error"
    }
  ],
  complain: (message) => JSON.stringify({ message }),
  streams: {
    isEventStream: false,
    answers: [
      ["text", "Grüße 🐢.\n", answer("Grüße 🐢.\n")],
      ["JSON lines", '{"text": "Hi"}\n{"text": "."}\n', answer('{"text": "Hi"}\n{"text": "."}\n')],
      ["events, as they are", "data: Hi.\n\n", answer("data: Hi.\n\n")],
      ["half a character at the end", "Hi\ud83d", answer("Hi\ufffd")]
    ],
    failures: []
  }
})

describe("the raw dialect's requests", () => {
  const encode = (request: GenAiRequest, options: Partial<ProviderTarget> = {}) =>
    Raw.make(target("https://llm.example.com/generate/?x=1", options)).encode(request, CREDENTIAL, "answer")
  const sent = (request: GenAiRequest, options: Partial<ProviderTarget> = {}): unknown =>
    JSON.parse(Result.getOrThrow(encode(request, options)).body)

  it("go to the base URL as it is", () => {
    assert.strictEqual(Result.getOrThrow(encode(hello)).path, "/generate/?x=1")
  })

  it("are the request's own JSON and nothing else", () => {
    const parameters = { temperature: 0.4 }
    for (const body of [{ prompt: "hello", n: [1, null] }, ["a"], "text", 7, null, false]) {
      assert.deepStrictEqual(sent({ messages: [], body }, { parameters }), body)
    }
  })

  it("are the fields of an input row when the request has no JSON of its own", () => {
    assert.deepStrictEqual(sent({ ...hello, system: "Be brief.", temperature: 0, maxTokens: 5 }), {
      model: "model-1",
      system: "Be brief.",
      messages: hello.messages,
      temperature: 0,
      max_tokens: 5
    })
    assert.deepStrictEqual(sent(hello, { model: undefined }), { messages: hello.messages })
  })

  it("take what is added to them unless they are somebody's own JSON", () => {
    const extra = { options: { top_k: 5 } }
    assert.deepStrictEqual(sent({ ...hello, extra }, { model: undefined, parameters: { options: { seed: 1 } } }), {
      options: { seed: 1, top_k: 5 },
      messages: hello.messages
    })
    assert.deepStrictEqual(sent({ messages: [], body: { a: 1 }, extra }), { a: 1 })
  })

  it("fail when their body cannot be written as JSON", () => {
    const cycle: Record<string, unknown> = {}
    cycle["self"] = cycle
    for (const body of [cycle, 1n, () => 1]) {
      const result = encode({ messages: [], body })
      assert(Result.isFailure(result))
      assert.deepInclude(result.failure.reason, { _tag: "InvalidRequest", retry: "never" })
      assert.include(result.failure.message, "cannot be written as JSON")
    }
  })

  it("have their answers back as they are", () => {
    const body = `{"a": [1,  2]}\n`
    const result = Raw.make(target("https://x")).decode(response({ status: 201, body }), undefined, 0)
    assert.deepStrictEqual(result, Result.succeed(answer(body)))
  })
})
