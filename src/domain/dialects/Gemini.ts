/**
 * Gemini's `generateContent`, as clients of the service speak it.
 *
 * @see https://ai.google.dev/api/generate-content
 */
import { Problem } from "../server/Problem.ts"
import type { Dialect, ListedModel, Route } from "./Dialect.ts"
import { answer, problem } from "./GeminiAnswer.ts"
import { decode } from "./GeminiRequest.ts"
import { stream } from "./GeminiStream.ts"
import { json, streamHeaders } from "./Replies.ts"
import { bearer, given, modelInPath, only } from "./Requests.ts"

const MODELS = "/v1beta/models"
const GENERATE = /^\/(?:v1|v1beta)\/models\/(.+):(generateContent|streamGenerateContent)$/

/**
 * `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`, both also below `/v1`;
 * `GET /v1beta/models` and `/v1beta/models/{model}`.
 *
 * Without `alt=sse` Google's API streams one JSON array; that is refused, in words.
 */
export const gemini: Dialect = {
  name: "gemini",
  route: (method, path, search) => {
    const [, written, action] = GENERATE.exec(path) ?? []
    if (written !== undefined) {
      const model = modelInPath(written)
      return model === undefined
        ? undefined
        : only("POST", method, generate(model, action === "streamGenerateContent", search))
    }
    if (path === MODELS) return only("GET", method, { _tag: "ListModels" })
    if (!path.startsWith(`${MODELS}/`)) return undefined
    const model = modelInPath(path.slice(MODELS.length + 1))
    return model === undefined || OTHER_ACTION.test(model)
      ? undefined
      : only("GET", method, { _tag: "GetModel", model })
  },
  credential: (headers, search) =>
    given(headers["x-goog-api-key"]) ?? given(new URLSearchParams(search).get("key")) ?? bearer(headers),
  decode,
  answer,
  stream,
  streamHeaders,
  problem,
  models: (models) => json(200, JSON.stringify({ models: models.map(wordsOf) })),
  model: (model) => json(200, JSON.stringify(wordsOf(model)))
}

/** What else Google's models can do, which the service does not: `:countTokens`, `:embedContent`. */
const OTHER_ACTION = /:(?:count|embed|batch|predict|async)[A-Za-z]*$/

const generate = (model: string, isStreamed: boolean, search: string): Route => ({
  _tag: "Generate",
  model,
  isStreamed,
  ...(isStreamed && new URLSearchParams(search).get("alt") !== "sse" ? { problem: noEvents } : {})
})

const noEvents = new Problem({
  kind: "InvalidRequest",
  message: 'streamed answers come as server-sent events only: add "alt=sse" to the query',
  field: "alt"
})

const wordsOf = ({ name }: ListedModel) => ({
  name: `models/${name}`,
  displayName: name,
  supportedGenerationMethods: ["generateContent", "streamGenerateContent"]
})
