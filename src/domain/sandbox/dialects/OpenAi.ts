/**
 * OpenAI's chat completions with the error bodies and headers of the real API
 * (platform.openai.com/docs/api-reference/chat, .../guides/error-codes, .../guides/rate-limits).
 */
import * as Result from "effect/Result"
import type { Dialect, Refusal, SandboxReply } from "../Dialect.ts"
import { bearerOf, completion, completionFrames, EVENT_HEADERS, JSON_HEADERS, retryHeaders } from "./ChatCompletion.ts"
import { readChatCompletion } from "./OpenAiRequest.ts"

/** The body of every error: `{"error": {...}}`, where absent facts are null. */
const error = (
  status: number,
  message: string,
  type: string,
  code: string | null = null,
  param: string | null = null,
  headers: ReadonlyArray<string> = []
): SandboxReply => ({
  status,
  headers: [...JSON_HEADERS, ...headers],
  body: JSON.stringify({ error: { message, type, param, code } })
})

export const openAiDialect: Dialect = {
  keyOf: (request) => bearerOf(request.headers),

  readCall: (_request, body, models) =>
    Result.flatMap(readChatCompletion(body), (call) =>
      models === undefined || models.includes(call.model)
        ? Result.succeed(call)
        : Result.fail({ kind: "unknown-model", model: call.model })
    ),

  answer: (call, answer, identity) => ({
    status: 200,
    headers: JSON_HEADERS,
    body: completion(call, answer, identity)
  }),

  stream: (call, answer, deltas, identity) => ({
    headers: EVENT_HEADERS,
    frames: completionFrames(call, answer, deltas, identity)
  }),

  streamError:
    'data: {"error":{"message":"The server had an error while processing your request. Sorry about that!",' +
    '"type":"server_error","param":null,"code":null}}\n\n',

  callHeaders: (id) => ["x-request-id", `req_${id}`],

  timingHeaders: (latencyMs) => ["openai-processing-ms", String(Math.round(latencyMs))],

  refuse: (refusal: Refusal) => {
    switch (refusal.kind) {
      case "unknown-path":
        return error(404, `Invalid URL (${refusal.method} ${refusal.path})`, "invalid_request_error")
      case "wrong-method":
        return error(
          405,
          `Only ${refusal.allowed} requests are accepted.`,
          "invalid_request_error",
          "method_not_supported",
          null,
          ["allow", refusal.allowed]
        )
      case "no-key":
        return error(
          401,
          "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth " +
            "(i.e. Authorization: Bearer YOUR_KEY).",
          "invalid_request_error"
        )
      case "bad-key":
        return error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
      case "invalid":
        return error(400, refusal.message, "invalid_request_error", refusal.code ?? null, refusal.param ?? null)
      case "too-large":
        return error(413, `The request body is larger than ${refusal.limitBytes} bytes.`, "invalid_request_error")
      case "unknown-model":
        return error(
          404,
          `The model \`${refusal.model}\` does not exist or you do not have access to it.`,
          "invalid_request_error",
          "model_not_found"
        )
      case "rate-limited":
        return error(
          429,
          rateLimitMessage(refusal),
          "requests",
          "rate_limit_exceeded",
          null,
          retryHeaders(refusal.retryAfterMs)
        )
      case "overloaded":
        return error(
          refusal.status,
          "The server is currently overloaded with other requests. Sorry about that! Please try again later.",
          "server_error",
          "overloaded"
        )
      case "server-error":
        return error(500, "The server had an error while processing your request. Sorry about that!", "server_error")
    }
  },

  rateHeaders: (verdict) => [
    "x-ratelimit-limit-requests",
    String(verdict.limit),
    "x-ratelimit-remaining-requests",
    String(verdict.remaining),
    "x-ratelimit-reset-requests",
    goDuration(verdict.resetMs)
  ]
}

function rateLimitMessage(refusal: Extract<Refusal, { readonly kind: "rate-limited" }>): string {
  const { retryAfterMs, verdict } = refusal
  const limit =
    verdict === undefined
      ? ""
      : verdict.windowMs === 60_000
        ? ` on requests per min (RPM): Limit ${verdict.limit}, Used ${verdict.limit}, Requested 1`
        : ` on requests per second: Limit ${verdict.limit}, Used ${verdict.limit}, Requested 1`
  const advice =
    retryAfterMs === undefined ? "Please try again later." : `Please try again in ${goDuration(retryAfterMs)}.`
  return `Rate limit reached${limit}. ${advice}`
}

/** The answer to `GET /v1/models`. */
export const listOpenAiModels = (models: ReadonlyArray<string>): SandboxReply => ({
  status: 200,
  headers: JSON_HEADERS,
  body: JSON.stringify({
    object: "list",
    data: models.map((id) => ({ id, object: "model", created: 0, owned_by: "sandbox" }))
  })
})

/** A duration as Go prints it, in whole milliseconds rounded up: `12ms`, `1.5s`, `6m0s`, `1h0m0s`. */
export function goDuration(millis: number): string {
  const whole = Math.ceil(millis)
  if (whole === 0) return "0s"
  if (whole < 1000) return `${whole}ms`
  const seconds = (whole % 60_000) / 1000
  const minutes = Math.floor(whole / 60_000) % 60
  const hours = Math.floor(whole / 3_600_000)
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`
}
