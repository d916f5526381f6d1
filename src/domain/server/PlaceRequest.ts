/** Where requests may be sent: to the endpoints that serve their model, and understand them. */
import * as Result from "effect/Result"
import type { Family, GenAiRequest } from "../genai/GenAiRequest.ts"
import { needsOf } from "../jobs/GenerateBody.ts"
import type { ModelRoute, ModelRoutes } from "./ModelRoutes.ts"
import { Problem } from "./Problem.ts"

/** What decides where a request may be sent. */
export interface Wanted {
  /** The name that the client gave; none is for any endpoint. */
  readonly model: string | undefined
  /** The API that the request was made for, when it was made for one. */
  readonly family: Family | undefined
  /** What only endpoints of that family understand and must not be left out. */
  readonly needs: ReadonlyArray<string>
  /** Whether the client may be told of a name. Default: of all. */
  readonly mayKnow?: (name: string) => boolean
}

export const routeFor = (models: ModelRoutes, wanted: Wanted): Result.Result<ModelRoute, Problem> => {
  const { family, mayKnow, model, needs } = wanted
  const anywhere = models.resolve(model)
  if (anywhere === undefined) return Result.fail(unknownModel(models, model ?? "", mayKnow))
  if (needs.length === 0 || family === undefined) return Result.succeed(anywhere)
  const within = models.within(model, family)
  return within === undefined ? Result.fail(needsFamily(family, model, needs)) : Result.succeed(within)
}

export interface Place {
  /** Names of the endpoints that must not be asked. */
  readonly exclude: ReadonlySet<string>
  /** With the client's model, when the endpoints have none of their own. */
  readonly request: GenAiRequest
}

/** The place of a request in our own words, or in Gemini's. `model` is as in `Wanted`. */
export const placeRequest = (
  models: ModelRoutes,
  model: string | undefined,
  request: GenAiRequest
): Result.Result<Place, Problem> =>
  Result.map(
    routeFor(models, { model, family: request.native?.family, needs: needsOf(request) }),
    ({ exclude, keepsModel }) => ({
      exclude,
      request: keepsModel && model !== undefined ? { ...request, model } : request
    })
  )

export const unknownModel = (
  models: ModelRoutes,
  model: string,
  mayKnow: (name: string) => boolean = () => true
): Problem => {
  const near = models.suggest(model)
  const hint = near === undefined || !mayKnow(near) ? "." : `: did you mean ${JSON.stringify(near)}?`
  return new Problem({
    kind: "NotFound",
    code: "model_not_found",
    field: "model",
    message: `No endpoint of this service serves the model ${quoted(model)}${hint}`
  })
}

const needsFamily = (family: Family, model: string | undefined, needs: ReadonlyArray<string>): Problem => {
  const none = model === undefined ? "there are none" : `none of them serves the model ${quoted(model)}`
  return new Problem({
    kind: "InvalidRequest",
    code: "unsupported_member",
    ...(needs[0] === undefined ? {} : { field: needs[0] }),
    message:
      `${needs.join(", ")}: only endpoints that speak this API (${family}) understand that, and ${none}. ` +
      "Leave it out, or ask for another model."
  })
}

/** Names are the client's own words: no more of them than a person would read. */
const quoted = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name)
