/**
 * A settled configuration as it goes to a child: over the private channel between two processes of one user, so that keys
 * are neither on a command line nor in a file.
 *
 * Why the child does not load it by itself: a file may change meanwhile, and one like `<(command)` can be read only once.
 */
import * as Redacted from "effect/Redacted"
import type { DispatcherConfig, EndpointConfig } from "./DispatcherConfig.ts"

interface SentEndpoint extends Omit<EndpointConfig, "baseUrl" | "apiKey"> {
  readonly baseUrl: string
  readonly apiKey: string | undefined
}

/** With nothing in it but plain data. */
export interface SentConfig extends Omit<DispatcherConfig, "endpoints"> {
  readonly endpoints: ReadonlyArray<SentEndpoint>
}

export const encode = (config: DispatcherConfig): SentConfig => ({
  ...config,
  endpoints: config.endpoints.map((endpoint) => ({
    ...endpoint,
    baseUrl: endpoint.baseUrl.href,
    apiKey: endpoint.apiKey && Redacted.value(endpoint.apiKey)
  }))
})

export const decode = (config: SentConfig): DispatcherConfig => ({
  ...config,
  endpoints: config.endpoints.map((endpoint) => ({
    ...endpoint,
    baseUrl: new URL(endpoint.baseUrl),
    apiKey: endpoint.apiKey === undefined ? undefined : Redacted.make(endpoint.apiKey)
  }))
})
