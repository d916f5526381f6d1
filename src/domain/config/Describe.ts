/** A configuration as people may read it: for dry runs and logs, without any secret. */
import type { Prices } from "../genai/Prices.ts"
import type { DispatcherConfig, EndpointConfig, HedgeConfig } from "./DispatcherConfig.ts"
import { formatDuration } from "./DurationText.ts"
import { showHeaders } from "./HeaderTemplate.ts"

/** One endpoint, in the words of the config file. */
export interface EndpointDescription {
  readonly name: string
  readonly kind: string
  readonly baseUrl: string
  readonly model?: string
  /** The variable's name and whether it holds something: `EAST_API_KEY (set)`; `none` for endpoints without a key. */
  readonly apiKeyEnv: string
  readonly keyFile?: string
  readonly serviceAccount?: string
  readonly priority: number
  readonly weight: number
  readonly concurrency: number | "auto"
  readonly adaptiveConcurrency: boolean
  readonly queueCapacity: number
  readonly limits: EndpointConfig["limits"]
  readonly timeouts: Readonly<Record<"connect" | "firstByte" | "idle" | "total", string>>
  readonly breaker: { readonly failures: number; readonly window: string; readonly open: string }
  readonly prices: Prices | "none"
  readonly parameters: EndpointConfig["parameters"]
  /** As written in the file: what comes from a variable stands there as `${NAME}`. */
  readonly headers: Readonly<Record<string, string>>
}

/** The whole configuration, in the words of the config file. */
export interface ConfigDescription {
  readonly policy: string
  readonly maxRequestsPerSecond: number | "unlimited"
  readonly maxAttempts: number
  readonly deadline: string
  readonly retry: { readonly base: string; readonly factor: number; readonly cap: string }
  readonly retryBudget: DispatcherConfig["retryBudget"]
  readonly hedge: HedgeConfig | "none"
  readonly affinity:
    | { readonly ttl: string; readonly sliding: boolean; readonly capacity: number; readonly onUnavailable: string }
    | "none"
  readonly endpoints: ReadonlyArray<EndpointDescription>
}

const describeKey = ({ apiKey, apiKeyEnv, keyFile, kind, serviceAccount }: EndpointConfig): string => {
  if (apiKeyEnv !== undefined) return `${apiKeyEnv} (${apiKey === undefined ? "not set" : "set"})`
  if (kind === "vertex" && apiKey === undefined) {
    const source = keyFile === undefined ? "Google's default credentials" : `the key file ${keyFile}`
    return serviceAccount === undefined ? source : `${source} as ${serviceAccount}`
  }
  return apiKey === undefined ? "none" : "set by the program"
}

/** A made-by-hand URL may hold a password, which a config file's never does. */
const describeUrl = (url: URL): string => {
  const shown = new URL(url)
  shown.username = ""
  shown.password = ""
  return shown.href
}

const describeEndpoint = (endpoint: EndpointConfig): EndpointDescription => ({
  name: endpoint.name,
  kind: endpoint.kind,
  baseUrl: describeUrl(endpoint.baseUrl),
  ...(endpoint.model === undefined ? {} : { model: endpoint.model }),
  apiKeyEnv: describeKey(endpoint),
  ...(endpoint.keyFile === undefined ? {} : { keyFile: endpoint.keyFile }),
  ...(endpoint.serviceAccount === undefined ? {} : { serviceAccount: endpoint.serviceAccount }),
  priority: endpoint.priority,
  weight: endpoint.weight,
  concurrency: endpoint.autoConcurrency ? "auto" : endpoint.concurrency,
  adaptiveConcurrency: endpoint.adaptiveConcurrency,
  queueCapacity: endpoint.queueCapacity,
  limits: endpoint.limits,
  timeouts: {
    connect: formatDuration(endpoint.timeouts.connectMs),
    firstByte: formatDuration(endpoint.timeouts.firstByteMs),
    idle: formatDuration(endpoint.timeouts.idleMs),
    total: formatDuration(endpoint.timeouts.totalMs)
  },
  breaker: {
    failures: endpoint.breaker.failures,
    window: formatDuration(endpoint.breaker.windowMs),
    open: formatDuration(endpoint.breaker.openMs)
  },
  prices: endpoint.prices ?? "none",
  parameters: endpoint.parameters,
  headers: showHeaders(endpoint.headers)
})

