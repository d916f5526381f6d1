/**
 * Attempts as spans of their own, for callers that are traced: one of kind `client` for each send, with the attributes
 * that OpenTelemetry has for calls of models. Without a trace of the caller nothing of this happens.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { AnySpan, Span, Tracer } from "effect/Tracer"
import type { GenAiErrorReason } from "../../domain/genai/GenAiError.ts"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import * as GenAiAttributes from "../../domain/telemetry/GenAiAttributes.ts"
import type { Call } from "./Attempt.ts"

/** Where the spans of a call's attempts belong. */
export interface AttemptTrace {
  readonly tracer: Tracer
  readonly parent: AnySpan
  readonly clock: Clock.Clock
}

/** The trace that the caller is in; `undefined` when there is none, or when it is not to be recorded. */
export const traceOf = (
  { cache }: Pick<Fiber.Fiber<unknown, unknown>, "cache">,
  clock: Clock.Clock
): AttemptTrace | undefined => {
  const { span, tracer, tracerEnabled } = cache
  if (span === undefined || tracer === undefined || !tracerEnabled || !span.sampled) return undefined
  return { tracer, parent: span, clock }
}

/** What a span tells of its endpoint. */
export interface SpannedEndpoint {
  readonly name: string
  readonly kind: string
}

export const beginSpan = (
  trace: AttemptTrace,
  call: Call,
  endpoint: SpannedEndpoint,
  origin: string,
  defaultModel: string | undefined
): AttemptSpan => {
  const model = call.request.model ?? defaultModel
  const span = trace.tracer.span({
    name: GenAiAttributes.spanName(model),
    parent: Option.some(trace.parent),
    annotations: Context.empty(),
    links: [],
    startTime: trace.clock.currentTimeNanosUnsafe(),
    kind: "client",
    root: false,
    sampled: true
  })
  GenAiAttributes.forRequest((key, value) => span.attribute(key, value), { kind: endpoint.kind, model, origin })
  span.attribute("genai_dispatcher.endpoint", endpoint.name)
  span.attribute("genai_dispatcher.attempt", call.attempts)
  return new AttemptSpan(span, trace.clock)
}

/** Ends once, with the attempt. */
export class AttemptSpan {
  private readonly span: Span
  private readonly clock: Clock.Clock

  constructor(span: Span, clock: Clock.Clock) {
    this.span = span
    this.clock = clock
  }

  succeeded(
    usage: Usage | undefined,
    answer: { readonly model: string | undefined; readonly finishReason: string | undefined } | undefined
  ): void {
    GenAiAttributes.forAnswer((key, value) => this.span.attribute(key, value), {
      model: answer?.model,
      finishReason: answer?.finishReason,
      inputTokens: usage?.inputTokens,
      outputTokens: usage?.outputTokens
    })
    this.end(Exit.void)
  }

  /** The provider's words stay out: they may repeat the prompt. */
  failed(reason: GenAiErrorReason): void {
    this.span.attribute("error.type", reason._tag)
    if ("status" in reason) this.span.attribute("http.response.status_code", reason.status)
    this.end(Exit.fail(reason._tag))
  }

  aborted(): void {
    this.end(Exit.interrupt())
  }

  private end(exit: Exit.Exit<unknown, unknown>): void {
    this.span.end(this.clock.currentTimeNanosUnsafe(), exit)
  }
}
