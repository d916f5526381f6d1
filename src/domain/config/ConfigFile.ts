/**
 * The config file as users write it, in YAML or JSON. What is absent has a default (`Defaults`), and `DecodeConfig.ts` says
 * what is wrong with it.
 *
 * ```yaml
 * policy: weighted                # least-loaded | weighted | weighted-random | p2c-ewma
 * maxRequestsPerSecond: 10000     # over all endpoints; every send counts, retries too
 * maxAttempts: 5                  # per request, over all endpoints
 * deadline: 10m                   # per request, from submit to answer
 * retry: { base: 500ms, factor: 2, cap: 30s }
 * retryBudget: { ratio: 0.5, minPerSecond: 10 }
 * hedge: { afterQuantile: 0.95, maxExtra: 0.05 }
 * affinity: { ttl: 5m, sliding: false, capacity: 100000, onUnavailable: spill }
 * endpoints:
 *   - name: east
 *     kind: openai                # openai | azure | gemini | vertex | anthropic | cloudflare | raw
 *     baseUrl: https://llm.example.com/v1
 *     model: some-model
 *     apiKeyEnv: EAST_API_KEY     # name of the variable that holds the key
 *     priority: 0
 *     weight: 3
 *     concurrency: 256            # or auto: as many as do best, the default of run
 *     adaptiveConcurrency: false
 *     queueCapacity: 1024
 *     limits: { requestsPerSecond: 100, requestsPerMinute: 3000, tokensPerMinute: 500000 }
 *     timeouts: { connect: 5s, firstByte: 60s, idle: 30s, total: 5m }
 *     breaker: { failures: 10, window: 30s, open: 5s }
 *     prices: { input: 0.15, output: 0.60, cachedInput: 0.075 }   # per 1,000,000 tokens
 *     parameters: { temperature: 0.4, max_tokens: 120 }
 *     headers: { x-team: search, x-api-key: "${TEAM_KEY}" }
 * ```
 *
 * The sections `server`, `models` and `telemetry` are for the HTTP service: `ServerFile.ts`.
 */
import * as Schema from "effect/Schema"
import { OnUnavailable, Policy } from "../dispatch/Policy.ts"
import * as Providers from "../providers/Providers.ts"
import type { AffinityConfig, BreakerConfig, HedgeConfig, RetryBudgetConfig, RetryConfig } from "./DispatcherConfig.ts"
import { DurationText, PositiveDurationText } from "./DurationText.ts"
import {
  AboveZero,
  AtLeastOne,
  AtLeastZero,
  BaseUrl,
  ConcurrencyField,
  EndpointName,
  Filled,
  FromZero,
  identifier,
  NumberField,
  Parameters,
  TextField,
  VariableName,
  YesOrNo
} from "./Fields.ts"

/** What holds where neither flags, file nor environment say otherwise. */
export const Defaults = {
  policy: "least-loaded" satisfies Policy,
  maxAttempts: 5,
  deadlineMs: 600_000,
  retry: { baseMs: 500, factor: 2, capMs: 30_000 } satisfies RetryConfig,
  /** Where a file has an `affinity` section; without one there is no affinity. */
  affinity: { ttlMs: 300_000, sliding: false, capacity: 100_000, onUnavailable: "spill" } satisfies AffinityConfig,
  /** Room for endpoints that fail often, none for a storm; and a few a second where little is sent. */
  retryBudget: { ratio: 0.5, minPerSecond: 10 } satisfies RetryBudgetConfig,
  /** Where a file has a `hedge` section; without one there are no second sends. */
  hedge: { afterQuantile: 0.95, maxExtra: 0.05 } satisfies HedgeConfig,
  endpoint: { priority: 0, weight: 1, concurrency: 256, queueCapacity: 1024 },
  breaker: { failures: 10, windowMs: 30_000, openMs: 5000 } satisfies BreakerConfig,
  timeouts: { connectMs: 5000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 }
} as const

export const RetryFile = Schema.Struct({
  base: Schema.optionalKey(DurationText),
  factor: Schema.optionalKey(
    NumberField.check(
      Schema.makeFilter((n: number) => (n >= 1 && Number.isFinite(n)) || `must be a number of at least 1, got ${n}`)
    )
  ),
  cap: Schema.optionalKey(DurationText)
}).annotate({ expected: "fields such as base: 500ms" })

export const AffinityFile = Schema.Struct({
  ttl: Schema.optionalKey(PositiveDurationText),
  sliding: Schema.optionalKey(YesOrNo),
  capacity: Schema.optionalKey(AtLeastOne),
  onUnavailable: Schema.optionalKey(OnUnavailable)
}).annotate({ expected: "fields such as ttl: 5m" })

export const RetryBudgetFile = Schema.Struct({
  ratio: Schema.optionalKey(AtLeastZero),
  minPerSecond: Schema.optionalKey(AtLeastZero)
}).annotate({ expected: "fields such as ratio: 0.2" })

export const HedgeFile = Schema.Struct({
  afterQuantile: Schema.optionalKey(
    NumberField.check(Schema.makeFilter((n: number) => (n > 0 && n < 1) || `must be between 0 and 1, got ${n}`))
  ),
  maxExtra: Schema.optionalKey(
    NumberField.check(Schema.makeFilter((n: number) => (n > 0 && n <= 1) || `must be above 0 and at most 1, got ${n}`))
  )
}).annotate({ expected: "fields such as afterQuantile: 0.95" })

