/** One endpoint on its way from what was written to what is used: checked first, then given its variables. */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { ConfigProblem } from "./ConfigError.ts"
import { Defaults, EndpointFile } from "./ConfigFile.ts"
import { decode } from "./DecodeConfig.ts"
import type { EndpointConfig } from "./DispatcherConfig.ts"
import {
  fillTemplate,
  type HeaderTemplate,
  isHeaderValue,
  makeHeaders,
  readHeaders,
  variablesOf
} from "./HeaderTemplate.ts"
import { isSecretName, isVariableName } from "./Secrets.ts"

/** An environment variable that an endpoint wants, and where it was named. */
interface Reference {
  readonly variable: string
  readonly path: string
  /** Which values can be sent. */
  readonly allowed: (value: string) => boolean
}

/** What flags say of every endpoint. */
export interface EndpointOverrides {
  readonly model?: string | undefined
  readonly concurrency?: number | undefined
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
  /** The endpoint once its variables are known; `undefined` when it has problems. */
  readonly settle: ((variables: Variables) => EndpointConfig) | undefined
}

/** The environment, as far as it was asked for; absent when a variable is unset or empty. */
export type Variables = ReadonlyMap<string, Redacted.Redacted<string>>

/** The fields of an endpoint that are looked into beyond the schema. */
interface RawFields {
  readonly name?: unknown
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

/** Looks into an endpoint as written. */
export const readEndpoint = ({ overrides, path, raw }: WrittenEndpoint): EndpointDraft => {
  const fields = fieldsOf(raw)
  const decoded = decode(EndpointFile, raw, path)
  const headers = readHeaders(fieldsOf(fields.headers), `${path}.headers`)
  const problems = [
    ...(Result.isFailure(decoded) ? decoded.failure : []),
    ...headers.problems,
    ...parameterProblems(fields.parameters, path)
  ]
  const named = typeof fields.apiKeyEnv === "string" && isVariableName(fields.apiKeyEnv) ? fields.apiKeyEnv : undefined
  const apiKey = overrides.apiKey ?? (named === undefined ? undefined : { variable: named, path: `${path}.apiKeyEnv` })
  const references = [
    ...(apiKey === undefined ? [] : [{ ...apiKey, allowed: isKey }]),
    ...headers.templates.flatMap((template) =>
      variablesOf(template).map((variable) => {
        return { variable, path: `${path}.headers.${template.name}`, allowed: isHeaderValue }
      })
    )
  ]
  const settle =
    Result.isFailure(decoded) || problems.length > 0
      ? undefined
      : (variables: Variables) =>
          settleEndpoint(decoded.success, overrides, apiKey?.variable, headers.templates, variables)
  return { problems, references, settle }
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

/** Names without small letters are surely no keys pasted in place of a name. */
const isPrintable = (variable: string): boolean => !/[a-z]/.test(variable) || variable.length <= 16

const unset = (variable: string): string =>
  isPrintable(variable)
    ? `the environment variable ${variable} is not set or empty; set it first: export ${variable}=...`
    : "names an environment variable that is not set; is it the key itself? Put the key in a variable and write that one's name"

/** Variables that are missing, or hold what cannot be sent. */
export const referenceProblems = (draft: EndpointDraft, variables: Variables): ReadonlyArray<ConfigProblem> =>
  draft.references.flatMap(({ allowed, path, variable }) => {
    const value = variables.get(variable)
    if (value === undefined) return [{ path, message: unset(variable) }]
    if (allowed(Redacted.value(value))) return []
    const what = isPrintable(variable) ? `the value of ${variable}` : "the variable's value"
    return [{ path, message: `${what} has letters that no header can carry (a line break, a space?); export it anew` }]
  })

/** `https://host/v1/` and `https://host/v1` are one base; for `raw` the URL is sent as it is, and they are two. */
const settleUrl = ({ baseUrl, kind }: EndpointFile): URL => {
  const url = new URL(baseUrl)
  if (kind !== "raw") url.pathname = url.pathname.replace(/\/+$/, "")
  return url
}

const settleEndpoint = (
  endpoint: EndpointFile,
  overrides: EndpointOverrides,
  apiKeyEnv: string | undefined,
  templates: ReadonlyArray<HeaderTemplate>,
  variables: Variables
): EndpointConfig => {
  const { timeouts = {} } = endpoint
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
    baseUrl: settleUrl(endpoint),
    model: overrides.model ?? endpoint.model,
    apiKeyEnv,
    apiKey: apiKeyEnv === undefined ? undefined : variables.get(apiKeyEnv),
    priority: Defaults.endpoint.priority,
    weight: endpoint.weight ?? Defaults.endpoint.weight,
    concurrency: overrides.concurrency ?? endpoint.concurrency ?? Defaults.endpoint.concurrency,
    adaptiveConcurrency: false,
    queueCapacity: endpoint.queueCapacity ?? Defaults.endpoint.queueCapacity,
    limits: endpoint.limits ?? {},
    timeouts: {
      connectMs: timeouts.connect ?? Defaults.timeouts.connectMs,
      firstByteMs: timeouts.firstByte ?? Defaults.timeouts.firstByteMs,
      idleMs: timeouts.idle ?? Defaults.timeouts.idleMs,
      totalMs: timeouts.total ?? Defaults.timeouts.totalMs
    },
    breaker: Defaults.breaker,
    parameters: endpoint.parameters ?? {},
    headers: makeHeaders(headers)
  }
}
