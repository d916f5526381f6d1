/** Where a request in our own words may be sent, and as what. */
import * as Result from "effect/Result"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import { needsOf } from "../jobs/GenerateBody.ts"
import type { ModelRoutes } from "./ModelRoutes.ts"
import { Problem } from "./Problem.ts"

export interface Place {
  /** Names of the endpoints that must not be asked. */
  readonly exclude: ReadonlySet<string>
  /** With the client's model, when the endpoints have none of their own. */
  readonly request: GenAiRequest
}

/** `model` is the name that the client gave; none is for any endpoint. */
export const placeRequest = (
  models: ModelRoutes,
  model: string | undefined,
  request: GenAiRequest
): Result.Result<Place, Problem> => {
  const anywhere = models.resolve(model)
  if (anywhere === undefined) return Result.fail(unknownModel(models, model ?? ""))
  const needs = needsOf(request)
  const family = request.native?.family
  const route = needs.length === 0 || family === undefined ? anywhere : models.within(model, family)
  if (route === undefined) {
    return Result.fail(
      new Problem({
        kind: "InvalidRequest",
        code: "unsupported_by_endpoints",
        message: `Only endpoints of kind ${family} understand ${needs.join(", ")}, and none of those serves this model.`,
        ...(needs[0] === undefined ? {} : { field: needs[0] })
      })
    )
  }
  const { exclude, keepsModel } = route
  return Result.succeed({ exclude, request: keepsModel && model !== undefined ? { ...request, model } : request })
}

const unknownModel = (models: ModelRoutes, model: string): Problem => {
  const near = models.suggest(model)
  return new Problem({
    kind: "NotFound",
    code: "model_not_found",
    field: "model",
    message: `No endpoint of this service serves this model${near === undefined ? "." : `: did you mean ${JSON.stringify(near)}?`}`
  })
}
