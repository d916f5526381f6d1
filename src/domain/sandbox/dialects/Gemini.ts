/** The Gemini API (ai.google.dev/api, .../gemini-api/docs/troubleshooting, .../rate-limits). */
import type { Dialect, Refusal, SandboxReply } from "../Dialect.ts"
import { headerOf } from "./ChatCompletion.ts"
import { decodeSegment } from "./Fields.ts"
import { type Framing, type GoogleError, makeGoogleDialect } from "./Google.ts"

const PATH = /^\/v1(?:beta|alpha)?\/models\/([^/]+):(?:generateContent|streamGenerateContent)$/

export const isGeminiCall = (path: string): boolean => PATH.test(path)

const invalidArgument = (message: string): GoogleError => ({ status: 400, reason: "INVALID_ARGUMENT", message })

function errorOf(refusal: Refusal): GoogleError {
  switch (refusal.kind) {
    case "unknown-path":
    case "wrong-method":
      return { status: 404, reason: "NOT_FOUND", message: "Requested entity was not found." }
    case "no-key":
      return {
        status: 403,
        reason: "PERMISSION_DENIED",
        message:
          "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or " +
          "other form of API consumer identity to call this API."
      }
    case "bad-key":
      // Not a 401: the Gemini API calls a wrong key an invalid argument.
      return {
        ...invalidArgument("API key not valid. Please pass a valid API key."),
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            reason: "API_KEY_INVALID",
            domain: "googleapis.com",
            metadata: { service: "generativelanguage.googleapis.com" }
          }
        ]
      }
    case "invalid":
      return invalidArgument(refusal.message)
    case "too-large":
      return invalidArgument(`Request payload size exceeds the limit: ${refusal.limitBytes} bytes.`)
    case "unknown-model":
      return {
        status: 404,
        reason: "NOT_FOUND",
        message:
          `models/${refusal.model} is not found for API version v1beta, or is not supported for generateContent. ` +
          "Call ListModels to see the list of available models and their supported methods."
      }
    case "rate-limited":
      return exhausted(refusal)
    case "overloaded":
      return {
        status: refusal.status,
        reason: "UNAVAILABLE",
        message: "The model is overloaded. Please try again later."
      }
    case "server-error":
      return {
        status: 500,
        reason: "INTERNAL",
        message:
          "An internal error has occurred. Please retry or report in " +
          "https://developers.generativeai.google/guide/troubleshooting"
      }
  }
}

/** The hint is in the body: in the message, and as `RetryInfo`; there is no Retry-After header. */
function exhausted(refusal: Extract<Refusal, { readonly kind: "rate-limited" }>): GoogleError {
  const { retryAfterMs, verdict } = refusal
  const error = { status: 429, reason: "RESOURCE_EXHAUSTED" }
  if (retryAfterMs === undefined) return { ...error, message: "Resource has been exhausted (e.g. check quota)." }
  const metric = "generativelanguage.googleapis.com/generate_content_requests"
  const limit = verdict?.limit ?? 60
  const delay = protobufDuration(retryAfterMs)
  return {
    ...error,
    message:
      "You exceeded your current quota, please check your plan and billing details. For more information on this " +
      "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n" +
      `* Quota exceeded for metric: ${metric}, limit: ${limit}\nPlease retry in ${delay}.`,
    details: [
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        violations: [
          {
            quotaMetric: metric,
            quotaId: "GenerateRequestsPerMinutePerProjectPerModel",
            quotaDimensions: { location: "global", model: "sandbox" },
            quotaValue: String(limit)
          }
        ]
      },
      {
        "@type": "type.googleapis.com/google.rpc.Help",
        links: [
          {
            description: "Learn more about Gemini API quotas",
            url: "https://ai.google.dev/gemini-api/docs/rate-limits"
          }
        ]
      },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: delay }
    ]
  }
}

/** Seconds with a fraction where there is one, rounded up to milliseconds: `3s`, `0.539s`. */
const protobufDuration = (millis: number): string => `${Math.ceil(millis) / 1000}s`

const make = (framing: Framing): Dialect =>
  makeGoogleDialect({
    framing,
    keyOf: ({ headers, query }) =>
      headerOf(headers, "x-goog-api-key") ?? new URLSearchParams(query).get("key") ?? undefined,
    modelOf: (path) => decodeSegment(PATH.exec(path)?.[1] ?? ""),
    errorOf,
    usageFields: "",
    eventError: (json) => `data: ${JSON.stringify(JSON.parse(json))}\r\n\r\n`
  })

/** With `alt=sse`, and for answers in one piece. */
export const geminiDialect: Dialect = make("events")
/** Streams as one JSON array. */
export const geminiArrayDialect: Dialect = make("array")

/** The answer to `GET /v1beta/models`. */
export const listGeminiModels = (models: ReadonlyArray<string>): SandboxReply => ({
  status: 200,
  headers: ["content-type", "application/json; charset=UTF-8"],
  body: JSON.stringify({
    models: models.map((name) => ({
      name: `models/${name}`,
      displayName: name,
      supportedGenerationMethods: ["generateContent"]
    }))
  })
})
