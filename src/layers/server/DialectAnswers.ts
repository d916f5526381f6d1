/** Answers the requests of the dialects that may be sent, whole or as a stream. */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import type { AnswerContext, ClientRequest, Dialect, StreamWriter } from "../../domain/dialects/Dialect.ts"
import type { ChatEvent } from "../../domain/genai/ChatEvent.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import type { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { draining, type Problem, wordOf } from "../../domain/server/Problem.ts"
import { noteAnswer, noteEvents, noteFailure } from "../../domain/server/RequestRecord.ts"
import type { GenAiClient, GenerateOptions } from "../../services/GenAiClient.ts"
import type { ServerTelemetry } from "../../services/ServerTelemetry.ts"
import { internal } from "./CommonProblems.ts"
import type { DefectGuard } from "./DefectGuard.ts"
import { causeOf } from "./Defects.ts"
import type { Exchange } from "./Exchange.ts"
import type { Overload } from "./Overload.ts"

export interface DialectAnswersOptions {
  readonly client: GenAiClient["Service"]
  readonly context: Context.Context<never>
  readonly guard: DefectGuard
  readonly models: ModelRoutes
  readonly overload: Overload
  readonly telemetry: ServerTelemetry["Service"]
}

/** A request that may be sent. */
export interface Accepted {
  readonly exchange: Exchange
  readonly dialect: Dialect
  readonly asked: ClientRequest
  readonly request: GenAiRequest
  readonly options: GenerateOptions & { readonly exclude: ReadonlySet<string> }
}

export class DialectAnswers {
  private readonly options: DialectAnswersOptions
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => ReturnType<typeof Effect.runFork<A, E>>

  constructor(options: DialectAnswersOptions) {
    this.options = options
    this.fork = Effect.runForkWith(options.context)
  }

  /** Sends the request and answers its client, in a fiber that ends with the exchange. */
  begin(accepted: Accepted): void {
    if (accepted.asked.isStreamed) this.stream(accepted)
    else this.generate(accepted)
  }

  private generate(accepted: Accepted): void {
    const { client, guard, telemetry } = this.options
    const { dialect, exchange, options, request } = accepted
    const work = telemetry.traced(exchange.record, client.generate(request, options))
    const fiber = this.fork(Effect.catch(work, (error) => this.fail(accepted, error)))
    exchange.worksIn(fiber)
    fiber.addObserver((exit) =>
      guard.run(exchange, dialect.problem, () => {
        if (Exit.isFailure(exit)) this.broken(accepted, exit.cause)
        else if (exit.value !== undefined) this.answer(accepted, exit.value)
      })
    )
  }

  private answer(accepted: Accepted, answer: GenAiAnswer): void {
    const { dialect, exchange } = accepted
    noteAnswer(exchange.record, answer)
    const family = this.options.models.byEndpoint.get(answer.endpoint)
    exchange.reply(dialect.answer(answer, family, contextOf(accepted)), origin(exchange))
  }

  private stream(accepted: Accepted): void {
    const { client, guard, telemetry } = this.options
    const { dialect, exchange, options, request } = accepted
    const writer = dialect.stream(contextOf(accepted))
    const passed = Stream.runForEachArray(client.stream(request, options), (events) =>
      this.pass(accepted, writer, events)
    )
    const work = telemetry.traced(exchange.record, passed)
    const fiber = this.fork(Effect.catch(work, (error) => this.fail(accepted, error, writer)))
    exchange.worksIn(fiber)
    fiber.addObserver((exit) => {
      if (Exit.isSuccess(exit)) return
      guard.run(exchange, dialect.problem, () => this.broken(accepted, exit.cause, writer))
    })
  }

  /** Events that came together go out together; the next ones are read when the client has room for them. */
  private pass(
    { dialect, exchange }: Accepted,
    writer: StreamWriter,
    events: ReadonlyArray<ChatEvent>
  ): Effect.Effect<void> {
    const isLast = noteEvents(exchange.record, events)
    const text = writer.write(events)
    if (text !== "" && !exchange.hasBegun) exchange.begin(dialect.streamHeaders, origin(exchange))
    if (!isLast) return exchange.write(text)
    exchange.end(text)
    return Effect.void
  }

  /** There is no answer, or no more of it. */
  private fail({ dialect, exchange, options }: Accepted, error: GenAiError, writer?: StreamWriter) {
    return Effect.map(this.options.overload.problemOf(error, options.exclude), (problem): undefined => {
      noteFailure(exchange.record, error)
      say(exchange, dialect, problem, writer)
    })
  }

  /** A defect, or an interruption: of a client that has gone there is nobody to tell. */
  private broken({ dialect, exchange }: Accepted, cause: Cause.Cause<never>, writer?: StreamWriter): void {
    const what = causeOf(cause)
    const isInterrupted = what._tag === "Interrupted"
    say(exchange, dialect, isInterrupted ? draining : internal(exchange.record.id), writer)
    if (what._tag === "Defect") this.options.guard.log(exchange, what.where)
  }
}

const contextOf = ({ asked, exchange: { record } }: Accepted): AnswerContext => ({
  model: asked.model,
  id: record.id,
  nowMs: record.startedAtMs,
  wantsUsage: asked.wantsUsage
})

const say = (exchange: Exchange, dialect: Dialect, problem: Problem, writer: StreamWriter | undefined): void => {
  if (exchange.isSettled) return
  exchange.record.problem = wordOf(problem)
  if (writer !== undefined && exchange.hasBegun) exchange.end(writer.fail(problem))
  else exchange.reply(dialect.problem(problem), origin(exchange))
}

/** Where an answer comes from, for those who look for the reason of what they see. */
const origin = ({ record }: Exchange): ReadonlyArray<string> =>
  record.endpoint === undefined ? [] : ["x-endpoint", inHeader(record.endpoint), "x-attempts", String(record.attempts)]

/** Headers are printable ASCII (RFC 9110, 5.5); everything else in a name is percent-encoded. */
const inHeader = (name: string): string =>
  PRINTABLE.test(name) ? name : name.toWellFormed().replace(/[^\x20-\x7e]+/g, encodeURIComponent)

const PRINTABLE = /^[\x20-\x7e]*$/
