/** `ServerTelemetry`: Prometheus metrics, a line per request, and traces where there is a collector. */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { ServerConfig, TelemetryConfig } from "../../domain/config/ServerConfig.ts"
import { countsOf } from "../../domain/genai/MergeStats.ts"
import { writeEndpoints } from "../../domain/telemetry/EndpointMetrics.ts"
import * as ProcessFigures from "../../domain/telemetry/ProcessFigures.ts"
import { PrometheusText, type Sample } from "../../domain/telemetry/PrometheusText.ts"
import { RequestCounts } from "../../domain/telemetry/RequestCounts.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import { Jobs } from "../../services/Jobs.ts"
import { ServerTelemetry } from "../../services/ServerTelemetry.ts"
import * as ProcessMetrics from "./ProcessMetrics.ts"
import * as RequestLog from "./RequestLog.ts"
import { RequestTracer } from "./RequestTracer.ts"

/** What is written of requests, and where to. */
export interface TelemetryOptions {
  readonly config: TelemetryConfig
  readonly requestLog: ServerConfig["requestLog"]
  /** Where the lines of the requests go: an open file. Default: 2, standard error. */
  readonly requestLogFd?: number | undefined
  /** The other processes of the service, when there are any. */
  readonly peers?: TelemetryPeers | undefined
}

/** What the processes of a service know of each other. */
export interface TelemetryPeers {
  /** The name of this process, for what is told of each process by itself. */
  readonly process: string
  /** Takes what tells the figures of this process; those "since the last scrape" begin anew when this is one. */
  readonly publish: (own: (isScrape: boolean) => Effect.Effect<ProcessFigures.ProcessFigures>) => void
  /** The figures of all processes, for a scrape. */
  readonly scrape: Effect.Effect<ReadonlyArray<ProcessFigures.ProcessFigures>>
}

/** Counts, logs and traces requests as long as the scope. Jobs are counted when the service `Jobs` is there. */
export const make = Effect.fnUntraced(function* (
  options: TelemetryOptions
): Effect.fn.Return<ServerTelemetry["Service"], never, GenAiClient | Scope.Scope> {
  const client = yield* GenAiClient
  const jobs = Option.getOrUndefined(yield* Effect.serviceOption(Jobs))
  const log = yield* RequestLog.make({
    format: options.requestLog,
    fd: options.requestLogFd,
    isShared: options.peers !== undefined
  })
  const process = yield* ProcessMetrics.make(options.peers === undefined ? {} : { process: options.peers.process })
  const tracer = yield* makeTracer(options.config)
  const counts = new RequestCounts()

  const own = Effect.fnUntraced(function* (isScrape: boolean) {
    const text = new PrometheusText()
    counts.write(text)
    text.counter("genai_dispatcher_request_log_dropped_total", "Lines of requests that could not be written.", [
      [{}, log.dropped()]
    ])
    yield* process.write(text, isScrape)
    return { inflight: counts.inFlight, endpoints: (yield* client.stats).map(countsOf), families: text.families }
  })
  options.peers?.publish(own)
  const scrape = options.peers?.scrape ?? Effect.map(own(true), Arr.of)

  const prometheus = Effect.gen(function* () {
    const text = new PrometheusText()
    const figures = yield* scrape
    for (const family of ProcessFigures.familiesOf(figures)) text.add(family)
    writeEndpoints(text, ProcessFigures.endpointsOf(figures))
    if (jobs !== undefined) yield* writeJobs(text, jobs)
    return text.toString()
  })

  return ServerTelemetry.of({
    begun: (record) => counts.begun(record),
    ended: (record) => {
      counts.ended(record)
      log.write(record)
      tracer?.ended(record)
    },
    traced: (record, work) => (tracer === undefined ? work : tracer.traced(record, work)),
    prometheus
  })
})

/** `make` as a layer. */
export const layer = (options: TelemetryOptions): Layer.Layer<ServerTelemetry, never, GenAiClient> =>
  Layer.effect(ServerTelemetry, make(options))

/** Sends what is logged to the collector too, if there is one: for everything that is built or run with this layer. */
export const layerLogger = (config: TelemetryConfig): Layer.Layer<never> => {
  const { otlpUrl } = config
  if (otlpUrl === undefined) return Layer.empty
  const logger = Effect.flatMap(loadExport, ({ makeLogger }) => makeLogger({ ...config, otlpUrl }))
  return Logger.layer([logger], { mergeWithExisting: true })
}

/** Only for those who export: it brings an HTTP client along. */
const loadExport = Effect.promise(() => import("./OtlpExport.ts"))

const makeTracer = Effect.fnUntraced(function* (config: TelemetryConfig) {
  const { otlpUrl, sampleRatio } = config
  if (otlpUrl === undefined || sampleRatio === 0) return undefined
  const { makeTraces } = yield* loadExport
  const traces = yield* makeTraces({ ...config, otlpUrl })
  return new RequestTracer({ traces, sampleRatio, clock: yield* Clock.Clock, random: yield* Random.Random })
})

/** The rest must be told also when the store is not there. */
const writeJobs = (text: PrometheusText, jobs: Jobs["Service"]): Effect.Effect<void> =>
  Effect.gen(function* () {
    const counts = yield* Effect.option(jobs.counts)
    if (Option.isSome(counts)) {
      text.gauge(
        "genai_dispatcher_jobs",
        "Jobs in the store, by status.",
        Object.entries(counts.value).map(([status, count]): Sample => [{ status }, count])
      )
    }
    // A full disk can be counted on, but nothing can be kept there.
    const isUp = Option.isSome(counts) && (yield* jobs.isUsable)
    text.gauge("genai_dispatcher_jobs_store_up", "Whether jobs can be kept and taken up.", [[{}, isUp ? 1 : 0]])
  })
