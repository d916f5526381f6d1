/**
 * Anthropic's messages, as clients of the service speak them.
 *
 * @see https://docs.anthropic.com/en/api/messages
 */
import { answer, problem } from "./AnthropicAnswer.ts"
import { decode } from "./AnthropicRequest.ts"
import { stream } from "./AnthropicStream.ts"
import type { Dialect, ListedModel } from "./Dialect.ts"
import { json, streamHeaders } from "./Replies.ts"
import { bearer, given, modelInPath, only } from "./Requests.ts"

const MODEL = "/v1/models/"

/**
 * `POST /v1/messages`; and, of requests that name a version of Anthropic's API in their header, `GET /v1/models` and
 * `GET /v1/models/{model}`, which OpenAI's clients ask for at the same paths.
 */
export const anthropic: Dialect = {
  name: "anthropic",
  route: (method, path, _search, headers = {}) => {
    if (path === "/v1/messages") {
      return only("POST", method, { _tag: "Generate", model: undefined, isStreamed: undefined })
    }
    if (headers["anthropic-version"] === undefined) return undefined
    if (path === "/v1/models") return only("GET", method, { _tag: "ListModels" })
    if (!path.startsWith(MODEL)) return undefined
    const model = modelInPath(path.slice(MODEL.length))
    return model === undefined ? undefined : only("GET", method, { _tag: "GetModel", model })
  },
  credential: (headers) => given(headers["x-api-key"]) ?? bearer(headers),
  decode,
  answer,
  stream,
  streamHeaders,
  problem,
  models: (models) => {
    const data = models.map(wordsOf)
    const page = { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null }
    return json(200, JSON.stringify(page))
  },
  model: (model) => json(200, JSON.stringify(wordsOf(model)))
}

/** When a model came out is not known here; the API says so with the epoch. */
const wordsOf = ({ name }: ListedModel) => ({
  type: "model",
  id: name,
  display_name: name,
  created_at: "1970-01-01T00:00:00Z"
})
