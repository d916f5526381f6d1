/** The requests to the service as spans: one of kind `server` each, from the request's head to the answer's last byte. */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Random from "effect/Random"
import * as Tracer from "effect/Tracer"
import type { RequestRecord } from "../../domain/server/RequestRecord.ts"
import * as GenAiAttributes from "../../domain/telemetry/GenAiAttributes.ts"
import * as TraceContext from "../../domain/telemetry/TraceContext.ts"
import type { TraceExport } from "./OtlpExport.ts"

export interface RequestTracerOptions {
  readonly traces: TraceExport
  /** The share of requests that are traced; callers that are in a trace decide for themselves. */
  readonly sampleRatio: number
  readonly clock: Clock.Clock
  readonly random: (typeof Random.Random)["Service"]
}

export class RequestTracer {
  private readonly options: RequestTracerOptions
  /** Of the requests under way that are traced. */
  private readonly spans = new WeakMap<RequestRecord, Tracer.Span>()

  constructor(options: RequestTracerOptions) {
    this.options = options
  }

  /** Runs the work within the span of the request, which begins with the first work of the request. */
  traced<A, E>(record: RequestRecord, work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const span = this.spans.get(record) ?? this.begin(record)
      if (span === undefined) return work
      const context = Context.add(Context.make(Tracer.ParentSpan, span), Tracer.Tracer, this.options.traces.tracer)
      return Effect.provideContext(work, context)
    })
  }

  /** The record is whole. */
  ended(record: RequestRecord): void {
    const span = this.spans.get(record)
    if (span === undefined) return
    this.spans.delete(record)
    describe(span, record)
    span.end(this.options.clock.currentTimeNanosUnsafe(), exitOf(record))
  }

  private begin(record: RequestRecord): Tracer.Span | undefined {
    const caller = TraceContext.parse(record.traceparent)
    if (!this.isSampled(caller)) return undefined
    const parent =
      caller && Tracer.externalSpan({ traceId: caller.traceId, spanId: caller.spanId, sampled: caller.isSampled })
    const span = this.options.traces.tracer.span({
      name: `${record.method} ${record.route}`,
      parent: Option.fromNullishOr(parent),
      annotations: Context.empty(),
      links: [],
      startTime: BigInt(Math.round(record.startedAtMs)) * 1_000_000n,
      kind: "server",
      root: parent === undefined,
      sampled: true
    })
    this.spans.set(record, span)
    return span
  }

  private isSampled(caller: TraceContext.TraceContext | undefined): boolean {
    const { random, sampleRatio, traces } = this.options
    if (!traces.isReady()) return false
    return caller === undefined ? random.nextDoubleUnsafe() < sampleRatio : caller.isSampled
  }
}

/**
 * The calls of models are the spans of the attempts. This one has no `gen_ai.operation.name`, so that nobody counts it for
 * one more.
 */
const describe = (span: Tracer.Span, record: RequestRecord): void => {
  span.attribute("http.request.method", record.method)
  span.attribute("http.response.status_code", record.status)
  span.attribute("genai_dispatcher.route", record.route)
  span.attribute("genai_dispatcher.request_id", record.id)
  span.attribute("genai_dispatcher.attempts", record.attempts)
  if (record.key !== undefined) span.attribute("genai_dispatcher.key", record.key)
  if (record.endpoint !== undefined) span.attribute("genai_dispatcher.endpoint", record.endpoint)
  if (record.model !== undefined) span.attribute("gen_ai.request.model", record.model)
  if (record.problem !== undefined) span.attribute("error.type", record.problem)
  GenAiAttributes.forAnswer((key, value) => span.attribute(key, value), {
    model: record.responseModel,
    finishReason: record.finishReason,
    inputTokens: record.inputTokens,
    outputTokens: record.outputTokens
  })
}

/** What a client did wrong is no failure of the service. */
const exitOf = ({ isAborted, problem, status }: RequestRecord): Exit.Exit<void, string> => {
  if (isAborted) return Exit.interrupt()
  return status >= 500 || (status < 400 && problem !== undefined) ? Exit.fail(problem ?? String(status)) : Exit.void
}
