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

const KEY = "x-goog-api-key"
const MODELS = /^\/(v1|v1alpha|v1beta)\/models(?:\/(.+))?$/
const GENERATE = /^\/(?:v1|v1alpha|v1beta)\/models\/(.+):(generateContent|streamGenerateContent)$/

/**
 * `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent?alt=sse`, `GET /v1beta/models` and
 * `/v1beta/models/{model}`; all of them also below `/v1` and `/v1alpha`. Models below `/v1` are Gemini's when the API key is
 * in Google's header: OpenAI's clients ask for theirs at the same paths.
 *
 * Without `alt=sse` Google's API streams one JSON array; that is refused, in words.
 */
export const gemini: Dialect = {
  name: "gemini",
  route: (method, path, search, headers = {}) => {
    const [, written, action] = GENERATE.exec(path) ?? []
    if (written !== undefined) {
      const model = modelInPath(written)
      return model === undefined
        ? undefined
        : only("POST", method, generate(model, action === "streamGenerateContent", search))
    }
    const [, version, name] = MODELS.exec(path) ?? []
    if (version === undefined || (version === "v1" && headers[KEY] === undefined)) return undefined
    if (name === undefined) return only("GET", method, { _tag: "ListModels" })
    const model = modelInPath(name)
    return model === undefined || OTHER_ACTION.test(model)
      ? undefined
      : only("GET", method, { _tag: "GetModel", model })
  },
  credential: (headers, search) =>
    given(headers[KEY]) ?? given(new URLSearchParams(search).get("key")) ?? bearer(headers),
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
