/** One endpoint on its way from what was written to what is used: checked first, then given its variables. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Providers from "../providers/Providers.ts"
import type { ConfigProblem } from "./ConfigError.ts"
import { Defaults, EndpointFile } from "./ConfigFile.ts"
import { decode } from "./DecodeConfig.ts"
import { AUTO_CONCURRENCY_BOUND, type EndpointConfig } from "./DispatcherConfig.ts"
import { baseUrlOf, identifiers, misplacedFields, usualKey, variablesOfKind } from "./EndpointTarget.ts"
import {
  fillTemplate,
  type HeaderTemplate,
  isHeaderValue,
  makeHeaders,
  readHeaders,
  variablesOf
} from "./HeaderTemplate.ts"
import { type AliasTarget, servedModel } from "./ModelNames.ts"
import { isSecretHeader, isSecretName, isVariableName } from "./Secrets.ts"
import { type Reference, referenceProblems, type Variables } from "./VariableReferences.ts"

/** What flags say of every endpoint. */
export interface EndpointOverrides {
  readonly model?: string | undefined
  readonly concurrency?: number | "auto" | undefined
  /** When nobody says the concurrency. Default: `Defaults.endpoint.concurrency`. */
  readonly usualConcurrency?: number | "auto" | undefined
  /** The variable with the key, and the flag that named it. */
  readonly apiKey?: { readonly variable: string; readonly path: string } | undefined
}

/** An endpoint as written. */
export interface WrittenEndpoint {
  readonly raw: unknown
  /** Where it was written: `endpoints[0]`, `--endpoint`. */
  readonly path: string
  readonly overrides: EndpointOverrides
}

/** An endpoint that was looked into. */
export interface EndpointDraft {
  readonly problems: ReadonlyArray<ConfigProblem>
  /** All that can be told in spite of problems, so that missing variables come up together with them. */
  readonly references: ReadonlyArray<Reference>
  /** Variables that stand in for what is not written; they may be unset. */
  readonly standIns: ReadonlyArray<string>
  /** What the models of the HTTP service can mean by it; `undefined` when it has no name. */
  readonly target: (variables: Variables) => AliasTarget | undefined
  /** What is still missing or wrong once the stand-ins are known. */
  readonly check: (variables: Variables) => ReadonlyArray<ConfigProblem>
  /** The endpoint once its variables are known and found right; `undefined` when it has problems. */
  readonly settle: ((variables: Variables) => EndpointConfig | undefined) | undefined
}

/** The fields of an endpoint that are looked into beyond the schema. */
interface RawFields {
  readonly name?: unknown
  readonly kind?: unknown
  readonly baseUrl?: unknown
  readonly apiKeyEnv?: unknown
  readonly headers?: unknown
  readonly parameters?: unknown
}

const fieldsOf = (raw: unknown): Readonly<Record<string, unknown>> & RawFields =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw) ? { ...raw } : {}

const parameterProblems = (parameters: unknown, path: string): ReadonlyArray<ConfigProblem> =>
  Object.keys(fieldsOf(parameters))
    .filter(isSecretName)
    .map((name) => ({
      path: `${path}.parameters.${name}`,
      message: "credentials do not go into parameters; put this one in an environment variable and name it in apiKeyEnv"
    }))

/** RFC 6750 and every provider: keys are visible ASCII, without spaces. */
const isKey = (text: string): boolean => /^[\x21-\x7e]+$/.test(text)

/** The usual variable of the provider, unless a header carries a credential already. */
const usualKeyOf = (
  { baseUrl, kind }: RawFields,
  templates: ReadonlyArray<HeaderTemplate>,
  path: string
): EndpointOverrides["apiKey"] => {
  if (typeof kind !== "string" || templates.some(({ name }) => isSecretHeader(name))) return undefined
  if (baseUrl !== undefined && typeof baseUrl !== "string") return undefined
  const variable = usualKey(kind, baseUrl)
  return variable === undefined ? undefined : { variable, path }
}