export const LimitsFile = Schema.Struct({
  requestsPerSecond: Schema.optionalKey(AboveZero),
  requestsPerMinute: Schema.optionalKey(AboveZero),
  tokensPerMinute: Schema.optionalKey(AboveZero),
  inputTokensPerMinute: Schema.optionalKey(AboveZero),
  outputTokensPerMinute: Schema.optionalKey(AboveZero)
}).annotate({ expected: "fields such as requestsPerSecond: 100" })

export const BreakerFile = Schema.Struct({
  failures: Schema.optionalKey(AtLeastOne),
  window: Schema.optionalKey(PositiveDurationText),
  open: Schema.optionalKey(PositiveDurationText)
}).annotate({ expected: "fields such as failures: 10" })

const Price = AtLeastZero.pipe(
  Schema.annotateKey({ messageMissingKey: "missing; prices need both input and output, per 1,000,000 tokens" })
)

export const PricesFile = Schema.Struct({
  input: Price,
  output: Price,
  cachedInput: Schema.optionalKey(AtLeastZero)
}).annotate({ expected: "fields such as input: 0.15" })

export const TimeoutsFile = Schema.Struct({
  connect: Schema.optionalKey(PositiveDurationText),
  firstByte: Schema.optionalKey(PositiveDurationText),
  idle: Schema.optionalKey(PositiveDurationText),
  total: Schema.optionalKey(PositiveDurationText)
}).annotate({ expected: "fields such as total: 5m" })

/** One endpoint as written. The templates of `headers` are read by `HeaderTemplate.ts`. */
export const EndpointFile = Schema.Struct({
  name: EndpointName.pipe(Schema.annotateKey({ messageMissingKey: "missing; give each endpoint a name of its own" })),
  kind: Schema.Literals(Providers.kinds).pipe(
    Schema.annotateKey({
      messageMissingKey: `missing; write kind: openai (any compatible server); kinds are ${Providers.kinds.join(", ")}`
    })
  ),
  baseUrl: Schema.optionalKey(BaseUrl),
  deployment: Schema.optionalKey(identifier("deployment")),
  apiVersion: Schema.optionalKey(identifier("apiVersion")),
  project: Schema.optionalKey(identifier("project")),
  location: Schema.optionalKey(identifier("location")),
  keyFile: Schema.optionalKey(Filled),
  serviceAccount: Schema.optionalKey(identifier("serviceAccount")),
  account: Schema.optionalKey(identifier("account")),
  model: Schema.optionalKey(Filled),
  apiKeyEnv: Schema.optionalKey(VariableName),
  priority: Schema.optionalKey(FromZero),
  weight: Schema.optionalKey(AboveZero),
  concurrency: Schema.optionalKey(ConcurrencyField),
  adaptiveConcurrency: Schema.optionalKey(YesOrNo),
  queueCapacity: Schema.optionalKey(AtLeastOne),
  limits: Schema.optionalKey(LimitsFile),
  timeouts: Schema.optionalKey(TimeoutsFile),
  breaker: Schema.optionalKey(BreakerFile),
  prices: Schema.optionalKey(PricesFile),
  parameters: Schema.optionalKey(Parameters),
  headers: Schema.optionalKey(
    Schema.Record(Schema.String, TextField).annotate({ expected: "fields such as x-team: search" })
  )
}).annotate({ expected: "fields such as name: east" })
export type EndpointFile = typeof EndpointFile.Type

/**
 * The whole file, with the endpoints not looked into: each is decoded on its own, so that one bad one hides no other. What
 * is for the HTTP service is not looked into either: a run has no use for it, and need not have its variables.
 */
export const ConfigFile = Schema.Struct({
  policy: Schema.optionalKey(Policy),
  maxRequestsPerSecond: Schema.optionalKey(AboveZero),
  maxAttempts: Schema.optionalKey(AtLeastOne),
  deadline: Schema.optionalKey(PositiveDurationText),
  retry: Schema.optionalKey(RetryFile),
  retryBudget: Schema.optionalKey(RetryBudgetFile),
  hedge: Schema.optionalKey(HedgeFile),
  affinity: Schema.optionalKey(AffinityFile),
  endpoints: Schema.optionalKey(
    Schema.Array(Schema.Unknown).annotate({ expected: "a list of endpoints, each starting with a dash" })
  ),
  server: Schema.optionalKey(Schema.Unknown),
  models: Schema.optionalKey(Schema.Unknown),
  telemetry: Schema.optionalKey(Schema.Unknown)
}).annotate({ expected: "fields such as endpoints" })
export type ConfigFile = typeof ConfigFile.Type

/** The settings that environment variables can give a default for. */
export const EnvironmentSettings = Schema.Struct({
  policy: Schema.optionalKey(Policy),
  maxRequestsPerSecond: Schema.optionalKey(AboveZero),
  maxAttempts: Schema.optionalKey(AtLeastOne)
})

/** The settings that have a flag. */
export const FlagSettings = Schema.Struct({
  ...EnvironmentSettings.fields,
  deadline: Schema.optionalKey(PositiveDurationText),
  model: Schema.optionalKey(Filled),
  concurrency: Schema.optionalKey(ConcurrencyField),
  apiKeyEnv: Schema.optionalKey(VariableName)
})
