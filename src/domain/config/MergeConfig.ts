/** Which setting holds: flags override the file, the file overrides the environment, that overrides the defaults. */
import * as Result from "effect/Result"
import type { ConfigProblem } from "./ConfigError.ts"
import { ConfigFile, Defaults, EnvironmentSettings, FlagSettings } from "./ConfigFile.ts"
import { type ConfigFlags, flagName, numberOrText, parseEndpointFlag, type RawEndpoint } from "./ConfigFlags.ts"
import { decode } from "./DecodeConfig.ts"
import type { AffinityConfig, DispatcherConfig, RetryConfig } from "./DispatcherConfig.ts"
import { formatDuration } from "./DurationText.ts"
import { duplicateNames, type EndpointDraft, readEndpoint } from "./EndpointDraft.ts"

/** The environment variables that give settings their default. */
export const environmentNames = {
  policy: "GENAI_DISPATCHER_POLICY",
  maxRequestsPerSecond: "GENAI_DISPATCHER_MAX_REQUESTS_PER_SECOND",
  maxAttempts: "GENAI_DISPATCHER_MAX_ATTEMPTS"
} as const
type EnvironmentField = keyof typeof environmentNames

/** Everything that was said about a configuration, not yet looked into. */
export interface ConfigSources {
  readonly flags: ConfigFlags
  /** The document in the file, `null` for an empty one; `undefined` without a file. */
  readonly document: unknown
  /** The texts of those variables of `environmentNames` that are set. */
  readonly environment: Readonly<Partial<Record<EnvironmentField, string>>>
}

/** A configuration that lacks only the variables of its endpoints. */
export interface ConfigDraft {
  readonly settings: Omit<DispatcherConfig, "endpoints">
  readonly endpoints: ReadonlyArray<EndpointDraft>
}

const noEndpoints =
  "no endpoints; give one with --endpoint URL, name a file that has some with --config FILE, or start one to try with: genai-dispatcher sandbox"

/** Merges the sources. What could be read comes back next to the problems, so that more can be found out about it. */
export const mergeConfig = (
  sources: ConfigSources
): { readonly draft: ConfigDraft; readonly problems: ReadonlyArray<ConfigProblem> } => {
  const problems: Array<ConfigProblem> = []
  const settle = <A>(result: Result.Result<A, ReadonlyArray<ConfigProblem>>): A | undefined => {
    if (Result.isSuccess(result)) return result.success
    problems.push(...result.failure)
    return undefined
  }

  const given = givenSettings(sources.flags)
  const flags: typeof FlagSettings.Type = settle(underFlagNames(decode(FlagSettings, given, ""))) ?? {}
  const hasFile = sources.document !== undefined
  const file: ConfigFile = settle(decode(ConfigFile, sources.document ?? {}, "")) ?? {}
  // A variable that is overridden is not looked into: it can do no harm.
  const overridden = { ...fieldsOf(sources.document), ...given }
  const environment: typeof EnvironmentSettings.Type = settle(decodeEnvironment(sources.environment, overridden)) ?? {}

  const retry = settleRetry(file.retry)
  if (retry.capMs < retry.baseMs) {
    problems.push({
      path: "retry.cap",
      message: `${formatDuration(retry.capMs)} is shorter than retry.base, ${formatDuration(retry.baseMs)}; make it at least as long`
    })
  }

  const written =
    sources.flags.endpoints.length > 0
      ? readEndpointFlags(sources.flags.endpoints, flags, problems)
      : listOf(fieldsOf(sources.document)["endpoints"]).map((raw, index) => ({ raw, path: `endpoints[${index}]` }))
  if (written.length === 0 && !problems.some(({ path }) => path === "endpoints" || path === "")) {
    problems.push({ path: hasFile ? "endpoints" : "", message: noEndpoints })
  }
  problems.push(...duplicateNames(written))
  const drafts = written.flatMap(({ raw, path }) => {
    const draft = settle(readEndpoint(raw, path))
    return draft === undefined ? [] : [overrideByFlags(draft, flags, sources.flags.endpoints.length > 0)]
  })

  const draft = {
    settings: {
      policy: flags.policy ?? file.policy ?? environment.policy ?? Defaults.policy,
      maxRequestsPerSecond: flags.maxRequestsPerSecond ?? file.maxRequestsPerSecond ?? environment.maxRequestsPerSecond,
      maxAttempts: flags.maxAttempts ?? file.maxAttempts ?? environment.maxAttempts ?? Defaults.maxAttempts,
      deadlineMs: flags.deadline ?? file.deadline ?? Defaults.deadlineMs,
      retry,
      affinity: settleAffinity(file.affinity)
    },
    endpoints: drafts
  }
  return { draft, problems }
}

