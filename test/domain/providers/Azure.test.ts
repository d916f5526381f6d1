import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Azure from "../../../src/domain/providers/Azure.ts"
import { CREDENTIAL, conformance, hello, target } from "./conformance.ts"
import { answer, completion, error, streams } from "./openAiFixtures.ts"

const baseUrl = "https://res.openai.azure.com/openai/deployments/gpt-small?api-version=2024-10-21"

conformance({
  kind: "azure",
  baseUrl,
  credential: ["api-key", "k-123"],
  answers: [
    ["plain", completion({}), answer],
    [
      "with what the content filters say",
      completion(
        { content_filter_results: { hate: { filtered: false, severity: "safe" } } },
        { prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] }
      ),
      answer
    ],
    [
      "blocked by the content filter",
      completion({ message: { role: "assistant" }, finish_reason: "content_filter" }),
      { ...answer, text: "", finishReason: "content_filter" }
    ]
  ],
  invalidAnswers: [
    ["an empty body", "", "not JSON"],
    ["truncated JSON", completion({}).slice(0, 100), "not whole"]
  ],
  failures: [
    {
      what: "rate limit, which resets at times that mean nothing",
      response: {
        status: 429,
        headers: { "retry-after": "26", "retry-after-ms": "25511", "x-ratelimit-reset-requests": "-1" },
        body: error({ code: "429", message: "Requests to the API have exceeded call rate limit." })
      },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 25_511, retry: "anywhere" },
      says: "rate limit reached (429): Requests to the API have exceeded call rate limit."
    },
    {
      what: "a wrong key",
      response: {
        status: 401,
        body: error({ code: "401", message: "Access denied due to invalid subscription key or wrong API endpoint." })
      },
      reason: { _tag: "Unauthorized", status: 401 },
      says: "Access denied"
    },
    {
      what: "the gateway's form",
      response: { status: 401, body: '{"statusCode":401,"message":"Unauthorized. Access token is missing."}' },
      reason: { _tag: "Unauthorized", status: 401 },
      says: "Access token is missing"
    },
    {
      what: "a deployment that is not there",
      response: { status: 404, body: error({ code: "DeploymentNotFound", message: "It does not exist." }) },
      reason: { _tag: "NotFound", status: 404, retry: "elsewhere" },
      says: "DeploymentNotFound"
    },
    {
      what: "a prompt that the content filter refuses",
      response: {
        status: 400,
        body: error({ code: "content_filter", message: "The prompt was filtered.", innererror: { code: "x" } })
      },
      reason: { _tag: "InvalidRequest", status: 400, retry: "never" },
      says: "content_filter"
    }
  ],
  complain: (message) => error({ message }),
  streams
})

describe("the azure dialect's requests", () => {
  it("go to chat/completions below the deployment, with the version of the API", () => {
    const { path } = Result.getOrThrow(Azure.make(target(baseUrl)).encode(hello, CREDENTIAL, "answer"))
    assert.strictEqual(path, "/openai/deployments/gpt-small/chat/completions?api-version=2024-10-21")
  })

  it("need no model, since the deployment has one", () => {
    const azure = Azure.make(target(baseUrl, { model: undefined }))
    const { body } = Result.getOrThrow(azure.encode(hello, CREDENTIAL, "answer"))
    assert.deepStrictEqual(JSON.parse(body), { messages: hello.messages })
  })
})
