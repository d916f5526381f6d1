/** The settled configuration of the service as it goes to a process that serves; see `SentConfig`. */
import * as Redacted from "effect/Redacted"
import type { JobStoreConfig, ServerConfig } from "../../../domain/config/ServerConfig.ts"

type SentStore =
  | Exclude<JobStoreConfig, { readonly kind: "postgres" }>
  | { readonly kind: "postgres"; readonly url: string }

/** With nothing in it but plain data. */
export interface SentServer extends Omit<ServerConfig, "jobs" | "webhooks" | "telemetry"> {
  readonly jobs: Omit<ServerConfig["jobs"], "store"> & { readonly store: SentStore }
  readonly webhooks: Omit<ServerConfig["webhooks"], "secret"> & { readonly secret: string | undefined }
  readonly telemetry: Omit<ServerConfig["telemetry"], "otlpUrl" | "otlpHeaders"> & {
    readonly otlpUrl: string | undefined
    readonly otlpHeaders: Readonly<Record<string, string>>
  }
}

export const encode = (server: ServerConfig): SentServer => {
  const { jobs, telemetry, webhooks } = server
  return {
    ...server,
    jobs: { ...jobs, store: encodeStore(jobs.store) },
    webhooks: { ...webhooks, secret: webhooks.secret && Redacted.value(webhooks.secret) },
    telemetry: {
      ...telemetry,
      otlpUrl: telemetry.otlpUrl?.href,
      otlpHeaders: mapValues(telemetry.otlpHeaders, Redacted.value)
    }
  }
}

export const decode = (sent: SentServer): ServerConfig => {
  const { jobs, telemetry, webhooks } = sent
  return {
    ...sent,
    jobs: { ...jobs, store: decodeStore(jobs.store) },
    webhooks: { ...webhooks, secret: webhooks.secret === undefined ? undefined : Redacted.make(webhooks.secret) },
    telemetry: {
      ...telemetry,
      otlpUrl: telemetry.otlpUrl === undefined ? undefined : new URL(telemetry.otlpUrl),
      otlpHeaders: mapValues(telemetry.otlpHeaders, (value) => Redacted.make(value))
    }
  }
}

const encodeStore = (store: JobStoreConfig): SentStore =>
  store.kind === "postgres" ? { kind: store.kind, url: Redacted.value(store.url) } : store

const decodeStore = (store: SentStore): JobStoreConfig =>
  store.kind === "postgres" ? { kind: store.kind, url: Redacted.make(store.url) } : store

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Readonly<Record<string, B>> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