const fieldsOf = (document: unknown): Readonly<Record<string, unknown>> =>
  typeof document === "object" && document !== null ? { ...document } : {}

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const givenSettings = ({ config: _config, endpoints: _endpoints, ...flags }: ConfigFlags): Record<string, unknown> =>
  Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))

const underFlagNames = <A>(result: Result.Result<A, ReadonlyArray<ConfigProblem>>) =>
  Result.mapError(result, (problems) => problems.map(({ path, message }) => ({ path: flagName(path), message })))

const decodeEnvironment = (texts: ConfigSources["environment"], overridden: Readonly<Record<string, unknown>>) => {
  const raw: Partial<Record<EnvironmentField, unknown>> = {}
  if (texts.policy !== undefined && !("policy" in overridden)) raw.policy = texts.policy.trim()
  for (const field of ["maxRequestsPerSecond", "maxAttempts"] as const) {
    const text = texts[field]
    if (text !== undefined && !(field in overridden)) raw[field] = numberOrText(text)
  }
  const variable = new Map<string, string>(Object.entries(environmentNames))
  return Result.mapError(decode(EnvironmentSettings, raw, ""), (problems) =>
    problems.map(({ path, message }) => ({ path: variable.get(path) ?? path, message }))
  )
}

/** A base above the usual cap raises it. */
const settleRetry = (retry: ConfigFile["retry"]): RetryConfig => {
  const baseMs = retry?.base ?? Defaults.retry.baseMs
  return {
    baseMs,
    factor: retry?.factor ?? Defaults.retry.factor,
    capMs: retry?.cap ?? Math.max(baseMs, Defaults.retry.capMs)
  }
}

const settleAffinity = (affinity: ConfigFile["affinity"]): AffinityConfig | undefined =>
  affinity === undefined
    ? undefined
    : {
        ttlMs: affinity.ttl ?? Defaults.affinity.ttlMs,
        sliding: affinity.sliding ?? Defaults.affinity.sliding,
        capacity: affinity.capacity ?? Defaults.affinity.capacity,
        onUnavailable: affinity.onUnavailable ?? Defaults.affinity.onUnavailable
      }

/** `--endpoint` values as endpoints of a file; those without a name are called after their host. */
const readEndpointFlags = (
  texts: ReadonlyArray<string>,
  flags: typeof FlagSettings.Type,
  problems: Array<ConfigProblem>
): ReadonlyArray<{ readonly raw: RawEndpoint; readonly path: string }> => {
  const parsed = texts.map((text, index) => {
    const path = texts.length === 1 ? "--endpoint" : `--endpoint[${index}]`
    const { raw, problems: found } = parseEndpointFlag(text, path)
    problems.push(...found)
    return { raw, path }
  })
  const taken = new Set(parsed.flatMap(({ raw }) => (typeof raw["name"] === "string" ? [raw["name"]] : [])))
  return parsed.map(({ raw, path }) => {
    const name = raw["name"] ?? freeName(hostOf(raw["baseUrl"]), taken)
    const key = raw["apiKeyEnv"] ?? flags.apiKeyEnv ?? usualVariable(raw)
    return { raw: { ...raw, name, ...(key === undefined ? {} : { apiKeyEnv: key }) }, path }
  })
}

const hostOf = (baseUrl: unknown): string => URL.parse(String(baseUrl))?.host || "endpoint"

const freeName = (wanted: string, taken: Set<string>): string => {
  let name = wanted
  for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`
  taken.add(name)
  return name
}

/** OpenAI's own variable goes to OpenAI's own host, encrypted, and never to another. */
const usualVariable = (raw: RawEndpoint): string | undefined => {
  const url = URL.parse(String(raw["baseUrl"]))
  const openAi = raw["kind"] === "openai" && url?.protocol === "https:" && url.hostname === "api.openai.com"
  return openAi ? "OPENAI_API_KEY" : undefined
}

/** Flags for every endpoint win over the file, and leave alone what an `--endpoint` says of itself. */
const overrideByFlags = (draft: EndpointDraft, flags: typeof FlagSettings.Type, isFlag: boolean): EndpointDraft => {
  const { endpoint } = draft
  const model = isFlag ? (endpoint.model ?? flags.model) : (flags.model ?? endpoint.model)
  const concurrency = isFlag ? (endpoint.concurrency ?? flags.concurrency) : (flags.concurrency ?? endpoint.concurrency)
  const fromFlag = flags.apiKeyEnv !== undefined && (!isFlag || endpoint.apiKeyEnv === flags.apiKeyEnv)
  return {
    ...draft,
    endpoint: {
      ...endpoint,
      ...(model === undefined ? {} : { model }),
      ...(concurrency === undefined ? {} : { concurrency })
    },
    apiKey: fromFlag ? { variable: flags.apiKeyEnv, path: "--api-key-env" } : draft.apiKey
  }
}
