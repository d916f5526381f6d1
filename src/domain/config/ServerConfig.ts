/** The settled configuration of the HTTP service: the sections `server`, `models` and `telemetry` of the config file. */
import type * as Redacted from "effect/Redacted"

/** Somebody who may use the service. */
export interface ApiKeyConfig {
  /** Unique; stands in logs and metrics, and owns jobs. */
  readonly name: string
  /** SHA-256 of the key, in hex: keys have enough entropy that no salt is needed. */
  readonly sha256: string
  /** Default: no limit. */
  readonly requestsPerMinute: number | undefined
  /** Names that the key's requests may ask for. Default: all. */
  readonly models: ReadonlySet<string> | undefined
}

/** Where jobs are kept: in memory, until the process ends; in a file; or in a database that instances of the service share. */
export type JobStoreConfig =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly file: string }
  | { readonly kind: "postgres"; readonly url: Redacted.Redacted<string> }

/** How jobs are kept and run. */
export interface JobsConfig {
  readonly store: JobStoreConfig
  /** How long jobs are kept after their end. Default: 1 h. */
  readonly ttlMs: number
  /** Most jobs that have not ended. Default: 100,000. */
  readonly maxPending: number
  /** Most jobs that run at once. Default: the endpoints' concurrency together. */
  readonly concurrency: number
  /** The name under which this process holds jobs; unique among those that share the store. Default: the host's name, with the port for Postgres. */
  readonly instance: string
}

/** How those who handed in jobs are told of their end. */
export interface WebhookConfig {
  /** Signs deliveries; `undefined`: webhooks are refused. */
  readonly secret: Redacted.Redacted<string> | undefined
  /** Whether addresses of this machine and of private networks may be called. Default: false. */
  readonly allowPrivate: boolean
  /** Deliveries tried until one is given up. Default: 8. */
  readonly maxAttempts: number
}

/** All settings of the HTTP service. `ConfigLoader.loadServer` settles one. */
export interface ServerConfig {
  /** Default: 127.0.0.1. */
  readonly host: string
  /** 0 for any free one. Default: 8080. */
  readonly port: number
  /** Empty: no key is asked for; only on loopback, or with the explicit flag. */
  readonly apiKeys: ReadonlyArray<ApiKeyConfig>
  /** Longest request body in bytes. Default: 10 MiB. */
  readonly maxBodyBytes: number
  /** How long what runs at SIGTERM may go on. Default: 30 s. */
  readonly graceMs: number
  /** One line per request: `json`, `text` or `none`. Default: `json`. */
  readonly requestLog: "json" | "text" | "none"
  readonly jobs: JobsConfig
  readonly webhooks: WebhookConfig
  /** Aliases: a name that clients may use, and the endpoints (by their name) or models (by theirs) that serve it. */
  readonly models: ReadonlyMap<string, ReadonlyArray<string>>
  readonly telemetry: TelemetryConfig
}

/** What is exported to a collector of OpenTelemetry. */
export interface TelemetryConfig {
  /** The base URL of an OTLP/HTTP collector, such as `http://127.0.0.1:4318`. Default: nothing is exported. */
  readonly otlpUrl: URL | undefined
  /** Sent with each export. */
  readonly otlpHeaders: Readonly<Record<string, Redacted.Redacted<string>>>
  /** `service.name` of what is exported. Default: `genai-dispatcher`. */
  readonly serviceName: string
  /** The share of requests that are traced, from 0 to 1. Default: 1. */
  readonly sampleRatio: number
}
