/** Anthropic's messages (docs.anthropic.com/en/api/messages, .../errors, .../rate-limits, .../messages-streaming). */
import * as Result from "effect/Result"
import type { SandboxAnswer, SandboxCall } from "../Answer.ts"
import type { Dialect, Refusal, ReplyIdentity, SandboxReply } from "../Dialect.ts"
import { bearerOf, EVENT_HEADERS, headerOf, JSON_HEADERS } from "./ChatCompletion.ts"
import { invalid, isFields, isGiven, parseJson } from "./Fields.ts"

const error = (status: number, type: string, message: string, headers: ReadonlyArray<string> = []): SandboxReply => ({
  status,
  headers: [...JSON_HEADERS, "x-should-retry", String(status === 429 || status >= 500), ...headers],
  body: JSON.stringify({ type: "error", error: { type, message } })
})

/** One event of a stream: its data repeats the name as `type`. */
const event = (type: string, fields: string): string => `event: ${type}\ndata: {"type":"${type}"${fields}}\n\n`

const stopReason = (answer: SandboxAnswer): string => (answer.cut ? "max_tokens" : "end_turn")

/** A message with `content` and the reason to stop, both as JSON. */
const message = (
  call: SandboxCall,
  { id }: ReplyIdentity,
  content: string,
  stopReason: string,
  promptTokens: number,
  outputTokens: number
): string =>
  `{"model":${JSON.stringify(call.model)},"id":"msg_${id}","type":"message","role":"assistant","content":[${content}],` +
  `"stop_reason":${stopReason},"stop_sequence":null,"usage":{"input_tokens":${promptTokens},` +
  `"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":${outputTokens},` +
  `"service_tier":"standard"}}`

