/** The configuration of the HTTP service on its way from what was written to what is used: checked first, then given its variables. */
import * as Result from "effect/Result"
import { keyBytes } from "../jobs/WebhookSignature.ts"
import { type ConfigProblem, printPath } from "./ConfigError.ts"
import { flagName } from "./ConfigFlags.ts"
import { decode } from "./DecodeConfig.ts"
import { isHeaderValue, readHeaders, variablesOf } from "./HeaderTemplate.ts"
import { type AliasTarget, aliasProblems, keyModelProblems } from "./ModelNames.ts"
import type { ServerConfig } from "./ServerConfig.ts"
import { ModelsFile, ServerFile, ServerFlagSettings, TelemetryFile } from "./ServerFile.ts"
import { settleServer } from "./SettleServer.ts"
import { type Reference, referenceProblems, type Variables } from "./VariableReferences.ts"

/** Flags of `serve` as given; absent or `undefined` means not given. They override the file. */
export interface ServerFlags {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** A duration such as `30s`. */
  readonly grace?: string | undefined
  readonly requestLog?: string | undefined
}

/** What some defaults depend on. */
export interface ServerSurroundings {
  /** The endpoints' concurrency together. */
  readonly concurrency: number
  readonly hostname: string
  readonly pid: number
}

/** A configuration that was looked into. */
export interface ServerDraft {
  readonly problems: ReadonlyArray<ConfigProblem>
  /** All that can be told in spite of problems, so that missing variables come up together with them. */
  readonly references: ReadonlyArray<Reference>
  /** What is wrong with its variables and its names of models. */
  readonly check: (variables: Variables, endpoints: ReadonlyArray<AliasTarget>) => ReadonlyArray<ConfigProblem>
  /** The configuration, once it and its variables were found right; `undefined` when it has problems. */
  readonly settle: ((variables: Variables, surroundings: ServerSurroundings) => ServerConfig | undefined) | undefined
}

/** Looks into what a document and flags say of the service. */
export const readServer = (document: unknown, flags: ServerFlags): ServerDraft => {
  const sections = fieldsOf(document)
  const server = decodeSection(ServerFile, sections, "server")
  const models = decodeSection(ModelsFile, sections, "models")
  const telemetry = decodeSection(TelemetryFile, sections, "telemetry")
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const settings = Result.mapError(decode(ServerFlagSettings, given, ""), (problems) =>
    problems.map(({ path, message }) => ({ path: flagName(path), message }))
  )
  const written = fieldsOf(sections["server"])
  const jobs = fieldsOf(written["jobs"])
  const headers = readHeaders(
    fieldsOf(fieldsOf(fieldsOf(sections["telemetry"])["otlp"])["headers"]),
    "telemetry.otlp.headers"
  )
  const keys = Array.isArray(written["apiKeys"]) ? written["apiKeys"].map(fieldsOf) : []
  const problems = [
    ...[server, models, telemetry, settings].flatMap(problemsOf),
    ...duplicates(keys, "name", "has this name already; give each key a name of its own"),
    ...duplicates(keys, "sha256", "is this key already; give each its own"),
    ...storeProblems(jobs),
    ...headers.problems
  ]
  const references = [
    ...referenceTo(jobs["urlEnv"], "server.jobs.urlEnv", databaseRule),
    ...referenceTo(fieldsOf(written["webhooks"])["secretEnv"], "server.webhooks.secretEnv", secretRule),
    ...headers.templates.flatMap((template) =>
      variablesOf(template).map((variable) => {
        return { variable, path: printPath("telemetry.otlp.headers", [template.name]), allowed: isHeaderValue }
      })
    )
  ]
  const check: ServerDraft["check"] = (variables, endpoints) => [
    ...referenceProblems(references, variables),
    ...(Result.isSuccess(models) ? aliasProblems(models.success, endpoints) : []),
    ...keyModelProblems(
      keys.map(({ models }) => models),
      Object.keys(fieldsOf(sections["models"])),
      endpoints
    )
  ]
  if (
    Result.isFailure(server) ||
    Result.isFailure(models) ||
    Result.isFailure(telemetry) ||
    Result.isFailure(settings) ||
    problems.length > 0
  ) {
    return { problems, references, check, settle: undefined }
  }
  const file = {
    server: { ...server.success, ...settings.success },
    models: models.success,
    telemetry: telemetry.success,
    otlpHeaders: headers.templates
  }
  return { problems, references, check, settle: (variables, around) => settleServer(file, variables, around) }
}

const problemsOf = (result: Result.Result<unknown, ReadonlyArray<ConfigProblem>>): ReadonlyArray<ConfigProblem> =>
  Result.isFailure(result) ? result.failure : []

const decodeSection = <S extends typeof ServerFile | typeof ModelsFile | typeof TelemetryFile>(
  schema: S,
  sections: Readonly<Record<string, unknown>>,
  name: string
): Result.Result<S["Type"], ReadonlyArray<ConfigProblem>> =>
  decode(schema, Object.hasOwn(sections, name) ? sections[name] : {}, name)

const fieldsOf = (raw: unknown): Readonly<Record<string, unknown>> =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw) ? { ...raw } : {}

/** Looks at what was written, so that other problems do not hide it. */
const duplicates = (
  keys: ReadonlyArray<Readonly<Record<string, unknown>>>,
  field: "name" | "sha256",
  message: string
): ReadonlyArray<ConfigProblem> => {
  const first = new Map<string, number>()
  return keys.flatMap((key, index) => {
    const value = key[field]
    if (typeof value !== "string") return []
    const folded = field === "sha256" ? value.toLowerCase() : value
    const other = first.get(folded)
    if (other === undefined) first.set(folded, index)
    return other === undefined
      ? []
      : [{ path: `server.apiKeys[${index}].${field}`, message: `server.apiKeys[${other}] ${message}` }]
  })
}

const storeOfField = { file: "sqlite", urlEnv: "postgres" } as const

/** Options of a store that is not the one in use, and those that it lacks. */
const storeProblems = (jobs: Readonly<Record<string, unknown>>): ReadonlyArray<ConfigProblem> => {
  const store = jobs["store"] ?? "sqlite"
  const misplaced = (["file", "urlEnv"] as const).flatMap((field) => {
    const owner = storeOfField[field]
    if (jobs[field] === undefined || owner === store || typeof store !== "string") return []
    const way = jobs["store"] === undefined ? `write store: ${owner} too` : "remove it here"
    return [{ path: `server.jobs.${field}`, message: `belongs to store ${owner}; ${way}` }]
  })
  return store === "postgres" && jobs["urlEnv"] === undefined
    ? [
        ...misplaced,
        {
          path: "server.jobs.urlEnv",
          message:
            "missing; write urlEnv: DATABASE_URL, the name of the environment variable that holds the database's URL"
        }
      ]
    : misplaced
}

const referenceTo = (
  variable: unknown,
  path: string,
  rule: Pick<Reference, "allowed" | "complaint">
): ReadonlyArray<Reference> => (typeof variable === "string" ? [{ variable, path, ...rule }] : [])

const databaseRule = {
  allowed: (value: string) => /^postgres(?:ql)?:$/.test(URL.parse(value)?.protocol ?? ""),
  complaint: "is no URL of a Postgres database, such as postgres://user:password@host:5432/name"
}

/** RFC 2104 discourages keys that are shorter than the hash is wide; half of that is the least that is worth a signature. */
const secretRule = {
  allowed: (value: string) => keyBytes(value) >= 16,
  complaint: "is too short to sign with; make one with: openssl rand -hex 32"
}
