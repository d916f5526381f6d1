/** Where the requests of the dialects may go, and how long they may take. */
import * as Result from "effect/Result"
import type { ClientRequest, Dialect } from "../../domain/dialects/Dialect.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { ModelRoute, ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { Problem } from "../../domain/server/Problem.ts"
import { type Caller, forbids } from "./Auth.ts"

/** The endpoints that serve the model and understand the request. */
export const placeOf = (
  models: ModelRoutes,
  dialect: Dialect,
  { model, needs, request }: ClientRequest,
  caller: Caller
): Result.Result<ModelRoute, Problem> => {
  const forbidden = forbids(caller, model) ?? (caller.models === undefined ? undefined : namesOthers(request))
  if (forbidden !== undefined) return Result.fail(forbidden)
  const anywhere = models.resolve(model)
  if (anywhere === undefined) return Result.fail(unknownModel(models, model, caller))
  if (needs.length === 0) return Result.succeed(anywhere)
  const within = models.within(model, dialect.name)
  return within === undefined ? Result.fail(needsFamily(dialect, model, needs)) : Result.succeed(within)
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

export const unknownModel = (models: ModelRoutes, model: string, caller: Caller): Problem => {
  const near = models.suggest(model)
  const isKnown = near !== undefined && forbids(caller, near) === undefined
  return new Problem({
    kind: "NotFound",
    code: "model_not_found",
    field: "model",
    message: `No endpoint of this service serves the model ${quoted(model)}${isKnown ? `: did you mean ${JSON.stringify(near)}?` : "."}`
  })
}

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

/** Names are the client's own words: no more of them than a person would read. */
const quoted = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name)

const needsFamily = (dialect: Dialect, model: string, needs: ReadonlyArray<string>): Problem =>
  new Problem({
    kind: "InvalidRequest",
    code: "unsupported_member",
    ...(needs[0] === undefined ? {} : { field: needs[0] }),
    message:
      `${needs.join(", ")}: only endpoints that speak this API (${dialect.name}) understand that, and none of them serves ` +
      `the model ${quoted(model)}. Leave it out, or ask for another model.`
  })

const wrongDeadline = new Problem({
  kind: "InvalidRequest",
  code: "invalid_deadline",
  field: "x-deadline-ms",
  message: "The header x-deadline-ms must be a whole number of milliseconds, at least 1."
})
