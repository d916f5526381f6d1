/** What the dialects openai and azure have in common. */
import type { Fixtures } from "./conformance.ts"

/** A completion as OpenAI sends it, with these fields in place of its own. */
export const completion = (choice: object, rest: object = {}): string =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1767614400,
    model: "model-1-2026-01-05",
    choices: [
      { index: 0, message: { role: "assistant", content: "Hi." }, logprobs: null, finish_reason: "stop", ...choice }
    ],
    usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21, prompt_tokens_details: { cached_tokens: 0 } },
    ...rest
  })

export const answer = {
  text: "Hi.",
  finishReason: "stop",
  model: "model-1-2026-01-05",
  usage: { inputTokens: 9, cachedInputTokens: 0, outputTokens: 12, totalTokens: 21 }
}

export const error = (fields: object): string =>
  JSON.stringify({ error: { message: "Oops", type: null, param: null, code: null, ...fields } })

/** Chunks of a streamed completion, as events. */
const chunks = (...documents: ReadonlyArray<object>): string =>
  documents
    .map((document) =>
      JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", model: "model-1-2026-01-05", ...document })
    )
    .map((json) => `data: ${json}\n\n`)
    .join("")

const delta = (content: unknown, rest: object = {}) => ({
  choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null, ...rest }],
  usage: null
})

const last = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 } }
const stop = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }
const done = "data: [DONE]\n\n"
const streamed = { ...answer, text: "Grüße 🐢.", usage: { inputTokens: 9, outputTokens: 12, totalTokens: 21 } }

export const streams: Fixtures["streams"] = {
  isEventStream: true,
  answers: [
    [
      "plain",
      chunks(
        { choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] },
        delta("Grü"),
        delta("ße 🐢"),
        delta("."),
        stop,
        last
      ) + done,
      streamed
    ],
    ["without usage", chunks(delta("Hi"), delta("."), stop) + done, { ...answer, usage: undefined }],
    [
      "that begins with what the filters say (Azure)",
      chunks({ choices: [], prompt_filter_results: [], model: "" }, delta("Hi."), stop, last) + done,
      { ...streamed, text: "Hi." }
    ],
    [
      "cut at the longest length",
      chunks(delta("Hi."), { choices: [{ delta: {}, finish_reason: "length" }] }) + done,
      { ...answer, finishReason: "length", usage: undefined }
    ],
    [
      "the first of two",
      chunks(
        delta("Hi"),
        { choices: [{ index: 1, delta: { content: "Hello" } }] },
        {
          choices: [
            { index: 1, delta: { content: "!" } },
            { index: 0, delta: { content: "." } }
          ]
        },
        { choices: [{ index: 1, delta: {}, finish_reason: "length" }] },
        stop,
        last
      ) + done,
      { ...streamed, text: "Hi." }
    ],
    [
      "blocked",
      chunks({ choices: [{ delta: {}, finish_reason: "content_filter" }] }, last) + done,
      { ...streamed, text: "", finishReason: "content_filter" }
    ],
    [
      "a tool call, which has no text",
      chunks(
        { choices: [{ delta: { content: null, tool_calls: [{ index: 0, function: { arguments: "{}" } }] } }] },
        { choices: [{ delta: {}, finish_reason: "tool_calls" }] }
      ) + done,
      { ...answer, text: "", finishReason: "tool_calls", usage: undefined }
    ],
    ["without a last line and without its end", chunks(delta("Hi."), stop).trimEnd(), { ...answer, usage: undefined }],
    [
      "without a finish reason (old servers)",
      chunks(delta("Hi.")) + done,
      { ...answer, finishReason: undefined, usage: undefined }
    ]
  ],
  failures: [
    {
      what: "an error in the middle",
      body: `${chunks(delta("Hi"))}data: ${error({ message: "Slow down", code: "rate_limit_exceeded" })}\n\n${chunks(delta("more"))}${done}`,
      text: "Hi",
      reason: { _tag: "RateLimited", status: 200, retry: "anywhere" },
      says: "Slow down"
    },
    {
      what: "an error event",
      body: `event: error\ndata: ${error({ message: "Busy", type: "service_unavailable" })}\n\n`,
      text: "",
      reason: { _tag: "Overloaded", status: 200 },
      says: "Busy"
    },
    {
      what: "an error that is no event",
      body: `${chunks(delta("Hi"))}${JSON.stringify({ error: { message: "Oops", code: 503 } }, undefined, 2)}\n`,
      text: "Hi",
      reason: { _tag: "Overloaded", status: 200 },
      says: "Oops"
    },
    {
      what: "a whole answer after a beginning",
      body: `${chunks(delta("Hi"))}${completion({})}\n`,
      text: "Hi",
      reason: { _tag: "InvalidAnswer", status: 200 },
      says: "no event"
    },
    {
      what: "no end",
      body: chunks(delta("Hi"), delta(".")),
      text: "Hi.",
      reason: { _tag: "InvalidAnswer", status: 200, retry: "anywhere" },
      says: "broke off"
    },
    {
      what: "nothing but an end",
      body: done,
      text: "",
      reason: { _tag: "InvalidAnswer", status: 200 },
      says: "before it has begun"
    }
  ]
}