export const anthropicDialect: Dialect = {
  keyOf: ({ headers }) => headerOf(headers, "x-api-key") ?? bearerOf(headers),

  readCall: ({ headers }, body, models) => {
    if (headerOf(headers, "anthropic-version") === undefined) return invalid("anthropic-version: header is required")
    return Result.flatMap(readMessage(body), (call) =>
      models === undefined || models.includes(call.model)
        ? Result.succeed(call)
        : Result.fail({ kind: "unknown-model", model: call.model })
    )
  },

  answer: (call, answer, identity) => ({
    status: 200,
    headers: JSON_HEADERS,
    body: message(
      call,
      identity,
      `{"type":"text","text":${JSON.stringify(answer.text)}}`,
      `"${stopReason(answer)}"`,
      answer.promptTokens,
      answer.completionTokens
    )
  }),

  stream: (call, answer, deltas, identity) => {
    const opening =
      event("message_start", `,"message":${message(call, identity, "", "null", answer.promptTokens, 1)}`) +
      event("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}') +
      event("ping", "")
    const pieces = deltas.map((delta, index) => {
      const piece = `,"index":0,"delta":{"type":"text_delta","text":${JSON.stringify(delta)}}`
      return (index === 0 ? opening : "") + event("content_block_delta", piece)
    })
    const closing =
      event("content_block_stop", ',"index":0') +
      event(
        "message_delta",
        `,"delta":{"stop_reason":"${stopReason(answer)}","stop_sequence":null},` +
          `"usage":{"output_tokens":${answer.completionTokens}}`
      ) +
      event("message_stop", "")
    return { headers: EVENT_HEADERS, frames: [...pieces, closing] }
  },

  streamError: event("error", ',"error":{"type":"overloaded_error","message":"Overloaded"}'),

  callHeaders: (id) => ["request-id", `req_${id}`],

  timingHeaders: (latencyMs) => ["x-envoy-upstream-service-time", String(Math.round(latencyMs))],

  refuse: (refusal: Refusal) => {
    switch (refusal.kind) {
      case "unknown-path":
        return error(404, "not_found_error", "Not Found")
      case "wrong-method":
        return error(405, "invalid_request_error", "Method Not Allowed", ["allow", refusal.allowed])
      case "no-key":
        return error(401, "authentication_error", "x-api-key header is required")
      case "bad-key":
        return error(401, "authentication_error", "invalid x-api-key")
      case "invalid":
        return error(400, "invalid_request_error", refusal.message)
      case "too-large":
        return error(413, "request_too_large", "Request exceeds the maximum size")
      case "unknown-model":
        return error(404, "not_found_error", `model: ${refusal.model}`)
      case "rate-limited":
        return error(
          429,
          "rate_limit_error",
          refusal.verdict === undefined
            ? "This request would exceed your organization's rate limit. Please reduce your request rate."
            : `This request would exceed your organization's rate limit of ${refusal.verdict.limit} requests per ` +
                `${refusal.verdict.windowMs === 60_000 ? "minute" : "second"}.`,
          refusal.retryAfterMs === undefined ? [] : ["retry-after", String(Math.ceil(refusal.retryAfterMs / 1000))]
        )
      case "overloaded":
        return error(refusal.status, "overloaded_error", "Overloaded")
      case "server-error":
        return error(500, "api_error", "Internal server error")
    }
  },

  rateHeaders: (verdict, unixMs) => [
    "anthropic-ratelimit-requests-limit",
    String(verdict.limit),
    "anthropic-ratelimit-requests-remaining",
    String(verdict.remaining),
    "anthropic-ratelimit-requests-reset",
    rfc3339(unixMs + verdict.resetMs)
  ]
}

/** A time in whole seconds, rounded up: `2026-01-27T12:00:30Z`. */
export const rfc3339 = (unixMs: number): string =>
  `${new Date(Math.ceil(unixMs / 1000) * 1000).toISOString().slice(0, 19)}Z`

/** Checks a body as the real API does: its messages are `field: what is wrong with it`. */
function readMessage(body: string): Result.Result<SandboxCall, Refusal> {
  const json = parseJson(body)
  if (json === undefined) return invalid("The request body is not valid JSON")
  if (!isFields(json)) return invalid("Input should be a valid dictionary")
  const { model, messages, max_tokens, system, stream, temperature } = json
  if (!isGiven(model)) return invalid("model: Field required")
  if (typeof model !== "string") return invalid("model: Input should be a valid string")
  if (!isGiven(max_tokens)) return invalid("max_tokens: Field required")
  if (typeof max_tokens !== "number" || !Number.isInteger(max_tokens)) {
    return invalid("max_tokens: Input should be a valid integer")
  }
  if (max_tokens < 1) return invalid("max_tokens: must be greater than or equal to 1")
  if (!isGiven(messages)) return invalid("messages: Field required")
  if (!Array.isArray(messages)) return invalid("messages: Input should be a valid list")
  if (messages.length === 0) return invalid("messages: at least one message is required")
  if (isGiven(temperature) && (typeof temperature !== "number" || temperature < 0 || temperature > 1)) {
    return invalid("temperature: range: 0..1")
  }
  if (isGiven(stream) && typeof stream !== "boolean") return invalid("stream: Input should be a valid boolean")
  const texts: Array<string> = []
  if (isGiven(system) && !readContent(system, texts)) return invalid("system: Input should be a valid list")
  for (let index = 0; index < messages.length; index++) {
    const turn: unknown = messages[index]
    const { role, content } = isFields(turn) ? turn : {}
    if (role !== "user" && role !== "assistant") {
      return invalid(
        role === "system"
          ? 'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" ' +
              "as an input message role."
          : `messages.${index}.role: Input should be 'user' or 'assistant'`
      )
    }
    if (!readContent(content, texts)) return invalid(`messages.${index}.content: Field required`)
  }
  return Result.succeed({ model, texts, maxTokens: max_tokens, stream: stream === true, streamUsage: true })
}

/** Adds the texts of a content: text, or a list of blocks; false when it is neither. */
function readContent(content: unknown, texts: Array<string>): boolean {
  if (typeof content === "string") {
    texts.push(content)
    return true
  }
  if (!Array.isArray(content)) return false
  for (const block of content) {
    const { text } = isFields(block) ? block : {}
    if (typeof text === "string") texts.push(text)
  }
  return true
}
