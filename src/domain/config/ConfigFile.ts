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
 *     concurrency: 256
 *     adaptiveConcurrency: false
 *     queueCapacity: 1024
 *     limits: { requestsPerSecond: 100, requestsPerMinute: 3000, tokensPerMinute: 500000 }
 *     timeouts: { connect: 5s, firstByte: 60s, idle: 30s, total: 5m }
 *     breaker: { failures: 10, window: 30s, open: 5s }
 *     prices: { input: 0.15, output: 0.60, cachedInput: 0.075 }   # per 1,000,000 tokens
 *     parameters: { temperature: 0.4, max_tokens: 120 }
 *     headers: { x-team: search, x-api-key: "${TEAM_KEY}" }
 * ```
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { OnUnavailable, Policy } from "../dispatch/Policy.ts"
import * as Providers from "../providers/Providers.ts"
import type { AffinityConfig, BreakerConfig, HedgeConfig, RetryBudgetConfig, RetryConfig } from "./DispatcherConfig.ts"
import { DurationText, PositiveDurationText } from "./DurationText.ts"
import { identifiers } from "./EndpointTarget.ts"
import { isSecretNameOfEndpoint, isVariableName, variableExample } from "./Secrets.ts"

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

// Not `Finite`: the ranges below refuse NaN and infinity in the words of the file.
// @effect-diagnostics-next-line schemaNumber:off
const NumberField = Schema.Number.annotate({ expected: "a number" })
const TextField = Schema.String.annotate({ expected: "text" })
const YesOrNo = Schema.Boolean.annotate({ expected: "true or false" })

const AboveZero = NumberField.check(
  Schema.makeFilter((n: number) => (n > 0 && Number.isFinite(n)) || `must be a number above 0, got ${n}`)
)

const AtLeastZero = NumberField.check(
  Schema.makeFilter((n: number) => (n >= 0 && Number.isFinite(n)) || `must be a number of at least 0, got ${n}`)
)

const FromZero = NumberField.check(
  Schema.makeFilter(
    (n: number) => (Number.isSafeInteger(n) && n >= 0) || `must be a whole number of at least 0, got ${n}`
  )
)

const AtLeastOne = NumberField.check(
  Schema.makeFilter(
    (n: number) => (Number.isSafeInteger(n) && n >= 1) || `must be a whole number of at least 1, got ${n}`
  )
)

const Filled = TextField.check(Schema.makeFilter((text: string) => text.trim() !== "" || "must not be empty"))

/** Names stand in tables, logs and metric labels. */
const EndpointName = Filled.check(
  Schema.makeFilter(
    (name: string) =>
      /^[^\s\p{C}](?:[^\p{C}]{0,62}[^\s\p{C}])?$/u.test(name) || "must be at most 64 letters on one line"
  )
)

const VariableName = TextField.check(
  Schema.makeFilter(
    (name: string) =>
      isVariableName(name) || "must be the name of an environment variable, such as EAST_API_KEY, not the key itself"
  )
)

const identifier = (field: keyof typeof identifiers) =>
  TextField.check(
    Schema.makeFilter((text: string) => identifiers[field].pattern.test(text) || identifiers[field].message)
  )

const urlProblem = (url: URL): string | undefined => {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must start with http:// or https://"
  if (url.username !== "" || url.password !== "") {
    return "must not hold a user name or password; put the key in a variable and name that in apiKeyEnv"
  }
  if ([...url.searchParams.keys()].some(isSecretNameOfEndpoint)) {
    return `must not hold a key in its query; send it as a header from a variable, such as x-api-key: ${variableExample}`
  }
  return url.hash === "" ? undefined : "must not hold a # part: it is never sent"
}

const BaseUrl = TextField.pipe(
  Schema.decodeTo(
    Schema.instanceOf(URL),
    SchemaTransformation.transformEffect({
      decode: (text: string) => {
        const url = URL.parse(text)
        const message = url === null ? "is no URL; write it whole, such as https://host/v1" : urlProblem(url)
        return url === null || message !== undefined
          ? Effect.fail(new SchemaIssue.InvalidValue({ message: message ?? "" }))
          : Effect.succeed(url)
      },
      encode: (url: URL): Effect.Effect<string, SchemaIssue.Issue> => Effect.succeed(url.href)
    })
  )
)

/** What keeps a value from being sent as JSON: `.nan`, dates, binary data, an anchor that holds itself. */
const jsonProblems = (
  value: unknown,
  path: ReadonlyArray<PropertyKey>,
  above: ReadonlyArray<object>
): ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly issue: string }> => {
  if (value === null || typeof value === "string" || typeof value === "boolean") return []
  if (typeof value === "number") return Number.isFinite(value) ? [] : [{ path, issue: `JSON has no ${value}` }]
  if (typeof value !== "object") return [{ path, issue: "is nothing that JSON can say" }]
  if (above.includes(value)) return [{ path, issue: "holds itself; JSON cannot say that" }]
  const plain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  if (!plain) return [{ path, issue: "is nothing that JSON can say" }]
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value)
  return [...entries].flatMap(([key, inner]) => jsonProblems(inner, [...path, key], [...above, value]))
}

const Parameters = Schema.Record(Schema.String, Schema.Unknown)
  .annotate({ expected: "fields such as temperature: 0.4" })
  .check(Schema.makeFilter((parameters: object) => jsonProblems(parameters, [], [])))

const RetryFile = Schema.Struct({
  base: Schema.optionalKey(DurationText),
  factor: Schema.optionalKey(
    NumberField.check(
      Schema.makeFilter((n: number) => (n >= 1 && Number.isFinite(n)) || `must be a number of at least 1, got ${n}`)
    )
  ),
  cap: Schema.optionalKey(DurationText)
}).annotate({ expected: "fields such as base: 500ms" })

const AffinityFile = Schema.Struct({
  ttl: Schema.optionalKey(PositiveDurationText),
  sliding: Schema.optionalKey(YesOrNo),
  capacity: Schema.optionalKey(AtLeastOne),
  onUnavailable: Schema.optionalKey(OnUnavailable)
}).annotate({ expected: "fields such as ttl: 5m" })

const RetryBudgetFile = Schema.Struct({
  ratio: Schema.optionalKey(AtLeastZero),
  minPerSecond: Schema.optionalKey(AtLeastZero)
}).annotate({ expected: "fields such as ratio: 0.2" })

const HedgeFile = Schema.Struct({
  afterQuantile: Schema.optionalKey(
    NumberField.check(Schema.makeFilter((n: number) => (n > 0 && n < 1) || `must be between 0 and 1, got ${n}`))
  ),
  maxExtra: Schema.optionalKey(
    NumberField.check(Schema.makeFilter((n: number) => (n > 0 && n <= 1) || `must be above 0 and at most 1, got ${n}`))
  )
}).annotate({ expected: "fields such as afterQuantile: 0.95" })

const LimitsFile = Schema.Struct({
  requestsPerSecond: Schema.optionalKey(AboveZero),
  requestsPerMinute: Schema.optionalKey(AboveZero),
  tokensPerMinute: Schema.optionalKey(AboveZero),
  inputTokensPerMinute: Schema.optionalKey(AboveZero),
  outputTokensPerMinute: Schema.optionalKey(AboveZero)
}).annotate({ expected: "fields such as requestsPerSecond: 100" })

const BreakerFile = Schema.Struct({
  failures: Schema.optionalKey(AtLeastOne),
  window: Schema.optionalKey(PositiveDurationText),
  open: Schema.optionalKey(PositiveDurationText)
}).annotate({ expected: "fields such as failures: 10" })

const Price = AtLeastZero.pipe(
  Schema.annotateKey({ messageMissingKey: "missing; prices need both input and output, per 1,000,000 tokens" })
)

const PricesFile = Schema.Struct({
  input: Price,
  output: Price,
  cachedInput: Schema.optionalKey(AtLeastZero)
}).annotate({ expected: "fields such as input: 0.15" })

const TimeoutsFile = Schema.Struct({
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
  concurrency: Schema.optionalKey(AtLeastOne),
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

/** The whole file, with the endpoints not looked into: each is decoded on its own, so that one bad one hides no other. */
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
  )
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
  concurrency: Schema.optionalKey(AtLeastOne),
  apiKeyEnv: Schema.optionalKey(VariableName)
})

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

/** Values that are planned, by field. */
export const valuesNotYet: ReadonlyMap<string, ReadonlyArray<string>> = new Map([["concurrency", ["auto"]]])
