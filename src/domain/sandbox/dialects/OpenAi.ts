/**
 * OpenAI's chat completions, non-streaming, with the error bodies and headers of the real API
 * (platform.openai.com/docs/api-reference/chat, .../guides/error-codes, .../guides/rate-limits).
 */
import * as Result from "effect/Result"
import type { SandboxAnswer, SandboxCall } from "../Answer.ts"
import type { Dialect, Refusal, ReplyIdentity, SandboxReply } from "../Dialect.ts"
import { readChatCompletion } from "./OpenAiRequest.ts"

const JSON_HEADERS: ReadonlyArray<string> = ["content-type", "application/json"]

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
  isCall: (path) => path === "/v1/chat/completions",

  modelsPath: "/v1/models",

  keyOf: (headers) => {
    const { authorization } = headers
    return typeof authorization === "string" && /^bearer /i.test(authorization)
      ? authorization.slice(7).trim()
      : undefined
  },

  readCall: (_path, body, models) =>
    Result.flatMap(readChatCompletion(body), (call) =>
      models === undefined || models.includes(call.model)
        ? Result.succeed(call)
        : Result.fail({ kind: "unknown-model", model: call.model })
    ),

  answer: (call: SandboxCall, answer: SandboxAnswer, identity: ReplyIdentity) => ({
    status: 200,
    headers: JSON_HEADERS,
    // By hand, which costs far less than JSON.stringify of the whole: it is done for every request.
    body:
      `{"id":"chatcmpl-${identity.id}","object":"chat.completion","created":${identity.created},` +
      `"model":${JSON.stringify(call.model)},"choices":[{"index":0,"message":{"role":"assistant",` +
      `"content":${JSON.stringify(answer.text)},"refusal":null},"logprobs":null,` +
      `"finish_reason":"${answer.cut ? "length" : "stop"}"}],"usage":{"prompt_tokens":${answer.promptTokens},` +
      `"completion_tokens":${answer.completionTokens},` +
      `"total_tokens":${answer.promptTokens + answer.completionTokens}},"system_fingerprint":"fp_sandbox"}`
  }),

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
          refusal.retryAfterMs === undefined ? [] : retryHeaders(refusal.retryAfterMs)
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

  listModels: (models) => ({
    status: 200,
    headers: JSON_HEADERS,
    body: JSON.stringify({
      object: "list",
      data: models.map((id) => ({ id, object: "model", created: 0, owned_by: "sandbox" }))
    })
  }),

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

/** `retry-after` in whole seconds, rounded up, and the exact `retry-after-ms` where that says more. */
function retryHeaders(retryAfterMs: number): ReadonlyArray<string> {
  const millis = Math.ceil(retryAfterMs)
  const whole = ["retry-after", String(Math.ceil(millis / 1000))]
  return millis % 1000 === 0 ? whole : [...whole, "retry-after-ms", String(millis)]
}

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