/** Plain data in the words of the config file, without any secret. */
export const describe = (config: DispatcherConfig): ConfigDescription => ({
  policy: config.policy,
  maxRequestsPerSecond: config.maxRequestsPerSecond ?? "unlimited",
  maxAttempts: config.maxAttempts,
  deadline: formatDuration(config.deadlineMs),
  retry: {
    base: formatDuration(config.retry.baseMs),
    factor: config.retry.factor,
    cap: formatDuration(config.retry.capMs)
  },
  retryBudget: config.retryBudget,
  hedge: config.hedge ?? "none",
  affinity:
    config.affinity === undefined
      ? "none"
      : {
          ttl: formatDuration(config.affinity.ttlMs),
          sliding: config.affinity.sliding,
          capacity: config.affinity.capacity,
          onUnavailable: config.affinity.onUnavailable
        },
  endpoints: config.endpoints.map(describeEndpoint)
})

const percent = (part: number): string => `${Number((part * 100).toFixed(1))} %`

const limitsText = (limits: EndpointConfig["limits"]): string =>
  [
    [limits.requestsPerSecond, "/s"] as const,
    [limits.requestsPerMinute, "/min"] as const,
    [limits.tokensPerMinute, " tokens/min"] as const,
    [limits.inputTokensPerMinute, " input tokens/min"] as const,
    [limits.outputTokensPerMinute, " output tokens/min"] as const
  ]
    .flatMap(([limit, unit]) => (limit === undefined ? [] : [`at most ${limit}${unit}`]))
    .join(", ")

const pricesText = ({ prices }: EndpointConfig): string => {
  if (prices === undefined) return ""
  const cached = prices.cachedInput === undefined ? "" : `, ${prices.cachedInput} cached`
  return `prices ${prices.input} in${cached}, ${prices.output} out per million tokens`
}

const concurrencyText = ({ adaptiveConcurrency, autoConcurrency, concurrency }: EndpointConfig): string =>
  autoConcurrency ? "as many at once as do best" : `${adaptiveConcurrency ? "up to " : ""}${concurrency} at once`

const endpointText = (endpoint: EndpointConfig, totalWeight: number): string =>
  [
    `${endpoint.name}: ${endpoint.kind} ${describeUrl(endpoint.baseUrl)}`,
    endpoint.model === undefined ? "no model of its own" : `model ${endpoint.model}`,
    endpoint.priority === 0 ? "" : `priority ${endpoint.priority}`,
    `weight ${endpoint.weight} (${percent(endpoint.weight / totalWeight)})`,
    concurrencyText(endpoint),
    limitsText(endpoint.limits),
    pricesText(endpoint),
    `key ${describeKey(endpoint)}`
  ]
    .filter((part) => part !== "")
    .join(", ")

const affinityText = (affinity: DispatcherConfig["affinity"]): string =>
  affinity === undefined ? "no session affinity" : `sessions stay for ${formatDuration(affinity.ttlMs)}`

/** A few lines for a terminal: one for the whole, one for each endpoint. Without any secret. */
export const describeText = (config: DispatcherConfig): string => {
  const { retry } = config
  const totalWeight = config.endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0)
  const rate =
    config.maxRequestsPerSecond === undefined ? "no overall rate limit" : `at most ${config.maxRequestsPerSecond}/s`
  const backoff = `backoff ${formatDuration(retry.baseMs)} x${retry.factor} up to ${formatDuration(retry.capMs)}`
  const attempts = `up to ${config.maxAttempts} attempts within ${formatDuration(config.deadlineMs)}`
  const hedge =
    config.hedge === undefined
      ? []
      : [
          `second sends after the ${percent(config.hedge.afterQuantile)} quantile, at most ${percent(config.hedge.maxExtra)}`
        ]
  const heading = [`policy ${config.policy}`, rate, attempts, backoff, ...hedge, affinityText(config.affinity)].join(
    ", "
  )
  return [heading, ...config.endpoints.map((endpoint) => `  ${endpointText(endpoint, totalWeight)}`)].join("\n")
}
