/** The configuration of the HTTP service with every default filled in and every variable resolved. */
import * as Redacted from "effect/Redacted"
import { fillTemplate, type HeaderTemplate } from "./HeaderTemplate.ts"
import type { ApiKeyConfig, JobStoreConfig, JobsConfig, ServerConfig, TelemetryConfig } from "./ServerConfig.ts"
import type { ServerSurroundings } from "./ServerDraft.ts"
import { type ModelsFile, ServerDefaults, type ServerFile, type TelemetryFile } from "./ServerFile.ts"
import type { Variables } from "./VariableReferences.ts"

/** What was written, found right. */
export interface CheckedServer {
  readonly server: ServerFile
  readonly models: ModelsFile
  readonly telemetry: TelemetryFile
  readonly otlpHeaders: ReadonlyArray<HeaderTemplate>
}

/** `undefined` when a variable is missing that there must be. */
export const settleServer = (
  { models, otlpHeaders, server, telemetry }: CheckedServer,
  variables: Variables,
  around: ServerSurroundings
): ServerConfig | undefined => {
  const store = settleStore(server.jobs ?? {}, variables)
  if (store === undefined) return undefined
  const port = server.port ?? ServerDefaults.port
  return {
    host: server.host ?? ServerDefaults.host,
    port,
    apiKeys: (server.apiKeys ?? []).map(settleKey),
    maxBodyBytes: server.maxBodySize ?? ServerDefaults.maxBodyBytes,
    graceMs: server.grace ?? ServerDefaults.graceMs,
    requestLog: server.requestLog ?? ServerDefaults.requestLog,
    jobs: settleJobs(server.jobs ?? {}, store, port, around),
    webhooks: {
      secret: server.webhooks === undefined ? undefined : variables.get(server.webhooks.secretEnv),
      allowPrivate: server.webhooks?.allowPrivate ?? ServerDefaults.webhooks.allowPrivate,
      maxAttempts: server.webhooks?.maxAttempts ?? ServerDefaults.webhooks.maxAttempts
    },
    models: new Map(Object.entries(models)),
    telemetry: settleTelemetry(telemetry, otlpHeaders, variables)
  }
}

const settleKey = ({
  models,
  name,
  requestsPerMinute,
  sha256
}: NonNullable<ServerFile["apiKeys"]>[number]): ApiKeyConfig => ({
  name,
  sha256: sha256.toLowerCase(),
  requestsPerMinute,
  models: models === undefined ? undefined : new Set(models)
})

const settleJobs = (
  jobs: NonNullable<ServerFile["jobs"]>,
  store: JobStoreConfig,
  port: number,
  around: ServerSurroundings
): JobsConfig => ({
  store,
  ttlMs: jobs.ttl ?? ServerDefaults.jobs.ttlMs,
  maxPending: jobs.maxPending ?? ServerDefaults.jobs.maxPending,
  concurrency: jobs.concurrency ?? around.concurrency,
  instance: jobs.instance ?? instanceName(store, port, around)
})

/**
 * A service takes back at its start what its name held, so no other one may have it. A file is one service's alone; those that share
 * a database may be on one host, but not on one port. A port that is any free one names nobody: what such a service held when it
 * crashed comes back with the end of its leases.
 */
const instanceName = (store: JobStoreConfig, port: number, { hostname, pid }: ServerSurroundings): string => {
  if (store.kind !== "postgres") return hostname
  return port === 0 ? `${hostname}#${pid}` : `${hostname}:${port}`
}

const settleStore = (jobs: NonNullable<ServerFile["jobs"]>, variables: Variables): JobStoreConfig | undefined => {
  switch (jobs.store ?? ServerDefaults.jobs.store) {
    case "memory":
      return { kind: "memory" }
    case "sqlite":
      return { kind: "sqlite", file: jobs.file ?? ServerDefaults.jobs.file }
    case "postgres": {
      const url = jobs.urlEnv === undefined ? undefined : variables.get(jobs.urlEnv)
      return url === undefined ? undefined : { kind: "postgres", url }
    }
  }
}

const settleTelemetry = (
  telemetry: TelemetryFile,
  headers: ReadonlyArray<HeaderTemplate>,
  variables: Variables
): TelemetryConfig => {
  const lookup = (variable: string): string | undefined => {
    const value = variables.get(variable)
    return value === undefined ? undefined : Redacted.value(value)
  }
  return {
    otlpUrl: telemetry.otlp?.url,
    otlpHeaders: Object.fromEntries(
      headers.flatMap((template) => {
        const value = fillTemplate(template, lookup)
        return value === undefined ? [] : [[template.name, Redacted.make(value)]]
      })
    ),
    serviceName: telemetry.serviceName ?? ServerDefaults.telemetry.serviceName,
    sampleRatio: telemetry.sampleRatio ?? ServerDefaults.telemetry.sampleRatio
  }
}
