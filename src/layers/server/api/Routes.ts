/** Which requests the control plane answers: what the edge asks before it hands one over. */

import { nearest } from "../../../domain/Suggestion.ts"
import type { RouteName } from "../../../domain/server/RequestRecord.ts"
import { Api } from "./Api.ts"
import { dialectPaths } from "./DialectPaths.ts"

export interface ApiRoute {
  readonly name: RouteName
  /** The path's methods, for the header `allow`. */
  readonly methods: ReadonlyArray<string>
  /** Whether the method is one of those. */
  readonly isAllowed: boolean
}

export const DOCS = "/docs"
export const OPENAPI = "/openapi.json"

/** By the first segment of their paths. */
const names: ReadonlyMap<string, RouteName> = new Map([
  ["generate", "generate"],
  ["submit", "submit"],
  ["jobs", "jobs"],
  ["metrics", "metrics"],
  ["health", "health"],
  ["docs", "docs"],
  ["openapi.json", "docs"]
])

/** The methods of each path, as the API has them and beside it. */
const methods = new Map<string, Array<string>>([
  [OPENAPI, ["GET", "HEAD"]],
  [DOCS, ["GET", "HEAD"]]
])
for (const { endpoints } of Object.values(Api.groups)) {
  for (const { method, path } of Object.values(endpoints)) {
    methods.set(path, [...(methods.get(path) ?? []), ...(method === "GET" ? ["GET", "HEAD"] : [method])])
  }
}

/** A parameter stands for one segment. */
const routes = [...methods].map(([path, methods]) => ({
  pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}$`),
  name: names.get(path.split("/")[1] ?? "") ?? ("unknown" as const),
  methods
}))

/** The route of a path (without query); `undefined` for paths of others. */
export const routeOf = (method: string, path: string): ApiRoute | undefined => {
  const found = routes.find(({ pattern }) => pattern.test(path))
  return found === undefined
    ? undefined
    : { name: found.name, methods: found.methods, isAllowed: found.methods.includes(method) }
}

/** Those that can be asked for as they are, and the dialects' with MODEL in the place of a name. */
const KNOWN_PATHS = [
  ...dialectPaths.map((path) => path.replace("{model}", "MODEL")),
  ...[...methods.keys()].filter((path) => !path.includes(":"))
]

/** A sentence for a path that there is not. */
export const unknownPath = (path: string): string => {
  const near = KNOWN_PATHS.find((known) => known !== path && path.endsWith(known)) ?? nearest(path, KNOWN_PATHS)
  return near === undefined
    ? "There is no such path: /docs lists those there are; clients of providers want /v1/chat/completions, /v1/messages or /v1beta/models."
    : `There is no such path: did you mean ${near}? /docs lists all.`
}
