/**
 * OpenAI's chat completions, as clients of the service speak them.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 */
import type { Dialect, ListedModel } from "./Dialect.ts"
import { answer, problem } from "./OpenAiAnswer.ts"
import { decode } from "./OpenAiRequest.ts"
import { stream } from "./OpenAiStream.ts"
import { json, streamHeaders } from "./Replies.ts"
import { bearer, modelInPath, only } from "./Requests.ts"

const MODEL = "/v1/models/"

/** `POST /v1/chat/completions`, `GET /v1/models`, `GET /v1/models/{model}`. */
export const openai: Dialect = {
  name: "openai",
  route: (method, path) => {
    if (path === "/v1/chat/completions") {
      return only("POST", method, { _tag: "Generate", model: undefined, isStreamed: undefined })
    }
    if (path === "/v1/models") return only("GET", method, { _tag: "ListModels" })
    if (!path.startsWith(MODEL)) return undefined
    const model = modelInPath(path.slice(MODEL.length))
    return model === undefined ? undefined : only("GET", method, { _tag: "GetModel", model })
  },
  credential: (headers) => bearer(headers),
  decode,
  answer,
  stream,
  streamHeaders,
  problem,
  models: (models) => json(200, JSON.stringify({ object: "list", data: models.map(wordsOf) })),
  model: (model) => json(200, JSON.stringify(wordsOf(model)))
}

/** When a model was made is not known here. */
const wordsOf = ({ name }: ListedModel) => ({ id: name, object: "model", created: 0, owned_by: "genai-dispatcher" })
