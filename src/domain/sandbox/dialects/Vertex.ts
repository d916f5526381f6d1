/** Gemini models on Vertex AI (cloud.google.com/vertex-ai/generative-ai/docs/reference, .../docs/error-code-429). */
import type { Dialect, Refusal } from "../Dialect.ts"
import { bearerOf } from "./ChatCompletion.ts"
import { decodeSegment } from "./Fields.ts"
import { type Framing, type GoogleError, makeGoogleDialect } from "./Google.ts"

const PATH =
  /^\/v1(?:beta1)?\/projects\/[^/]+\/locations\/[^/]+\/publishers\/google\/models\/([^/]+):(?:generateContent|streamGenerateContent)$/

export const isVertexCall = (path: string): boolean => PATH.test(path)

const error = (status: number, reason: string, message: string): GoogleError => ({ status, reason, message })

function errorOf(refusal: Refusal): GoogleError {
  switch (refusal.kind) {
    case "unknown-path":
    case "wrong-method":
      return error(404, "NOT_FOUND", "Requested entity was not found.")
    case "no-key":
      return unauthenticated(
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other " +
          "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        "CREDENTIALS_MISSING"
      )
    case "bad-key":
      return unauthenticated(
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid " +
          "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        "ACCESS_TOKEN_TYPE_UNSUPPORTED"
      )
    case "invalid":
      return error(400, "INVALID_ARGUMENT", refusal.message)
    case "too-large":
      return error(400, "INVALID_ARGUMENT", `Request payload size exceeds the limit: ${refusal.limitBytes} bytes.`)
    case "unknown-model":
      return error(
        404,
        "NOT_FOUND",
        `Publisher Model \`publishers/google/models/${refusal.model}\` was not found or your project does not have ` +
          "access to it. Please ensure you are using a valid model version."
      )
    case "rate-limited":
      // Shared quota: Vertex never says when there will be room again.
      return error(
        429,
        "RESOURCE_EXHAUSTED",
        "Resource exhausted. Please try again later. Please refer to " +
          "https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
      )
    case "overloaded":
      return error(refusal.status, "UNAVAILABLE", "The service is currently unavailable.")
    case "server-error":
      return error(500, "INTERNAL", "Internal error encountered.")
  }
}

const unauthenticated = (message: string, reason: string): GoogleError => ({
  ...error(401, "UNAUTHENTICATED", message),
  details: [
    {
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      reason,
      domain: "googleapis.com",
      metadata: { service: "aiplatform.googleapis.com" }
    }
  ]
})

const make = (framing: Framing): Dialect =>
  makeGoogleDialect({
    framing,
    keyOf: ({ headers }) => bearerOf(headers),
    modelOf: (path) => decodeSegment(PATH.exec(path)?.[1] ?? ""),
    errorOf,
    usageFields: ',"trafficType":"ON_DEMAND"',
    // As seen in the wild: bare JSON over several lines, which is no event at all.
    eventError: (json) => `${json}\n`
  })

/** With `alt=sse`, and for answers in one piece. */
export const vertexDialect: Dialect = make("events")
/** Streams as one JSON array. */
export const vertexArrayDialect: Dialect = make("array")
