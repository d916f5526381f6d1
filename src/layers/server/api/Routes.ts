/** Which requests the control plane answers: what the edge asks before it hands one over. */
import type { RouteName } from "../../../domain/server/RequestRecord.ts"

export interface ApiRoute {
  readonly name: RouteName
  /** The path's methods, for the header `allow`. */
  readonly methods: ReadonlyArray<string>
  /** Whether the method is one of those. */
  readonly isAllowed: boolean
}

const GET = ["GET", "HEAD"]

const routes: ReadonlyArray<readonly [path: RegExp, name: RouteName, methods: ReadonlyArray<string>]> = [
  [/^\/generate$/, "generate", ["POST"]],
  [/^\/submit$/, "submit", ["POST"]],
  [/^\/jobs$/, "jobs", GET],
  [/^\/jobs\/[^/]+$/, "jobs", [...GET, "DELETE"]],
  [/^\/jobs\/[^/]+\/events$/, "jobs", ["GET"]],
  [/^\/metrics(\/prometheus)?$/, "metrics", GET],
  [/^\/health\/(live|ready)$/, "health", GET],
  [/^\/(openapi\.json|docs)$/, "docs", GET]
]

/** The route of a path (without query); `undefined` for paths of others. */
export const routeOf = (method: string, path: string): ApiRoute | undefined => {
  const found = routes.find(([pattern]) => pattern.test(path))
  if (found === undefined) return undefined
  const [, name, methods] = found
  return { name, methods, isAllowed: methods.includes(method) }
}
