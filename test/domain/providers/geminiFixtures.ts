/** Answers, complaints and streams in the form of Google's Gemini API, which Vertex AI shares. */
import type { GenAiResponse } from "../../../src/domain/genai/GenAiResponse.ts"
import type { Fixtures } from "./conformance.ts"

export const content = (...texts: ReadonlyArray<string>) => ({ role: "model", parts: texts.map((text) => ({ text })) })

export const generated = (candidate: object, rest: object = {}): string =>
  JSON.stringify({
    candidates: [{ content: content("Hi."), finishReason: "STOP", index: 0, ...candidate }],
    usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 3, totalTokenCount: 15 },
    modelVersion: "gemini-9-pro-001",
    responseId: "r1",
    ...rest
  })

export const answer: GenAiResponse = {
  text: "Hi.",
  finishReason: "STOP",
  model: "gemini-9-pro-001",
  usage: { inputTokens: 12, outputTokens: 3, totalTokens: 15 }
}

export const error = (code: number, status: string, message: string, details: ReadonlyArray<object> = []): string =>
  JSON.stringify({ error: { code, message, status, details } }, null, 2)

export const retryInfo = (retryDelay: string) => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay })

export const quotaFailure = (...quotaIds: ReadonlyArray<string>) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: quotaIds.map((quotaId) => ({
    quotaMetric: "generativelanguage.googleapis.com/generate_requests",
    quotaId,
    quotaDimensions: { location: "global", model: "gemini-9-pro" },
    quotaValue: "50"
  }))
})

export const errorInfo = (reason: string, metadata: object = {}) => ({
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason,
  domain: "googleapis.com",
  metadata
})

const event = (document: string) => `data: ${document}\r\n\r\n`.replaceAll("\r\n", "\n")
const piece = (candidate: object, rest: object = {}): string =>
  event(JSON.stringify({ candidates: [{ index: 0, ...candidate }], modelVersion: "gemini-9-pro-001", ...rest }))
const counts = (candidates: number) => ({
  usageMetadata: { promptTokenCount: 12, candidatesTokenCount: candidates, totalTokenCount: 12 + candidates }
})

const turtles = piece({ content: content("Schildkröten ") }, counts(1))

