/**
 * The sections of the config file that are for the HTTP service, as users write them.
 *
 * ```yaml
 * server:
 *   host: 127.0.0.1
 *   port: 8080
 *   maxBodySize: 10MiB
 *   grace: 30s                      # how long what runs may go on after SIGTERM
 *   requestLog: json                # json | text | none
 *   apiKeys:                        # none: open to everybody on this machine
 *     - { name: team-a, sha256: <64 hex digits>, requestsPerMinute: 600, models: [fast] }
 *   jobs: { store: sqlite, file: genai-dispatcher.db, ttl: 1h, maxPending: 100000, concurrency: 64, instance: east-1 }
 *   webhooks: { secretEnv: WEBHOOK_SECRET, allowPrivate: false, maxAttempts: 8 }
 * models:
 *   fast: [gpt-4o-mini, west]       # an alias: endpoints by name, or by the model they serve
 * telemetry:
 *   otlp: { url: "http://127.0.0.1:4318", headers: { authorization: "${OTLP_TOKEN}" } }
 *   serviceName: genai-dispatcher
 *   sampleRatio: 1
 * ```
 */
import { isIPv6 } from "node:net"
import * as Schema from "effect/Schema"
import { DurationText, PositiveDurationText } from "./DurationText.ts"
import { AtLeastOne, EndpointName, Filled, NumberField, TextField, urlField, VariableName, YesOrNo } from "./Fields.ts"
import { variableExample } from "./Secrets.ts"
import { formatSize, SizeText } from "./SizeText.ts"

/** What holds where neither flags nor file say otherwise. */
export const ServerDefaults = {
  host: "127.0.0.1",
  port: 8080,
  maxBodyBytes: 10_485_760,
  graceMs: 30_000,
  requestLog: "json",
  jobs: { store: "sqlite", file: "genai-dispatcher.db", ttlMs: 3_600_000, maxPending: 100_000 },
  webhooks: { allowPrivate: false, maxAttempts: 8 },
  telemetry: { serviceName: "genai-dispatcher", sampleRatio: 1 }
} as const

/** A name or an address of this machine; whether it has it only the operating system knows. */
const Host = TextField.check(
  Schema.makeFilter(
    (host: string) =>
      /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(host) ||
      isIPv6(host) ||
      "must be an address or a name of this machine, such as 127.0.0.1, without http:// and port"
  )
)

const Port = NumberField.check(
  Schema.makeFilter(
    (port: number) =>
      (Number.isInteger(port) && port >= 0 && port <= 65_535) || `must be a whole number from 0 to 65535, got ${port}`
  )
)

/** A body becomes one text, and texts have a largest length. */
const largestBody = 268_435_456

const BodySize = SizeText.check(
  Schema.makeFilter(
    (bytes: number) =>
      (bytes >= 1024 && bytes <= largestBody) || `must be from 1KiB to ${formatSize(largestBody)}, such as 10MiB`
  )
)

const RequestLog = Schema.Literals(["json", "text", "none"])

const KeyHash = TextField.check(
  Schema.makeFilter(
    (hash: string) =>
      /^[0-9a-f]{64}$/i.test(hash) ||
      "must be the key's SHA-256, 64 hex digits, and not the key itself; make both with: genai-dispatcher key, or hash a key that you have with: genai-dispatcher key --stdin"
  )
)

/** Each request of the last minute is remembered: a bound keeps that small. */
const mostPerMinute = 6_000_000

export const ApiKeyFile = Schema.Struct({
  name: EndpointName.pipe(Schema.annotateKey({ messageMissingKey: "missing; give each key a name of its own" })),
  sha256: KeyHash.pipe(
    Schema.annotateKey({ messageMissingKey: "missing; make a key and its hash with: genai-dispatcher key" })
  ),
  requestsPerMinute: Schema.optionalKey(
    AtLeastOne.check(
      Schema.makeFilter(
        (n: number) => n <= mostPerMinute || `must be at most ${mostPerMinute}; leave it out for no limit`
      )
    )
  ),
  models: Schema.optionalKey(
    Schema.Array(Filled)
      .annotate({ expected: "a list such as [fast]" })
      .check(
        Schema.makeFilter(
          (models: ReadonlyArray<string>) => models.length > 0 || "must name a model; leave it out for all models"
        )
      )
  )
}).annotate({ expected: "fields such as name: team-a" })

