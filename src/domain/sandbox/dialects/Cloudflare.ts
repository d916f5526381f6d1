/**
 * Text generation on Cloudflare Workers AI (developers.cloudflare.com/workers-ai/get-started/rest-api,
 * .../platform/errors).
 */
import * as Result from "effect/Result"
import type { SandboxAnswer, SandboxCall } from "../Answer.ts"
import type { Dialect, Refusal, SandboxReply } from "../Dialect.ts"
import { bearerOf, EVENT_HEADERS, JSON_HEADERS } from "./ChatCompletion.ts"
import { decodeSegment, invalid, isFields, isGiven, parseJson } from "./Fields.ts"

/** The model has slashes of its own: `@cf/meta/llama-3.1-8b-instruct`. */
const PATH = /^\/client\/v4\/accounts\/[^/]+\/ai\/run\/(.+)$/

export const isCloudflareCall = (path: string): boolean => PATH.test(path)

const envelope = (code: number, message: string): string =>
  JSON.stringify({ result: null, success: false, errors: [{ code, message }], messages: [] })

const error = (status: number, code: number, message: string, headers: ReadonlyArray<string> = []): SandboxReply => ({
  status,
  headers: [...JSON_HEADERS, ...headers],
  body: envelope(code, message)
})

const usage = ({ promptTokens, completionTokens }: SandboxAnswer): string =>
  `{"prompt_tokens":${promptTokens},"completion_tokens":${completionTokens},` +
  `"total_tokens":${promptTokens + completionTokens}}`

const NO_CAPACITY = "AiError: Capacity temporarily exceeded, please try again."

export const cloudflareDialect: Dialect = {
  keyOf: ({ headers }) => bearerOf(headers),

  readCall: ({ path }, body, models) => {
    const model = decodeSegment(PATH.exec(path)?.[1] ?? "")
    if (models !== undefined && !models.includes(model)) return Result.fail({ kind: "unknown-model", model })
    return readInput(body, model)
  },

  answer: (_call, answer) => ({
    status: 200,
    headers: JSON_HEADERS,
    body:
      `{"result":{"response":${JSON.stringify(answer.text)},"usage":${usage(answer)}},` +
      `"success":true,"errors":[],"messages":[]}`
  }),

  stream: (_call, answer, deltas) => ({
    headers: EVENT_HEADERS,
    frames: [
      ...deltas.map((delta) => `data: {"response":${JSON.stringify(delta)}}\n\n`),
      `data: {"response":"","usage":${usage(answer)}}\n\ndata: [DONE]\n\n`
    ]
  }),

  streamError: `data: ${envelope(3040, NO_CAPACITY)}\n\n`,

  callHeaders: (id) => ["cf-ray", `${id.slice(-16)}-SBX`],

  timingHeaders: () => [],

  refuse: (refusal: Refusal) => {
    switch (refusal.kind) {
      case "unknown-path":
        return error(404, 7003, `Could not route to ${refusal.path}, perhaps your object identifier is invalid?`)
      case "wrong-method":
        return error(405, 10405, "Method not allowed for this authentication scheme", ["allow", refusal.allowed])
      case "no-key":
      case "bad-key":
        return error(401, 10000, "Authentication error")
      case "invalid":
        return error(400, 5006, `AiError: Bad input: ${refusal.message}`)
      case "too-large":
        return error(413, 3006, "AiError: Request is too large")
      case "unknown-model":
        return error(400, 5007, `AiError: No such model ${refusal.model} or task`)
      case "rate-limited":
        return error(
          429,
          971,
          "Please wait and consider throttling your request speed",
          refusal.retryAfterMs === undefined ? [] : ["retry-after", String(Math.ceil(refusal.retryAfterMs / 1000))]
        )
      case "overloaded":
        return error(refusal.status, 3040, NO_CAPACITY)
      case "server-error":
        return error(500, 3028, "AiError: Unknown internal error")
    }
  },

  rateHeaders: () => []
}

/** Takes `{messages}` or `{prompt}`. */
function readInput(body: string, model: string): Result.Result<SandboxCall, Refusal> {
  const json = parseJson(body)
  if (!isFields(json)) return invalid("Error: The request body is not a valid JSON object")
  const { messages, prompt, max_tokens, stream } = json
  const texts: Array<string> = []
  if (typeof prompt === "string" && prompt !== "") {
    texts.push(prompt)
  } else if (Array.isArray(messages) && messages.length > 0) {
    for (let index = 0; index < messages.length; index++) {
      const turn: unknown = messages[index]
      const { role, content } = isFields(turn) ? turn : {}
      if (typeof role !== "string") return invalid(`Error: required properties at '/messages/${index}' are 'role'`)
      if (!readContent(content, texts)) {
        return invalid(`Error: Type mismatch of '/messages/${index}/content', '${typeof content}' not in 'string'`)
      }
    }
  } else {
    return invalid("Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', 'messages'")
  }
  if (isGiven(max_tokens) && (typeof max_tokens !== "number" || !Number.isInteger(max_tokens) || max_tokens < 1)) {
    return invalid("Error: Type mismatch of '/max_tokens', expected a positive integer")
  }
  if (isGiven(stream) && typeof stream !== "boolean") return invalid("Error: Type mismatch of '/stream'")
  const maxTokens = typeof max_tokens === "number" ? max_tokens : undefined
  return Result.succeed({ model, texts, maxTokens, stream: stream === true, streamUsage: true })
}

function readContent(content: unknown, texts: Array<string>): boolean {
  if (typeof content === "string") {
    texts.push(content)
    return true
  }
  if (!Array.isArray(content)) return false
  for (const part of content) {
    const { text } = isFields(part) ? part : {}
    if (typeof text === "string") texts.push(text)
  }
  return true
}
