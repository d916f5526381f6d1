/**
 * Sends traces and logs to an OpenTelemetry collector. Loaded only when there is one.
 *
 * A collector that is slow or down costs spans and log records, never requests: each export ends within a time, and while
 * they pile up or fail no new request is traced.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import type * as Logger from "effect/Logger"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpLogger from "effect/observability/OtlpLogger"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Tracer } from "effect/Tracer"
import type { TelemetryConfig } from "../../domain/config/ServerConfig.ts"
import { SteadyTime } from "../../domain/SteadyTime.ts"

/** An export is given up after so long. */
const EXPORT_MS = 10_000

/** With so many exports under way the collector does not keep up. */
const MOST_EXPORTS = 3

/** After a failed export nothing is traced for so long: it would only be thrown away. */
const REST_MS = 5_000

/** Spans or log records in one export. */
const BATCH = 512

/** How long the end of the process may wait for the last exports. */
const LAST_MS = 3_000

export interface TraceExport {
  readonly tracer: Tracer
  /** Whether spans that begin now have a chance to be exported. */
  readonly isReady: () => boolean
}

type Configured = TelemetryConfig & { readonly otlpUrl: URL }

/** A tracer whose spans are exported until the scope closes, the last of them then. */
export const makeTraces = Effect.fnUntraced(function* (
  config: Configured
): Effect.fn.Return<TraceExport, never, Scope.Scope> {
  const line = new Line("traces", config.otlpUrl.host, yield* Clock.Clock)
  const tracer = yield* Effect.provide(OtlpTracer.make(optionsOf(config, "v1/traces")), line.layer)
  return { tracer, isReady: () => line.isReady }
})

/** A logger whose records are exported until the scope closes, the last of them then. */
export const makeLogger = Effect.fnUntraced(function* (
  config: Configured
): Effect.fn.Return<Logger.Logger<unknown, void>, never, Scope.Scope> {
  const line = new Line("logs", config.otlpUrl.host, yield* Clock.Clock)
  return yield* Effect.provide(OtlpLogger.make(optionsOf(config, "v1/logs")), line.layer)
})

const optionsOf = (config: Configured, path: string) => {
  const base = config.otlpUrl.href.endsWith("/") ? config.otlpUrl.href : `${config.otlpUrl.href}/`
  return {
    url: new URL(path, base).href,
    headers: Object.entries(config.otlpHeaders).map(([name, value]) => [name, Redacted.value(value)] as const),
    resource: { serviceName: config.serviceName },
    maxBatchSize: BATCH,
    shutdownTimeout: Duration.millis(LAST_MS)
  }
}

/** The way to the collector: knows how it is doing, and says when that changes. */
class Line {
  private readonly what: string
  private readonly host: string
  private readonly time: SteadyTime
  private exports = 0
  private failedAtMs = Number.NEGATIVE_INFINITY
  private isFailing = false

  constructor(what: string, host: string, clock: Clock.Clock) {
    this.what = what
    this.host = host
    this.time = new SteadyTime(clock)
  }

  get isReady(): boolean {
    return this.exports < MOST_EXPORTS && this.time.now() >= this.failedAtMs + REST_MS
  }

  get layer(): Layer.Layer<HttpClient.HttpClient | OtlpExporter.Flusher | OtlpSerialization.OtlpSerialization> {
    const client = Layer.effect(
      HttpClient.HttpClient,
      Effect.map(
        HttpClient.HttpClient,
        HttpClient.transform((response, request) => this.watched(response, request))
      )
    )
    return Layer.mergeAll(
      Layer.provide(client, FetchHttpClient.layer),
      OtlpExporter.layerFlusher,
      OtlpSerialization.layerJson
    )
  }

  private watched<A extends { readonly status: number }, R>(
    response: Effect.Effect<A, HttpClientError.HttpClientError, R>,
    request: HttpClientRequest
  ): Effect.Effect<A, HttpClientError.HttpClientError, R> {
    const late = () => {
      const description = `no answer within ${EXPORT_MS / 1_000} s`
      const reason = new HttpClientError.TransportError({ request, description })
      return Effect.fail(new HttpClientError.HttpClientError({ reason }))
    }
    return Effect.suspend(() => {
      this.exports++
      return response.pipe(
        Effect.timeoutOrElse({ duration: EXPORT_MS, orElse: late }),
        Effect.tap(({ status }) => (status < 300 ? this.worked : this.failed(`it answered with status ${status}`))),
        Effect.tapError((error) => this.failed(causeOf(error))),
        Effect.ensuring(
          Effect.sync(() => {
            this.exports--
          })
        )
      )
    })
  }

  private readonly worked: Effect.Effect<void> = Effect.suspend(() => {
    if (!this.isFailing) return Effect.void
    this.isFailing = false
    return Effect.logInfo(`The collector at ${this.host} takes ${this.what} again.`)
  })

  private failed(why: string): Effect.Effect<void> {
    this.failedAtMs = this.time.now()
    if (this.isFailing) return Effect.void
    this.isFailing = true
    return Effect.logWarning(
      `The collector at ${this.host} takes no ${this.what}: ${why}. Requests go on; some ${this.what} are lost.`
    )
  }
}

/** The system's word for it where there is one (`ECONNREFUSED`); the URL, which may hold a secret, is not told. */
const causeOf = (error: HttpClientError.HttpClientError): string => {
  const { reason } = error
  if (reason._tag !== "TransportError") return reason._tag
  for (let cause: unknown = reason.cause; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code
  }
  return reason.description ?? "the connection failed"
}
