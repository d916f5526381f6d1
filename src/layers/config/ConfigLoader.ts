/** Settles the configuration of a run, or of the HTTP service, from flags, a file and the environment. */
import { hostname } from "node:os"
import * as Arr from "effect/Array"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { ConfigError, type ConfigProblem } from "../../domain/config/ConfigError.ts"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { type ConfigDraft, environmentNames, mergeConfig } from "../../domain/config/MergeConfig.ts"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import { readServer, type ServerFlags } from "../../domain/config/ServerDraft.ts"
import type { Variables } from "../../domain/config/VariableReferences.ts"
import { parseYaml } from "./YamlDocument.ts"

/** Where a configuration is to be found. With nothing said: in a file of the working directory; see `load`. */
export interface LoadOptions {
  /** Path of the config file; wins over `flags.config`. */
  readonly file?: string | undefined
  /** Default: none. */
  readonly flags?: ConfigFlags | undefined
  /** Where to look for a file when none is named. Default: the working directory. */
  readonly directory?: string | undefined
  /** The concurrency of endpoints of which nobody says it. Default: 256. */
  readonly usualConcurrency?: number | "auto" | undefined
}

/** Where a configuration came from, for people to be told. */
export interface ConfigSource {
  /** The file that was read, if any. */
  readonly file: string | undefined
  /** How it came to that file: named by a flag, by `GENAI_DISPATCHER_CONFIG`, or found in the working directory. */
  readonly namedBy: "flag" | "environment" | "found" | undefined
  /** Whether `--endpoint` replaced the endpoints of the file. */
  readonly endpoints: "flags" | "file"
}

/** A configuration, and where it came from. */
export interface LoadedConfig {
  /** What `DispatchedGenAiClient.layer` takes. */
  readonly config: DispatcherConfig
  readonly source: ConfigSource
}

/** The same for a configuration that has an HTTP service in it. */
export interface LoadServerOptions extends LoadOptions {
  /** What flags say of the service itself. Default: nothing. */
  readonly server?: ServerFlags | undefined
}

/** A configuration that has an HTTP service in it. */
export interface LoadedServerConfig extends LoadedConfig {
  /** What `HttpServiceLayer.layer` takes; its parts are for `DurableJobs`, `JobStoreFromConfig` and `Telemetry`. */
  readonly server: ServerConfig
}

/** The variable that names a config file when no flag does. */
export const configVariable = "GENAI_DISPATCHER_CONFIG"

/** Looked for in this order, only when neither a file nor an endpoint is named. */
export const discoveredNames = ["dispatcher.yaml", "dispatcher.yml", "dispatcher.json"] as const

/** Far above any config, far below what would hurt: prompts given in place of the config are refused unread. */
const maxFileBytes = 1_048_576

/** One sentence on where the configuration came from, such as `endpoints and settings from dispatcher.yaml`. */
export const describeSource = (source: ConfigSource): string => {
  if (source.file === undefined) return "endpoints from --endpoint"
  const how = { environment: `, named by ${configVariable}`, found: ", found in this directory", flag: "" }
  const file = `${source.file}${how[source.namedBy ?? "flag"]}`
  return source.endpoints === "flags"
    ? `endpoints from --endpoint, settings from ${file}`
    : `endpoints and settings from ${file}`
}

/** A variable's value; none when it is unset or empty. */
const readVariable = Effect.fnUntraced(function* (name: string) {
  const value = yield* Effect.asSome(Config.Redacted(name)).pipe(
    Effect.catch(({ cause }) =>
      cause._tag === "SourceError"
        ? Effect.fail(new ConfigError({ source: "environment", problems: [{ path: name, message: unreadable }] }))
        : Effect.succeedNone
    )
  )
  return Option.filter(value, (text) => Redacted.value(text).trim() !== "")
})

const unreadable = "the place that holds this variable cannot be read; check the program's ConfigProvider"

const readVariables = Effect.fnUntraced(function* (names: ReadonlyArray<string>) {
  const variables = new Map<string, Redacted.Redacted<string>>()
  for (const name of new Set(names)) {
    const value = yield* readVariable(name)
    if (Option.isSome(value)) variables.set(name, value.value)
  }
  return variables
})

const textsOf = (variables: Variables) =>
  Object.fromEntries(
    Object.entries(environmentNames).flatMap(([field, name]) => {
      const value = variables.get(name)
      return value === undefined ? [] : [[field, Redacted.value(value)]]
    })
  )

interface NamedFile {
  readonly path: string
  readonly namedBy: "flag" | "environment" | "found"
}

const findFile = Effect.fnUntraced(function* (options: LoadOptions, flags: ConfigFlags) {
  const path = options.file ?? flags.config
  if (path !== undefined) return { path, namedBy: "flag" } satisfies NamedFile
  const variable = yield* readVariable(configVariable)
  if (Option.isSome(variable)) {
    return { path: Redacted.value(variable.value), namedBy: "environment" } satisfies NamedFile
  }
  if (flags.endpoints.length > 0) return undefined
  const fs = yield* FileSystem.FileSystem
  for (const name of discoveredNames) {
    const candidate = options.directory === undefined ? name : `${options.directory}/${name}`
    // A candidate that cannot even be looked at is as good as none: nobody asked for it.
    if (yield* Effect.orElseSucceed(fs.exists(candidate), () => false)) {
      return { path: candidate, namedBy: "found" } satisfies NamedFile
    }
  }
  return undefined
})

