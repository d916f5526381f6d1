/**
 * Azure OpenAI: chat completions by deployment, with Azure's errors and headers
 * (learn.microsoft.com/azure/ai-services/openai/reference, .../how-to/quota).
 */
import * as Result from "effect/Result"
import type { Dialect, Refusal, ReplyIdentity, SandboxReply } from "../Dialect.ts"
import {
  bearerOf,
  completion,
  completionFrames,
  EVENT_HEADERS,
  headerOf,
  JSON_HEADERS,
  retryHeaders
} from "./ChatCompletion.ts"
import { decodeSegment } from "./Fields.ts"
import { readChatCompletion } from "./OpenAiRequest.ts"

const PATH = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/

export const isAzureCall = (path: string): boolean => PATH.test(path)

/** The body of most errors: only code and message, the code often the status as text. */
const error = (status: number, code: string, message: string, headers: ReadonlyArray<string> = []): SandboxReply => ({
  status,
  headers: [...JSON_HEADERS, ...headers],
  body: JSON.stringify({ error: { code, message } })
})

const UNFILTERED =
  '{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},' +
  '"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}'
const PROMPT_RESULTS = `"prompt_filter_results":[{"prompt_index":0,"content_filter_results":${UNFILTERED}}]`

/** Azure's first event has no choice: it tells what the content filter thinks of the prompt. */
const FILTER_EVENT = `data: {"choices":[],"created":0,"id":"","model":"","object":"",${PROMPT_RESULTS}}\n\n`

export const azureDialect: Dialect = {
  keyOf: ({ headers }) => headerOf(headers, "api-key") ?? bearerOf(headers),

  readCall: ({ path, query }, body, models) => {
    const deployment = decodeSegment(PATH.exec(path)?.[1] ?? "")
    if (!new URLSearchParams(query).has("api-version")) {
      return Result.fail({ kind: "unknown-path", method: "POST", path })
    }
    if (models !== undefined && !models.includes(deployment)) {
      return Result.fail({ kind: "unknown-model", model: deployment })
    }
    return readChatCompletion(body, deployment)
  },

  answer: (call, answer, identity: ReplyIdentity) => ({
    status: 200,
    headers: JSON_HEADERS,
    body: `${completion(call, answer, identity).slice(0, -1)},${PROMPT_RESULTS}}`
  }),

  stream: (call, answer, deltas, identity) => {
    const [first, ...rest] = completionFrames(call, answer, deltas, identity)
    return { headers: EVENT_HEADERS, frames: [`${FILTER_EVENT}${first}`, ...rest] }
  },

  streamError:
    'data: {"error":{"code":"InternalServerError","message":"The server had an error processing your request. ' +
    'Sorry about that! Please retry your request."}}\n\n',

  callHeaders: (id) => ["apim-request-id", id, "x-request-id", id, "x-ms-region", "Sandbox"],

  timingHeaders: (latencyMs) => ["x-envoy-upstream-service-time", String(Math.round(latencyMs))],

  refuse: (refusal: Refusal) => {
    switch (refusal.kind) {
      case "unknown-path":
        return error(404, "404", "Resource not found")
      case "wrong-method":
        return error(405, "405", "Method Not Allowed", ["allow", refusal.allowed])
      case "no-key":
      case "bad-key":
        return error(
          401,
          "401",
          "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for " +
            "an active subscription and use a correct regional API endpoint for your resource."
        )
      case "invalid":
        return {
          status: 400,
          headers: JSON_HEADERS,
          body: JSON.stringify({
            error: {
              message: refusal.message,
              type: "invalid_request_error",
              param: refusal.param ?? null,
              code: refusal.code ?? null
            }
          })
        }
      case "too-large":
        return error(413, "413", `The request body is larger than ${refusal.limitBytes} bytes.`)
      case "unknown-model":
        return error(
          404,
          "DeploymentNotFound",
          "The API deployment for this resource does not exist. If you created the deployment within the last 5 " +
            "minutes, please wait a moment and try again."
        )
      case "rate-limited": {
        const seconds = refusal.retryAfterMs === undefined ? undefined : Math.ceil(refusal.retryAfterMs / 1000)
        return error(
          429,
          "429",
          "Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded call rate limit of " +
            `your current OpenAI S0 pricing tier. Please retry after ${seconds === undefined ? "a while" : `${seconds} seconds`}.`,
          retryHeaders(refusal.retryAfterMs)
        )
      }
      case "overloaded":
        return error(
          refusal.status,
          "ServiceUnavailable",
          "The service is temporarily unable to process your request. Please try again later."
        )
      case "server-error":
        return error(500, "InternalServerError", "The server had an error processing your request. Sorry about that!")
    }
  },

  /** Unlike OpenAI's, the resets are whole seconds. */
  rateHeaders: (verdict) => [
    "x-ratelimit-limit-requests",
    String(verdict.limit),
    "x-ratelimit-remaining-requests",
    String(verdict.remaining),
    "x-ratelimit-reset-requests",
    String(Math.ceil(verdict.resetMs / 1000))
  ]
}