export const fixtures: Omit<Fixtures, "kind" | "baseUrl" | "credential"> = {
  answers: [
    ["plain", generated({}), answer],
    ["with a byte order mark", `\ufeff${generated({})}`, answer],
    ["in parts", generated({ content: content("H", "i", ".") }), answer],
    [
      "with thoughts, which are not its text but are paid for",
      generated(
        { content: { role: "model", parts: [{ text: "Let me think.", thought: true }, { text: "Hi." }] } },
        {
          usageMetadata: {
            promptTokenCount: 12,
            candidatesTokenCount: 3,
            thoughtsTokenCount: 40,
            cachedContentTokenCount: 8,
            totalTokenCount: 55
          }
        }
      ),
      { ...answer, usage: { inputTokens: 12, cachedInputTokens: 8, outputTokens: 43, totalTokens: 55 } }
    ],
    [
      "with what a tool gave, which is read like the prompt",
      generated({}, { usageMetadata: { promptTokenCount: 12, toolUsePromptTokenCount: 30 } }),
      { ...answer, usage: { inputTokens: 42 } }
    ],
    ["cut at the longest length", generated({ finishReason: "MAX_TOKENS" }), { ...answer, finishReason: "MAX_TOKENS" }],
    [
      "cut before the first word",
      generated({ content: { role: "model" }, finishReason: "MAX_TOKENS" }),
      { ...answer, text: "", finishReason: "MAX_TOKENS" }
    ],
    [
      "blocked for safety",
      generated({ content: undefined, finishReason: "SAFETY" }),
      { ...answer, text: "", finishReason: "SAFETY" }
    ],
    [
      "blocked as a recitation",
      generated({ content: undefined, finishReason: "RECITATION" }),
      { ...answer, text: "", finishReason: "RECITATION" }
    ],
    [
      "to a prompt that was blocked",
      JSON.stringify({
        promptFeedback: { blockReason: "PROHIBITED_CONTENT" },
        usageMetadata: { promptTokenCount: 12, totalTokenCount: 12 },
        modelVersion: "gemini-9-pro-001"
      }),
      { ...answer, text: "", finishReason: "PROHIBITED_CONTENT", usage: { inputTokens: 12, totalTokens: 12 } }
    ],
    [
      "a call of a function, which has no text",
      generated({ content: { role: "model", parts: [{ functionCall: { name: "f", args: { text: "no" } } }] } }),
      { ...answer, text: "" }
    ],
    [
      "with nothing but the text and a reason",
      JSON.stringify({ candidates: [{ content: content("Hi."), finishReason: "STOP" }] }),
      { text: "Hi.", finishReason: "STOP", model: undefined, usage: undefined }
    ],
    [
      "with usage that is not in whole tokens",
      generated({}, { usageMetadata: { promptTokenCount: 1.5, candidatesTokenCount: -1, totalTokenCount: "21" } }),
      { ...answer, usage: {} }
    ],
    [
      "as a list of pieces",
      `[${generated({ content: content("H"), finishReason: null })},\n${generated({ content: content("i.") })}]`,
      answer
    ]
  ],
  invalidAnswers: [
    ["an empty body", "", "not JSON"],
    ["an HTML page", "<!DOCTYPE html><title>Sign in</title><p>Please log in", "Sign in Please log in"],
    ["truncated JSON", generated({}).slice(0, 100), "not whole"],
    ["an event stream", turtles, "not JSON"],
    ["JSON of something else", '{"data":[]}', "candidates[0] is missing"],
    ["no candidates", '{"candidates":[]}', "candidates[0] is missing"],
    ["usage alone", '{"usageMetadata":{"promptTokenCount":3}}', "candidates[0] is missing"],
    ["an empty candidate", '{"candidates":[{}]}', "candidates[0] is missing"],
    ["null", "null", "candidates[0] is missing"],
    ["an empty list", "[]", "candidates[0] is missing"],
    ["a body that quotes the credential", "Hello k-123!", "Hello ***!"]
  ],
  failures: [
    {
      what: "a rate limit with RetryInfo",
      response: {
        status: 429,
        body: error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", [
          quotaFailure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
          { "@type": "type.googleapis.com/google.rpc.Help", links: [] },
          retryInfo("34.4s")
        ])
      },
      reason: { _tag: "RateLimited", status: 429, retryAfterMs: 34_400 },
      says: "rate limit reached (429 RESOURCE_EXHAUSTED): You exceeded your current quota."
    },
    {
      what: "RetryInfo with a long fraction, which outranks header and message",
      response: {
        status: 503,
        headers: { "retry-after": "60" },
        body: error(503, "UNAVAILABLE", "Please retry in 50s.", [retryInfo("0.539477544s")])
      },
      reason: { _tag: "Overloaded", status: 503, retryAfterMs: 540 },
      says: "UNAVAILABLE"
    },
    {
      what: "a wait in the message, in seconds",
      response: { status: 429, body: error(429, "RESOURCE_EXHAUSTED", "Slow down. Please retry in 44.097740004s.") },
      reason: { _tag: "RateLimited", retryAfterMs: 44_098 },
      says: "Please retry in 44.097740004s."
    },
    {
      what: "a wait in the message, in milliseconds",
      response: { status: 429, body: error(429, "RESOURCE_EXHAUSTED", "Please retry in 900.2ms.") },
      reason: { _tag: "RateLimited", retryAfterMs: 901 },
      says: "900.2ms"
    },
    {
      what: "a wait in the message, in hours",
      response: { status: 429, body: error(429, "RESOURCE_EXHAUSTED", "Please retry in 1h2m3.5s") },
      reason: { _tag: "RateLimited", retryAfterMs: 3_723_500 },
      says: "1h2m3.5s"
    },
    {
      what: "a quota per day, whatever wait comes with it",
      response: {
        status: 429,
        body: error(429, "RESOURCE_EXHAUSTED", "Please retry in 12s.", [
          quotaFailure("GenerateRequestsPerMinutePerProject", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
          retryInfo("12s")
        ])
      },
      reason: { _tag: "QuotaExhausted", status: 429, retry: "elsewhere", period: "day" },
      says: "the account's quota is used up (429 RESOURCE_EXHAUSTED)"
    },
    {
      what: "a quota per minute without a wait",
      response: {
        status: 429,
        body: error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [quotaFailure("GenerateContentInputTokensPerMinute")])
      },
      reason: { _tag: "RateLimited", retryAfterMs: 60_000 },
      says: "Quota exceeded."
    },
    {
      what: "a quota per minute with a wait in the header",
      response: {
        status: 429,
        headers: { "retry-after": "5" },
        body: error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [quotaFailure("GenerateContentInputTokensPerMinute")])
      },
      reason: { _tag: "RateLimited", retryAfterMs: 5_000 },
      says: "Quota exceeded."
    },
    {
      what: "a quota that ErrorInfo names",
      response: {
        status: 429,
        body: error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [
          errorInfo("RATE_LIMIT_EXCEEDED", {
            quota_limit: "GenerateContentRequestsPerMinutePerProjectPerRegion",
            quota_location: "us-central1",
            service: "aiplatform.googleapis.com"
          })
        ])
      },
      reason: { _tag: "RateLimited", retryAfterMs: 60_000 },
      says: "Quota exceeded."
    },
    {
      what: "a model without capacity, which is no limit of ours",
      response: {
        status: 429,
        body: error(429, "RESOURCE_EXHAUSTED", "No capacity available for the model.", [
          errorInfo("MODEL_CAPACITY_EXHAUSTED"),
          retryInfo("3s")
        ])
      },
      reason: { _tag: "Overloaded", status: 429, retryAfterMs: 3_000 },
      says: "the endpoint has no capacity now (429 RESOURCE_EXHAUSTED)"
    },
    {
      what: "an unknown key, which comes with status 400",
      response: {
        status: 400,
        body: error(400, "INVALID_ARGUMENT", "API key not valid.", [errorInfo("API_KEY_INVALID")])
      },
      reason: { _tag: "Unauthorized", status: 400, retry: "elsewhere" },
      says: "the endpoint refuses the credential (400 INVALID_ARGUMENT): API key not valid."
    },
    {
      what: "an account that may not use the API from here",
      response: {
        status: 400,
        body: error(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
      },
      reason: { _tag: "Unauthorized", status: 400 },
      says: "User location is not supported"
    },
    {
      what: "a wrong request",
      response: { status: 400, body: error(400, "INVALID_ARGUMENT", "Invalid value at 'contents[0].role'.") },
      reason: { _tag: "InvalidRequest", status: 400, retry: "never" },
      says: "(400 INVALID_ARGUMENT): Invalid value at 'contents[0].role'."
    },
    {
      what: "a precondition of the request",
      response: { status: 400, body: error(400, "FAILED_PRECONDITION", "The cached content has expired.") },
      reason: { _tag: "InvalidRequest", status: 400 },
      says: "The cached content has expired."
    },
    {
      what: "no permission",
      response: { status: 403, body: error(403, "PERMISSION_DENIED", "Permission 'predict' denied.") },
      reason: { _tag: "Unauthorized", status: 403 },
      says: "PERMISSION_DENIED"
    },
    {
      what: "an unknown model",
      response: { status: 404, body: error(404, "NOT_FOUND", "models/x is not found.") },
      reason: { _tag: "NotFound", status: 404, retry: "elsewhere" },
      says: "models/x is not found."
    },
    {
      what: "an internal error",
      response: { status: 500, body: error(500, "INTERNAL", "An internal error has occurred.") },
      reason: { _tag: "ServerError", status: 500 },
      says: "INTERNAL"
    },
    {
      what: "an answer that took too long there",
      response: { status: 504, body: error(504, "DEADLINE_EXCEEDED", "Deadline expired.") },
      reason: { _tag: "ServerError", status: 504 },
      says: "DEADLINE_EXCEEDED"
    },
    {
      what: "an error in a list",
      response: { status: 429, body: `[${error(429, "RESOURCE_EXHAUSTED", "Too many.", [retryInfo("2s")])}]` },
      reason: { _tag: "RateLimited", retryAfterMs: 2_000 },
      says: "(429 RESOURCE_EXHAUSTED): Too many."
    },
    {
      what: "an error as JSON in the message of another",
      response: {
        status: 429,
        body: error(429, "Too Many Requests", error(429, "RESOURCE_EXHAUSTED", "The inner one.", [retryInfo("7s")]))
      },
      reason: { _tag: "RateLimited", retryAfterMs: 7_000 },
      says: "(429 RESOURCE_EXHAUSTED): The inner one."
    },
    {
      what: "a page where no API is, as for a location that does not exist",
      response: { status: 404, body: "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title>" },
      reason: { _tag: "NotFound", status: 404 },
      says: "check the location"
    },
    {
      what: "an error with status 200",
      response: { body: error(429, "RESOURCE_EXHAUSTED", "Too many.", [retryInfo("2s")]) },
      reason: { _tag: "RateLimited", status: 200, retryAfterMs: 2_000 },
      says: "RESOURCE_EXHAUSTED"
    }
  ],
  complain: (message) => error(400, "INVALID_ARGUMENT", message),
  streams: {
    isEventStream: true,
    answers: [
      [
        "in pieces",
        turtles +
          piece({ content: content("🐢", " leben") }, counts(3)) +
          piece({ content: content(" lange."), finishReason: "STOP" }, counts(5)),
        {
          text: "Schildkröten 🐢 leben lange.",
          finishReason: "STOP",
          model: "gemini-9-pro-001",
          usage: { inputTokens: 12, outputTokens: 5, totalTokens: 17 }
        }
      ],
      [
        "with thoughts before the text",
        piece({ content: { role: "model", parts: [{ text: "Let me think.", thought: true }] } }) +
          piece({ content: content("Ja."), finishReason: "STOP" }, { usageMetadata: { thoughtsTokenCount: 9 } }),
        { text: "Ja.", finishReason: "STOP", model: "gemini-9-pro-001", usage: { outputTokens: 9 } }
      ],
      [
        "stopped for safety in the middle",
        turtles + piece({ finishReason: "SAFETY" }, counts(1)),
        {
          text: "Schildkröten ",
          finishReason: "SAFETY",
          model: "gemini-9-pro-001",
          usage: { inputTokens: 12, outputTokens: 1, totalTokens: 13 }
        }
      ],
      [
        "to a prompt that was blocked",
        event(JSON.stringify({ promptFeedback: { blockReason: "SAFETY" }, modelVersion: "gemini-9-pro-001" })),
        { text: "", finishReason: "SAFETY", model: "gemini-9-pro-001", usage: undefined }
      ]
    ],
    failures: [
      {
        what: "an error as an event",
        body: turtles + event(error(503, "UNAVAILABLE", "The model is overloaded.").replaceAll("\n", "")),
        text: "Schildkröten ",
        reason: { _tag: "Overloaded", status: 200 },
        says: "The model is overloaded."
      },
      {
        what: "an error as bare JSON in many lines",
        body: `${turtles}${error(429, "RESOURCE_EXHAUSTED", "Too many.", [retryInfo("2.5s")])}\n`,
        text: "Schildkröten ",
        reason: { _tag: "RateLimited", status: 200, retryAfterMs: 2_500 },
        says: "Too many."
      },
      {
        what: "a list with an error as bare JSON",
        body: `${turtles}[${error(500, "INTERNAL", "Sorry.")}]`,
        text: "Schildkröten ",
        reason: { _tag: "ServerError", status: 200 },
        says: "Sorry."
      },
      {
        what: "a quota per day",
        body: event(error(429, "RESOURCE_EXHAUSTED", "Done.", [quotaFailure("RequestsPerDay")]).replaceAll("\n", "")),
        text: "",
        reason: { _tag: "QuotaExhausted", status: 200 },
        says: "Done."
      },
      {
        what: "an end without a finish reason",
        body: turtles,
        text: "Schildkröten ",
        reason: { _tag: "InvalidAnswer", status: 200, retry: "anywhere" },
        says: "broke off"
      }
    ]
  }
}