/** Looks into an endpoint as written. */
export const readEndpoint = ({ overrides, path, raw }: WrittenEndpoint): EndpointDraft => {
  const fields = fieldsOf(raw)
  const decoded = decode(EndpointFile, raw, path)
  const headers = readHeaders(fieldsOf(fields.headers), `${path}.headers`)
  const problems = [
    ...(Result.isFailure(decoded) ? decoded.failure : []),
    ...headers.problems,
    ...parameterProblems(fields.parameters, path),
    ...misplacedFields(fields.kind, fields, path)
  ]
  const named = typeof fields.apiKeyEnv === "string" && isVariableName(fields.apiKeyEnv) ? fields.apiKeyEnv : undefined
  const written = named === undefined ? undefined : { variable: named, path: `${path}.apiKeyEnv` }
  const usual = fields.apiKeyEnv === undefined ? usualKeyOf(fields, headers.templates, path) : undefined
  const apiKey = overrides.apiKey ?? written ?? usual
  const references = [
    ...(apiKey === undefined ? [] : [{ ...apiKey, allowed: isKey }]),
    ...headers.templates.flatMap((template) =>
      variablesOf(template).map((variable) => {
        return { variable, path: `${path}.headers.${template.name}`, allowed: isHeaderValue }
      })
    )
  ]
  const standIns = Object.values(variablesOfKind(fields.kind))
  const check = (variables: Variables): ReadonlyArray<ConfigProblem> => [
    ...referenceProblems(references, variables),
    ...targetProblems(fields, path, variables)
  ]
  const settle =
    Result.isFailure(decoded) || problems.length > 0
      ? undefined
      : (variables: Variables) =>
          settleEndpoint(decoded.success, overrides, apiKey?.variable, headers.templates, variables)
  const target = (variables: Variables): AliasTarget | undefined => {
    const settled = settle?.(variables)
    return settled === undefined ? targetAsWritten(fields, overrides) : aliasTarget(settled, servedModel(settled))
  }
  return { problems, references, standIns, target, check, settle }
}

const aliasTarget = (
  { kind, name }: { readonly kind?: unknown; readonly name: string },
  model: string | undefined
) => ({
  name,
  model,
  needsModel: model === undefined && kind !== "raw"
})

/** So that a problem of an endpoint does not become one of each name that means it. */
const targetAsWritten = (
  { deployment, kind, model, name }: Readonly<Record<string, unknown>>,
  overrides: EndpointOverrides
): AliasTarget | undefined => {
  const served = [overrides.model, model, deployment].find((text): text is string => typeof text === "string")
  return typeof name === "string" ? aliasTarget({ name, kind }, served) : undefined
}

/** Names that more than one endpoint has. Looks at what was written, so that other problems do not hide them. */
export const duplicateNames = (endpoints: ReadonlyArray<WrittenEndpoint>): ReadonlyArray<ConfigProblem> => {
  const first = new Map<string, string>()
  return endpoints.flatMap(({ path, raw }) => {
    const { name } = fieldsOf(raw)
    if (typeof name !== "string") return []
    const other = first.get(name)
    if (other === undefined) first.set(name, path)
    return other === undefined
      ? []
      : [{ path: `${path}.name`, message: `${other} has this name already; give each endpoint a name of its own` }]
  })
}

/** The identifiers of an endpoint: as written, else from their variables. */
const standIn = <Fields extends object>(kind: unknown, fields: Fields, variables: Variables) => {
  const values = Object.entries(variablesOfKind(kind)).flatMap(([field, variable]) => {
    const value = variables.get(variable)
    return value === undefined ? [] : [[field, Redacted.value(value).trim()] as const]
  })
  return { ...Object.fromEntries(values), ...fields }
}