/** Which fields belong to which store is looked into later. */
export const JobsFile = Schema.Struct({
  store: Schema.optionalKey(Schema.Literals(["sqlite", "memory", "postgres"])),
  file: Schema.optionalKey(Filled),
  urlEnv: Schema.optionalKey(VariableName),
  ttl: Schema.optionalKey(PositiveDurationText),
  maxPending: Schema.optionalKey(AtLeastOne),
  concurrency: Schema.optionalKey(AtLeastOne),
  instance: Schema.optionalKey(EndpointName)
}).annotate({ expected: "fields such as store: sqlite" })

export const WebhooksFile = Schema.Struct({
  secretEnv: VariableName.pipe(
    Schema.annotateKey({
      messageMissingKey:
        "missing; webhooks are signed: write secretEnv: WEBHOOK_SECRET, the name of the variable that holds the secret"
    })
  ),
  allowPrivate: Schema.optionalKey(YesOrNo),
  maxAttempts: Schema.optionalKey(AtLeastOne)
}).annotate({ expected: "fields such as secretEnv: WEBHOOK_SECRET" })

export const ServerFile = Schema.Struct({
  host: Schema.optionalKey(Host),
  port: Schema.optionalKey(Port),
  maxBodySize: Schema.optionalKey(BodySize),
  grace: Schema.optionalKey(DurationText),
  requestLog: Schema.optionalKey(RequestLog),
  apiKeys: Schema.optionalKey(
    Schema.Array(ApiKeyFile).annotate({ expected: "a list of keys, each starting with a dash" })
  ),
  jobs: Schema.optionalKey(JobsFile),
  webhooks: Schema.optionalKey(WebhooksFile)
}).annotate({ expected: "fields such as port: 8080" })
export type ServerFile = typeof ServerFile.Type

/** The settings of the service that have a flag. */
export const ServerFlagSettings = Schema.Struct({
  host: Schema.optionalKey(Host),
  port: Schema.optionalKey(Port),
  grace: Schema.optionalKey(DurationText),
  requestLog: Schema.optionalKey(RequestLog)
})

export const ModelsFile = Schema.Record(
  EndpointName,
  Schema.Array(Filled)
    .annotate({ expected: "a list such as [east, some-model]" })
    .check(
      Schema.makeFilter(
        (targets: ReadonlyArray<string>) => targets.length > 0 || "must name an endpoint, or a model of one"
      )
    )
).annotate({ expected: "aliases such as fast: [east, some-model]" })
export type ModelsFile = typeof ModelsFile.Type

export const OtlpFile = Schema.Struct({
  url: urlField(`send it as a header from a variable, such as authorization: ${variableExample}`).pipe(
    Schema.annotateKey({ messageMissingKey: "missing; write url: http://127.0.0.1:4318" })
  ),
  headers: Schema.optionalKey(
    Schema.Record(Schema.String, TextField).annotate({ expected: "fields such as x-team: search" })
  )
}).annotate({ expected: "fields such as url: http://127.0.0.1:4318" })

export const TelemetryFile = Schema.Struct({
  otlp: Schema.optionalKey(OtlpFile),
  serviceName: Schema.optionalKey(EndpointName),
  sampleRatio: Schema.optionalKey(
    NumberField.check(Schema.makeFilter((n: number) => (n >= 0 && n <= 1) || `must be from 0 to 1, got ${n}`))
  )
}).annotate({ expected: "fields such as serviceName: genai-dispatcher" })
export type TelemetryFile = typeof TelemetryFile.Type
