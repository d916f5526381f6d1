/** What the names of models in a configuration mean, and what is wrong with those that mean nothing. */
import { nearest } from "../Suggestion.ts"
import { type ConfigProblem, printPath } from "./ConfigError.ts"
import type { EndpointConfig } from "./DispatcherConfig.ts"
import type { ModelsFile } from "./ServerFile.ts"

/** What tells which model an endpoint answers with. */
export type ServingEndpoint = Pick<EndpointConfig, "baseUrl" | "kind" | "model" | "name" | "parameters">

/**
 * The model that an endpoint answers with unless the request says another: the configured one, the one in its parameters,
 * or, for kind `azure`, its deployment. `undefined` for endpoints that take any model.
 */
export const servedModel = ({ baseUrl, kind, model, parameters }: ServingEndpoint): string | undefined => {
  if (model !== undefined) return model
  const parameter = parameters["model"]
  if (typeof parameter === "string" && parameter !== "") return parameter
  return kind === "azure" ? /\/openai\/deployments\/([^/]+)$/.exec(baseUrl.pathname)?.[1] : undefined
}

/** What is known of an endpoint, even of one that has problems. */
export interface AliasTarget {
  readonly name: string
  /** The model that it serves; `undefined` when it takes any. */
  readonly model: string | undefined
  /** Whether it cannot be asked without a model's name. */
  readonly needsModel: boolean
}

const alternatives = (name: string, known: ReadonlyArray<string>): string => {
  const near = nearest(name, known)
  if (near !== undefined) return `did you mean ${near}?`
  return known.length > 0 && known.length <= 12 ? `there are ${known.join(", ")}` : "check its spelling"
}

const namesOf = (endpoints: ReadonlyArray<AliasTarget>): ReadonlyArray<string> => [
  ...new Set([...endpoints.map(({ name }) => name), ...modelsOf(endpoints)])
]

const modelsOf = (endpoints: ReadonlyArray<AliasTarget>): ReadonlyArray<string> =>
  endpoints.flatMap(({ model }) => model ?? [])

/** Aliases that name nothing, or endpoints that cannot stand in for each other. */
export const aliasProblems = (
  aliases: ModelsFile,
  endpoints: ReadonlyArray<AliasTarget>
): ReadonlyArray<ConfigProblem> => {
  const known = namesOf(endpoints)
  return Object.entries(aliases).flatMap(([alias, targets]) => {
    const path = printPath("models", [alias])
    const unknown = targets.flatMap((target, index): ReadonlyArray<ConfigProblem> => {
      if (known.includes(target)) return []
      const message = Object.hasOwn(aliases, target)
        ? "is an alias itself; name the endpoints, or their models"
        : `names neither an endpoint nor a model of one; ${alternatives(target, known)}`
      return [{ path: `${path}[${index}]`, message }]
    })
    return [...unknown, ...mixed(path, targets, endpoints)]
  })
}

/** Endpoints without a model would be asked for the alias, which they do not know, where others have models of their own. */
const mixed = (
  path: string,
  targets: ReadonlyArray<string>,
  endpoints: ReadonlyArray<AliasTarget>
): ReadonlyArray<ConfigProblem> => {
  const meant = endpoints.filter(({ model, name }) => targets.some((target) => target === name || target === model))
  if (meant.every(({ model }) => model === undefined)) return []
  return targets.flatMap((target, index) =>
    meant.some(({ name, needsModel }) => name === target && needsModel)
      ? [
          {
            path: `${path}[${index}]`,
            message: "this endpoint has no model of its own, and the others here have; give it one (model: ...)"
          }
        ]
      : []
  )
}

/** Names in the keys' `models` that nobody serves. `keys` are their lists as written. */
export const keyModelProblems = (
  keys: ReadonlyArray<unknown>,
  aliases: ReadonlyArray<string>,
  endpoints: ReadonlyArray<AliasTarget>
): ReadonlyArray<ConfigProblem> => {
  // Whatever it is called, such an endpoint may serve it.
  if (endpoints.some(({ model }) => model === undefined)) return []
  const known = [...new Set([...aliases, ...modelsOf(endpoints)])]
  return keys.flatMap((models, key) =>
    (Array.isArray(models) ? models : []).flatMap((name: unknown, index) =>
      typeof name !== "string" || known.includes(name)
        ? []
        : [
            {
              path: `server.apiKeys[${key}].models[${index}]`,
              message: `is neither an alias nor a model of an endpoint; ${alternatives(name, known)}`
            }
          ]
    )
  )
}