const fileMessage = (error: PlatformError, namedBy: NamedFile["namedBy"]): string => {
  const way = namedBy === "environment" ? `check the variable ${configVariable}` : "check the path"
  switch (error.reason._tag) {
    case "NotFound":
      return `there is no such file; ${way}`
    case "PermissionDenied":
      return "may not be read by this user; change its permissions (chmod u+r)"
    case "BadResource":
      return "is no file that can be read; give the path of a YAML or JSON file"
    default:
      return `cannot be read (${error.reason._tag}); ${way}`
  }
}

const readDocument = Effect.fnUntraced(function* ({ namedBy, path }: NamedFile) {
  const fs = yield* FileSystem.FileSystem
  const fail = (message: string) => new ConfigError({ source: path, problems: [{ path: "", message }] })
  const named = Effect.mapError((error: PlatformError) => fail(fileMessage(error, namedBy)))
  const info = yield* named(fs.stat(path))
  if (info.type === "Directory") return yield* fail("is a directory; give the path of a YAML or JSON file")
  if (info.size > maxFileBytes) return yield* fail("is larger than 1 MiB; is it really the config?")
  const document = parseYaml(yield* named(fs.readFileString(path)))
  if (Result.isFailure(document)) return yield* new ConfigError({ source: path, problems: document.failure })
  return document.success ?? null
})

/** A configuration for which only the variables are missing. */
interface Prepared {
  readonly document: unknown
  readonly draft: ConfigDraft
  readonly problems: ReadonlyArray<ConfigProblem>
  /** The names of the variables that the endpoints want. */
  readonly names: ReadonlyArray<string>
  readonly source: ConfigSource
}

const prepare = Effect.fnUntraced(function* (
  options: LoadOptions
): Effect.fn.Return<Prepared, ConfigError, FileSystem.FileSystem> {
  const flags = options.flags ?? { endpoints: [] }
  const file = yield* findFile(options, flags)
  const document = file === undefined ? undefined : yield* readDocument(file)
  const environment = textsOf(yield* readVariables(Object.values(environmentNames)))
  const { draft, problems } = mergeConfig({
    flags,
    document,
    environment,
    usualConcurrency: options.usualConcurrency
  })
  const names = draft.endpoints.flatMap(({ references, standIns }) => [
    ...references.map(({ variable }) => variable),
    ...standIns
  ])
  const source: ConfigSource = {
    file: file?.path,
    namedBy: file?.namedBy,
    endpoints: flags.endpoints.length > 0 ? "flags" : "file"
  }
  return { document, draft, problems, names, source }
})

/** The dispatcher's part, or all problems; those of other parts are handed in. */
const settle = Effect.fnUntraced(function* (
  { draft, problems: found, source }: Prepared,
  variables: Variables,
  others: ReadonlyArray<ConfigProblem>
) {
  // A variable that several endpoints share is complained about once.
  const problems = Arr.dedupeWith(
    [...found, ...draft.endpoints.flatMap((endpoint) => endpoint.check(variables)), ...others],
    (a, b) => a.path === b.path && a.message === b.message
  )
  if (problems.length > 0) return yield* new ConfigError({ source: source.file ?? "flags", problems })
  const endpoints = draft.endpoints.flatMap(({ settle }) => settle?.(variables) ?? [])
  return { config: { ...draft.settings, endpoints }, source }
})

/**
 * The configuration to run with, and where it came from.
 *
 * Flags override the file, the file overrides the defaults in `GENAI_DISPATCHER_POLICY`,
 * `GENAI_DISPATCHER_MAX_REQUESTS_PER_SECOND` and `GENAI_DISPATCHER_MAX_ATTEMPTS`, and those override the built-in ones. The
 * file is the one named by flag or by `GENAI_DISPATCHER_CONFIG`; when neither names one and no `--endpoint` is given, it is
 * `dispatcher.yaml`, `.yml` or `.json` in the working directory. Keys come from the current `ConfigProvider`, by default the
 * process's environment. The file's sections for the HTTP service are not looked into.
 *
 * Fails with all problems at once, those of the environment included; only a file that is unreadable or no YAML is
 * reported alone.
 */
export const load = Effect.fn("ConfigLoader.load")(function* (
  options: LoadOptions
): Effect.fn.Return<LoadedConfig, ConfigError, FileSystem.FileSystem> {
  const prepared = yield* prepare(options)
  return yield* settle(prepared, yield* readVariables(prepared.names), [])
})

/** As `load`, together with what the file and the flags say of the HTTP service. */
export const loadServer = Effect.fn("ConfigLoader.loadServer")(function* (
  options: LoadServerOptions
): Effect.fn.Return<LoadedServerConfig, ConfigError, FileSystem.FileSystem> {
  const prepared = yield* prepare(options)
  const draft = readServer(prepared.document, options.server ?? {})
  const variables = yield* readVariables([...prepared.names, ...draft.references.map(({ variable }) => variable)])
  const targets = prepared.draft.endpoints.flatMap(({ target }) => target(variables) ?? [])
  const loaded = yield* settle(prepared, variables, [...draft.problems, ...draft.check(variables, targets)])
  const concurrency = loaded.config.endpoints.reduce((sum, endpoint) => sum + endpoint.concurrency, 0)
  const server = draft.settle?.(variables, { concurrency, hostname: hostname(), pid: process.pid })
  // Nothing was complained about, so that there is no reason for none.
  return server === undefined
    ? yield* Effect.die("the configuration of the service was not settled")
    : { ...loaded, server }
})
