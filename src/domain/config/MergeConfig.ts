/** Which setting holds: flags override the file, the file overrides the environment, that overrides the defaults. */
import * as Result from "effect/Result"
import type { ConfigProblem } from "./ConfigError.ts"
import { ConfigFile, Defaults, EnvironmentSettings, FlagSettings } from "./ConfigFile.ts"
import { asWritten, type ConfigFlags, flagName, numberOrText, parseEndpointFlag } from "./ConfigFlags.ts"
import { decode } from "./DecodeConfig.ts"
import type { AffinityConfig, DispatcherConfig, HedgeConfig, RetryConfig } from "./DispatcherConfig.ts"
import { formatDuration } from "./DurationText.ts"
import {
  duplicateNames,
  type EndpointDraft,
  type EndpointOverrides,
  readEndpoint,
  type WrittenEndpoint
} from "./EndpointDraft.ts"

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
  /** The concurrency of endpoints of which nobody says it. Default: `Defaults.endpoint.concurrency`. */
  readonly usualConcurrency?: number | "auto" | undefined
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
  problems.push(...retryProblems(retry))
  const written =
    sources.flags.endpoints.length > 0
      ? readEndpointFlags(sources.flags.endpoints, flags, problems)
      : listOf(fieldsOf(sources.document).endpoints).map((raw, index) => {
          return {
            raw,
            path: `endpoints[${index}]`,
            overrides: { model: flags.model, concurrency: flags.concurrency, apiKey: keyOfFlag(flags) }
          }
        })
  if (written.length === 0 && !problems.some(({ path }) => path === "endpoints" || path === "")) {
    problems.push({ path: hasFile ? "endpoints" : "", message: noEndpoints })
  }
  problems.push(...duplicateNames(written))

  const draft = {
    settings: {
      policy: flags.policy ?? file.policy ?? environment.policy ?? Defaults.policy,
      maxRequestsPerSecond: flags.maxRequestsPerSecond ?? file.maxRequestsPerSecond ?? environment.maxRequestsPerSecond,
      maxAttempts: flags.maxAttempts ?? file.maxAttempts ?? environment.maxAttempts ?? Defaults.maxAttempts,
      deadlineMs: flags.deadline ?? file.deadline ?? Defaults.deadlineMs,
      retry,
      retryBudget: {
        ratio: file.retryBudget?.ratio ?? Defaults.retryBudget.ratio,
        minPerSecond: file.retryBudget?.minPerSecond ?? Defaults.retryBudget.minPerSecond
      },
      ...(file.hedge === undefined ? {} : { hedge: settleHedge(file.hedge) }),
      affinity: settleAffinity(file.affinity)
    },
    endpoints: written.map(({ overrides, ...endpoint }) =>
      readEndpoint({ ...endpoint, overrides: { ...overrides, usualConcurrency: sources.usualConcurrency } })
    )
  }
  problems.push(...draft.endpoints.flatMap((endpoint) => endpoint.problems))
  return { draft, problems }
}

const fieldsOf = (document: unknown): Readonly<Record<string, unknown>> & { readonly endpoints?: unknown } =>
  typeof document === "object" && document !== null ? { ...document } : {}

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Picked by name: callers may pass all flags of a command, those included that are no configuration. */
const givenSettings = (flags: ConfigFlags): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(flags).filter(([name, value]) => value !== undefined && Object.hasOwn(FlagSettings.fields, name))
  )

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

const retryProblems = ({ baseMs, capMs }: RetryConfig): ReadonlyArray<ConfigProblem> => {
  if (capMs >= baseMs) return []
  const message = `${formatDuration(capMs)} is shorter than retry.base, ${formatDuration(baseMs)}; make it at least as long`
  return [{ path: "retry.cap", message }]
}

const settleHedge = (hedge: NonNullable<ConfigFile["hedge"]>): HedgeConfig => ({
  afterQuantile: hedge.afterQuantile ?? Defaults.hedge.afterQuantile,
  maxExtra: hedge.maxExtra ?? Defaults.hedge.maxExtra
})

const settleAffinity = (affinity: ConfigFile["affinity"]): AffinityConfig | undefined =>
  affinity === undefined
    ? undefined
    : {
        ttlMs: affinity.ttl ?? Defaults.affinity.ttlMs,
        sliding: affinity.sliding ?? Defaults.affinity.sliding,
        capacity: affinity.capacity ?? Defaults.affinity.capacity,
        onUnavailable: affinity.onUnavailable ?? Defaults.affinity.onUnavailable
      }

type Flags = typeof FlagSettings.Type

const keyOfFlag = ({ apiKeyEnv }: Flags): EndpointOverrides["apiKey"] =>
  apiKeyEnv === undefined ? undefined : { variable: apiKeyEnv, path: flagName("apiKeyEnv") }

/**
 * `--endpoint` values as endpoints of a file; those without a name are called after their host. The flags for every
 * endpoint leave alone what an `--endpoint` says of itself.
 */
const readEndpointFlags = (
  texts: ReadonlyArray<string>,
  flags: Flags,
  problems: Array<ConfigProblem>
): ReadonlyArray<WrittenEndpoint> => {
  const parsed = texts.map((text, index) => {
    const path = texts.length === 1 ? "--endpoint" : `--endpoint[${index}]`
    return { path, flag: parseEndpointFlag(text, path) }
  })
  problems.push(...parsed.flatMap(({ flag }) => flag.problems))
  const taken = new Set(parsed.flatMap(({ flag }) => (flag.name === undefined ? [] : [flag.name])))
  return parsed.map(({ flag, path }) => {
    const { apiKeyEnv, concurrency, model } = flag.options
    return {
      raw: asWritten(flag, flag.name ?? freeName(hostOf(flag.baseUrl), taken)),
      path,
      overrides: {
        model: model === undefined ? flags.model : undefined,
        concurrency: concurrency === undefined ? flags.concurrency : undefined,
        apiKey: apiKeyEnv === undefined ? keyOfFlag(flags) : undefined
      }
    }
  })
}

const hostOf = (baseUrl: string): string => URL.parse(baseUrl)?.host || "endpoint"

const freeName = (wanted: string, taken: Set<string>): string => {
  let name = wanted
  for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`
  taken.add(name)
  return name
}
