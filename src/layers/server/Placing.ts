/** Where the requests of the dialects may go, and how long they may take. */
import * as Result from "effect/Result"
import type { ClientRequest, Dialect } from "../../domain/dialects/Dialect.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { ModelRoute, ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { routeFor } from "../../domain/server/PlaceRequest.ts"
import { Problem } from "../../domain/server/Problem.ts"
import { type Caller, forbids, mayName } from "./Auth.ts"

/** The endpoints that serve the model and understand the request. */
export const placeOf = (
  models: ModelRoutes,
  dialect: Dialect,
  { model, needs, request }: ClientRequest,
  caller: Caller
): Result.Result<ModelRoute, Problem> => {
  const forbidden = forbids(caller, model) ?? (caller.models === undefined ? undefined : namesOthers(request))
  if (forbidden !== undefined) return Result.fail(forbidden)
  return routeFor(models, { model, family: dialect.name, needs, mayKnow: (name) => mayName(caller, name) })
}

/** OpenRouter takes any of the models in this list instead of the one that was asked for. */
const namesOthers = ({ extra, native }: GenAiRequest): Problem | undefined =>
  Object.hasOwn(native?.body ?? {}, "models") || Object.hasOwn(extra ?? {}, "models")
    ? new Problem({
        kind: "Forbidden",
        code: "model_not_allowed",
        field: "models",
        message: "models: this API key may use certain models only, so it cannot ask for a choice of them; use model."
      })
    : undefined

/** The milliseconds in a header: a client may want its answer sooner than the configuration allows, not later. */
export const deadlineOf = (
  header: string | ReadonlyArray<string> | undefined,
  mostMs: number
): Result.Result<number | undefined, Problem> => {
  if (header === undefined) return Result.succeed(undefined)
  const millis = typeof header === "string" && /^\d{1,12}$/.test(header) ? Number(header) : 0
  if (millis === 0) return Result.fail(wrongDeadline)
  return Result.succeed(Math.min(millis, mostMs))
}

const wrongDeadline = new Problem({
  kind: "InvalidRequest",
  code: "invalid_deadline",
  field: "x-deadline-ms",
  message: "The header x-deadline-ms must be a whole number of milliseconds, at least 1."
})
