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
import { isSecretName } from "./Secrets.ts"

/** A checked endpoint. */
export interface EndpointDraft {
  /** Where it was written: `endpoints[0]`, `--endpoint`. */
  readonly path: string
  readonly endpoint: EndpointFile
  readonly headers: ReadonlyArray<HeaderTemplate>
  /** The variable with the key, and where it was named. */
  readonly apiKey: { readonly variable: string; readonly path: string } | undefined
}

/** The environment, as far as it was asked for; absent when a variable is unset or empty. */
export type Variables = ReadonlyMap<string, Redacted.Redacted<string>>

const fieldsOf = (raw: unknown): Readonly<Record<string, unknown>> =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw) ? { ...raw } : {}

const parameterProblems = (parameters: unknown, path: string): ReadonlyArray<ConfigProblem> =>
  Object.keys(fieldsOf(parameters))
    .filter(isSecretName)
    .map((name) => ({
      path: `${path}.parameters.${name}`,
      message: "credentials do not go into parameters; put this one in an environment variable and name it in apiKeyEnv"
    }))

/** An endpoint as written, checked; or every problem with it. */
export const readEndpoint = (
  raw: unknown,
  path: string
): Result.Result<EndpointDraft, ReadonlyArray<ConfigProblem>> => {
  const { headers, parameters } = fieldsOf(raw)
  const decoded = decode(EndpointFile, raw, path)
  const read = readHeaders(fieldsOf(headers), `${path}.headers`)
  const problems = [
    ...(Result.isFailure(decoded) ? decoded.failure : []),
    ...read.problems,
    ...parameterProblems(parameters, path)
  ]
  if (Result.isFailure(decoded) || problems.length > 0) return Result.fail(problems)
  const { apiKeyEnv } = decoded.success
  const apiKey = apiKeyEnv === undefined ? undefined : { variable: apiKeyEnv, path: `${path}.apiKeyEnv` }
  return Result.succeed({ path, endpoint: decoded.success, headers: read.templates, apiKey })
}

/** Names that more than one endpoint has. Looks at what was written, so that other problems do not hide them. */
export const duplicateNames = (
  endpoints: ReadonlyArray<{ readonly raw: unknown; readonly path: string }>
): ReadonlyArray<ConfigProblem> => {
  const first = new Map<string, string>()
  return endpoints.flatMap(({ raw, path }) => {
    const { name } = fieldsOf(raw)
    if (typeof name !== "string") return []
    const other = first.get(name)
    if (other === undefined) first.set(name, path)
    return other === undefined
      ? []
      : [{ path: `${path}.name`, message: `${other} has this name already; give each endpoint a name of its own` }]
  })
}

/** The environment variables that an endpoint needs. */
export const variablesOfDraft = (draft: EndpointDraft): ReadonlyArray<string> => [
  ...(draft.apiKey === undefined ? [] : [draft.apiKey.variable]),
  ...draft.headers.flatMap(variablesOf)
]

/** Upper-case names are surely no keys pasted in place of a name. */
const printableVariable = (variable: string): string | undefined =>
  /[a-z]/.test(variable) && variable.length > 16 ? undefined : variable

const unset = (variable: string): string => {
  const name = printableVariable(variable)
  return name === undefined
    ? "names an environment variable that is not set; is it the key itself? Put the key in a variable and write that one's name"
    : `the environment variable ${name} is not set or empty; set it first: export ${name}=...`
}

const variableProblems = (draft: EndpointDraft, variables: Variables): ReadonlyArray<ConfigProblem> => {
  const problems: Array<ConfigProblem> = []
  const check = (variable: string, path: string, allowed: (text: string) => boolean) => {
    const value = variables.get(variable)
    if (value === undefined) problems.push({ path, message: unset(variable) })
    else if (!allowed(Redacted.value(value))) {
      const message = `the value of ${variable} has letters that no HTTP header can carry (a line break, a space, a quote?)`
      problems.push({ path, message: `${message}; export it anew` })
    }
  }
  if (draft.apiKey !== undefined) check(draft.apiKey.variable, draft.apiKey.path, (text) => /^[\x21-\x7e]+$/.test(text))
  for (const header of draft.headers) {
    for (const variable of variablesOf(header)) check(variable, `${draft.path}.headers.${header.name}`, isHeaderValue)
  }
  return problems
}

/** `https://host/v1/` and `https://host/v1` are one base; for `raw` the URL is sent as it is, and they are two. */
const settleUrl = ({ baseUrl, kind }: EndpointFile): URL => {
  const url = new URL(baseUrl)
  if (kind !== "raw") url.pathname = url.pathname.replace(/\/+$/, "")
  return url
}

/** The endpoint to use; or the variables that it lacks. */
export const settleEndpoint = (
  draft: EndpointDraft,
  variables: Variables
): Result.Result<EndpointConfig, ReadonlyArray<ConfigProblem>> => {
  const problems = variableProblems(draft, variables)
  if (problems.length > 0) return Result.fail(problems)
  const { endpoint, apiKey } = draft
  const { timeouts = {} } = endpoint
  const lookup = (variable: string): string | undefined => {
    const value = variables.get(variable)
    return value === undefined ? undefined : Redacted.value(value)
  }
  const headers = draft.headers.flatMap((template) => {
    const value = fillTemplate(template, lookup)
    return value === undefined ? [] : [{ template, value }]
  })
  return Result.succeed({
    name: endpoint.name,
    kind: endpoint.kind,
    baseUrl: settleUrl(endpoint),
    model: endpoint.model,
    apiKeyEnv: apiKey?.variable,
    apiKey: apiKey === undefined ? undefined : variables.get(apiKey.variable),
    weight: endpoint.weight ?? Defaults.endpoint.weight,
    concurrency: endpoint.concurrency ?? Defaults.endpoint.concurrency,
    queueCapacity: endpoint.queueCapacity ?? Defaults.endpoint.queueCapacity,
    limits: endpoint.limits ?? {},
    timeouts: {
      connectMs: timeouts.connect ?? Defaults.timeouts.connectMs,
      firstByteMs: timeouts.firstByte ?? Defaults.timeouts.firstByteMs,
      idleMs: timeouts.idle ?? Defaults.timeouts.idleMs,
      totalMs: timeouts.total ?? Defaults.timeouts.totalMs
    },
    parameters: endpoint.parameters ?? {},
    headers: makeHeaders(headers)
  })
}
