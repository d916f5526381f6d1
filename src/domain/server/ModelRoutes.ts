/** Which endpoints may answer a request for a model: by alias, by the model that they serve, or because they take any. */
import type { EndpointKind } from "../config/DispatcherConfig.ts"
import { type ServingEndpoint, servedModel } from "../config/ModelNames.ts"
import type { Family } from "../genai/GenAiRequest.ts"
import { nearest } from "../Suggestion.ts"

export { servedModel }

/** Where requests for a model may go. */
export interface ModelRoute {
  /** Names of the endpoints that must not be asked: the same object each time. */
  readonly exclude: ReadonlySet<string>
  /** Whether the endpoints have no model of their own, so that the request must say the client's. */
  readonly keepsModel: boolean
}

const families = {
  openai: "openai",
  azure: "openai",
  gemini: "gemini",
  vertex: "gemini",
  anthropic: "anthropic",
  cloudflare: undefined,
  raw: undefined
} as const satisfies Record<EndpointKind, Family | undefined>

/** The family whose bodies endpoints of this kind understand. */
export const familyOf = (kind: EndpointKind): Family | undefined => families[kind]

/** The routes of one service: settled once, looked up for each request. */
export class ModelRoutes {
  /** Names that clients can ask for: aliases and served models, sorted. Endpoints that take any model add none. */
  readonly names: ReadonlyArray<string>
  /** The family of each endpoint, by its name. */
  readonly byEndpoint: ReadonlyMap<string, Family | undefined>
  private readonly endpoints: ReadonlyArray<ServingEndpoint>
  private readonly routes = new Map<string, RoutesOfName>()
  /** For names that nobody serves by name; `undefined` when no endpoint takes any model. */
  private readonly other: RoutesOfName | undefined
  /** For requests that name no model: not to endpoints that want one, where there are others. */
  private readonly unnamed: RoutesOfName

  /** `aliases` name endpoints, or models as the endpoints serve them; an alias hides a served model of its name. */
  constructor(endpoints: ReadonlyArray<ServingEndpoint>, aliases: ReadonlyMap<string, ReadonlyArray<string>>) {
    this.endpoints = endpoints
    this.byEndpoint = new Map(endpoints.map(({ kind, name }) => [name, familyOf(kind)]))
    const served = new Set(endpoints.flatMap((endpoint) => servedModel(endpoint) ?? []))
    for (const model of served) this.routes.set(model, this.routesTo(serving(endpoints, model)))
    for (const [alias, targets] of aliases) {
      const meant = targets.flatMap((target) => meantBy(endpoints, target))
      this.routes.set(alias, this.routesTo(meant))
    }
    this.names = [...this.routes.keys()].sort()
    const open = endpoints.filter((endpoint) => servedModel(endpoint) === undefined)
    this.other = open.length === 0 ? undefined : this.routesTo(open)
    const unasked = endpoints.filter((endpoint) => servedModel(endpoint) !== undefined || endpoint.kind === "raw")
    this.unnamed = this.routesTo(unasked.length > 0 ? unasked : endpoints)
  }

  /** Where requests for a model go, and those that name none; `undefined` when no endpoint serves it. */
  resolve(model: string | undefined): ModelRoute | undefined {
    return this.lookup(model)?.any
  }

  /** The same, but only endpoints of a family; `undefined` when none of those serves it. */
  within(model: string | undefined, family: Family): ModelRoute | undefined {
    return this.lookup(model)?.[family]
  }

  /** The name that was probably meant by one that nobody serves. */
  suggest(model: string): string | undefined {
    return nearest(model, this.names)
  }

  private lookup(model: string | undefined): RoutesOfName | undefined {
    return model === undefined ? this.unnamed : (this.routes.get(model) ?? this.other)
  }

  private routesTo(meant: ReadonlyArray<ServingEndpoint>): RoutesOfName {
    const only = (family: Family) => this.routeTo(meant.filter(({ kind }) => familyOf(kind) === family))
    return {
      any: this.routeTo(meant),
      openai: only("openai"),
      gemini: only("gemini"),
      anthropic: only("anthropic")
    }
  }

  private routeTo(meant: ReadonlyArray<ServingEndpoint>): ModelRoute | undefined {
    if (meant.length === 0) return undefined
    const names = new Set(meant.map(({ name }) => name))
    return {
      exclude: new Set(this.endpoints.map(({ name }) => name).filter((name) => !names.has(name))),
      keepsModel: meant.every((endpoint) => servedModel(endpoint) === undefined)
    }
  }
}

type RoutesOfName = Readonly<Record<Family | "any", ModelRoute | undefined>>

const serving = (endpoints: ReadonlyArray<ServingEndpoint>, model: string): ReadonlyArray<ServingEndpoint> =>
  endpoints.filter((endpoint) => servedModel(endpoint) === model)

/** An endpoint's name goes before a model's. */
const meantBy = (endpoints: ReadonlyArray<ServingEndpoint>, target: string): ReadonlyArray<ServingEndpoint> => {
  const named = endpoints.filter(({ name }) => name === target)
  return named.length > 0 ? named : serving(endpoints, target)
}
