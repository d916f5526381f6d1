/** In which section of a config file each field stands, for those who wrote one in another place. */
import {
  AffinityFile,
  BreakerFile,
  ConfigFile,
  EndpointFile,
  HedgeFile,
  LimitsFile,
  PricesFile,
  RetryBudgetFile,
  RetryFile,
  TimeoutsFile
} from "./ConfigFile.ts"
import { ApiKeyFile, JobsFile, OtlpFile, ServerFile, TelemetryFile, WebhooksFile } from "./ServerFile.ts"

interface Section {
  readonly fields: object
}

const homes = (sections: Readonly<Record<string, Section>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(sections).flatMap(([home, { fields }]) => Object.keys(fields).map((name) => [name, home])))

const ofDispatcher = homes({
  "the top level": ConfigFile,
  "an endpoint": EndpointFile,
  retry: RetryFile,
  retryBudget: RetryBudgetFile,
  hedge: HedgeFile,
  affinity: AffinityFile,
  "the endpoint's prices": PricesFile,
  "the endpoint's breaker": BreakerFile,
  "the endpoint's timeouts": TimeoutsFile,
  "the endpoint's limits": LimitsFile
})

const ofService = homes({
  "the key's entry in server.apiKeys": ApiKeyFile,
  "server.webhooks": WebhooksFile,
  "telemetry.otlp": OtlpFile,
  "server.jobs": JobsFile,
  telemetry: TelemetryFile,
  server: ServerFile
})

/** Words of the service that mean something else to those who write them in an endpoint. */
const tooCommon = new Set(["file", "store", "url"])

const isOfService = (path: string): boolean => /^(?:server|models|telemetry)\b/.test(path)

/** Where a field belongs that was found at `path` and is unknown there; of several homes the nearest. */
export const homeOf = (field: string, path: string): string | undefined => {
  if (isOfService(path)) return ofService.get(field) ?? ofDispatcher.get(field)
  return ofDispatcher.get(field) ?? (tooCommon.has(field) ? undefined : ofService.get(field))
}