/** What identifies the endpoint and is missing, or wrong in a variable; what is wrong in the file the schema says. */
const targetProblems = (
  fields: Readonly<Record<string, unknown>> & RawFields,
  path: string,
  variables: Variables
): ReadonlyArray<ConfigProblem> => {
  const { kind } = fields
  if (typeof kind !== "string" || !Providers.kinds.some((known) => known === kind)) return []
  // A URL that is there wins, so that what would lead to another can do no harm.
  const unused = fields.baseUrl === undefined ? [] : ["project", "location", "account"]
  const bad = Object.entries(variablesOfKind(kind)).flatMap(([field, variable]) => {
    const value = variables.get(variable)
    if (field in fields || value === undefined || !isIdentifier(field) || unused.includes(field)) return []
    const { message, pattern } = identifiers[field]
    return pattern.test(Redacted.value(value).trim()) ? [] : [{ path: variable, message }]
  })
  // Any text will do for what is there: only what is missing is looked for.
  const there = Object.keys(fields).map((field) => [field, field === "baseUrl" ? new URL("http://x") : "x"] as const)
  const target = baseUrlOf({ ...standIn(kind, Object.fromEntries(there), variables), kind })
  return [...bad, ...(target instanceof URL ? [] : [{ path: `${path}.${target.field}`, message: target.message }])]
}

const isIdentifier = (field: string): field is keyof typeof identifiers => Object.hasOwn(identifiers, field)

/** Vertex AI says nothing of its limits: they are shared dynamically. */
const isAdaptive = (kind: string): boolean => kind === "vertex"

const settleEndpoint = (
  endpoint: EndpointFile,
  overrides: EndpointOverrides,
  apiKeyEnv: string | undefined,
  templates: ReadonlyArray<HeaderTemplate>,
  variables: Variables
): EndpointConfig | undefined => {
  const { breaker = {}, timeouts = {} } = endpoint
  const target: EndpointFile = standIn(endpoint.kind, endpoint, variables)
  const baseUrl = baseUrlOf(target)
  if (!(baseUrl instanceof URL)) return undefined
  const usual = overrides.usualConcurrency ?? Defaults.endpoint.concurrency
  const concurrency = overrides.concurrency ?? endpoint.concurrency ?? usual
  const lookup = (variable: string): string | undefined => {
    const value = variables.get(variable)
    return value === undefined ? undefined : Redacted.value(value)
  }
  const headers = templates.flatMap((template) => {
    const value = fillTemplate(template, lookup)
    return value === undefined ? [] : [{ template, value }]
  })
  return {
    name: endpoint.name,
    kind: endpoint.kind,
    baseUrl,
    model: overrides.model ?? target.model,
    apiKeyEnv,
    apiKey: apiKeyEnv === undefined ? undefined : variables.get(apiKeyEnv),
    ...(target.keyFile === undefined ? {} : { keyFile: target.keyFile }),
    ...(target.serviceAccount === undefined ? {} : { serviceAccount: target.serviceAccount }),
    priority: endpoint.priority ?? Defaults.endpoint.priority,
    weight: endpoint.weight ?? Defaults.endpoint.weight,
    concurrency: concurrency === "auto" ? AUTO_CONCURRENCY_BOUND : concurrency,
    autoConcurrency: concurrency === "auto",
    adaptiveConcurrency: endpoint.adaptiveConcurrency ?? isAdaptive(endpoint.kind),
    queueCapacity: endpoint.queueCapacity ?? Defaults.endpoint.queueCapacity,
    limits: endpoint.limits ?? {},
    timeouts: {
      connectMs: timeouts.connect ?? Defaults.timeouts.connectMs,
      firstByteMs: timeouts.firstByte ?? Defaults.timeouts.firstByteMs,
      idleMs: timeouts.idle ?? Defaults.timeouts.idleMs,
      totalMs: timeouts.total ?? Defaults.timeouts.totalMs
    },
    breaker: {
      failures: breaker.failures ?? Defaults.breaker.failures,
      windowMs: breaker.window ?? Defaults.breaker.windowMs,
      openMs: breaker.open ?? Defaults.breaker.openMs
    },
    ...(endpoint.prices === undefined ? {} : { prices: endpoint.prices }),
    parameters: endpoint.parameters ?? {},
    headers: makeHeaders(headers)
  }
}
