/** In which section of a config file each field stands. */
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

/** Where fields belong, for those who wrote one in another place. */
export const fieldHomes: ReadonlyMap<string, string> = new Map(
  [
    [Object.keys(ConfigFile.fields), "the top level"] as const,
    [Object.keys(EndpointFile.fields), "an endpoint"] as const,
    [Object.keys(RetryFile.fields), "retry"] as const,
    [Object.keys(RetryBudgetFile.fields), "retryBudget"] as const,
    [Object.keys(HedgeFile.fields), "hedge"] as const,
    [Object.keys(AffinityFile.fields), "affinity"] as const,
    [Object.keys(PricesFile.fields), "the endpoint's prices"] as const,
    [Object.keys(BreakerFile.fields), "the endpoint's breaker"] as const,
    [Object.keys(TimeoutsFile.fields), "the endpoint's timeouts"] as const,
    [Object.keys(LimitsFile.fields), "the endpoint's limits"] as const
  ].flatMap(([names, home]) => names.map((name) => [name, home] as const))
)
