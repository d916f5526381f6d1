/** Answers the requests of the dialects: the service's hot path. */

import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { AnswerContext, ClientRequest, Dialect, Route, StreamWriter } from "../../domain/dialects/Dialect.ts"
import type { ChatEvent } from "../../domain/genai/ChatEvent.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import type { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import type { Problem } from "../../domain/server/Problem.ts"
import { MAX_SESSION_LENGTH, sessionIn, sessionOf, tooLong } from "../../domain/server/Session.ts"
import type { GenAiClient, GenerateOptions } from "../../services/GenAiClient.ts"
import type { ServerTelemetry } from "../../services/ServerTelemetry.ts"
import { type Auth, type Caller, forbids } from "./Auth.ts"
import { draining, internal } from "./CommonProblems.ts"
import { causeOf, whereOf } from "./Defects.ts"
import type { Exchange } from "./Exchange.ts"
import type { Overload } from "./Overload.ts"
import { deadlineOf, placeOf, unknownModel } from "./Placing.ts"
import { parseBody, readBody, refusesBody } from "./RequestBody.ts"

export interface DialectHandlerOptions {
  readonly auth: Auth
  readonly client: GenAiClient["Service"]
  readonly clock: Clock.Clock
  readonly context: Context.Context<never>
  readonly maxBodyBytes: number
  /** The longest time that a request may ask for. */
  readonly maxDeadlineMs: number
  readonly models: ModelRoutes
  readonly overload: Overload
  readonly telemetry: ServerTelemetry["Service"]
  readonly state: { readonly isDraining: boolean }
}

type Generate = Extract<Route, { readonly _tag: "Generate" }>

/** A request that may be sent. */
interface Accepted {
  readonly exchange: Exchange
  readonly dialect: Dialect
  readonly asked: ClientRequest
  readonly request: GenAiRequest
  readonly options: GenerateOptions & { readonly exclude: ReadonlySet<string> }
}

export class DialectHandler {
  private readonly options: DialectHandlerOptions
  private readonly names: ReadonlySet<string>
  private readonly fork: <A, E>(effect: Effect.Effect<A, E>) => ReturnType<typeof Effect.runFork<A, E>>

  constructor(options: DialectHandlerOptions) {
    this.options = options
    this.names = new Set(options.models.names)
    this.fork = Effect.runForkWith(options.context)
  }

  /** Answers a request whose head has come; `beforeBody` is called when its body is wanted. */
  handle(exchange: Exchange, dialect: Dialect, route: Route, search: string, beforeBody?: () => void): void {
    const { auth, state } = this.options
    const { headers } = exchange.request
    const credential = dialect.credential(headers as Readonly<Record<string, string | undefined>>, search)
    if (route._tag !== "Generate") {
      const caller = this.known(exchange, auth.identify(credential))
      if (Result.isFailure(caller)) this.refuse(exchange, dialect, caller.failure)
      else exchange.reply(this.listing(dialect, route, caller.success))
    } else if (state.isDraining) this.refuse(exchange, dialect, draining)
    else {
      auth.admitted(credential, (caller) =>
        this.guarded(exchange, dialect, () => this.receive(exchange, dialect, route, caller, beforeBody))
      )
    }
  }

  /** Reads the body of a request that its caller may make, and answers it. */
  private receive(
    exchange: Exchange,
    dialect: Dialect,
    route: Generate,
    admitted: Result.Result<Caller, Problem>,
    beforeBody: (() => void) | undefined
  ): void {
    const { maxBodyBytes } = this.options
    const caller = Result.flatMap(this.known(exchange, admitted), (caller) => {
      const refused = refusesBody(exchange.request, maxBodyBytes)
      return refused === undefined ? Result.succeed(caller) : Result.fail(refused)
    })
    if (Result.isFailure(caller)) {
      this.refuse(exchange, dialect, caller.failure)
      return
    }
    beforeBody?.()
    readBody(exchange.request, maxBodyBytes, (body) =>
      this.guarded(exchange, dialect, () => {
        const accepted = Result.flatMap(body, (bytes) => this.accept(exchange, dialect, route, caller.success, bytes))
        if (Result.isFailure(accepted)) this.refuse(exchange, dialect, accepted.failure)
        else if (accepted.success.asked.isStreamed) this.stream(accepted.success)
        else this.generate(accepted.success)
      })
    )
  }

  /** What is called back later has nobody above it: what it throws would end the process. */
  private guarded(exchange: Exchange, dialect: Dialect, work: () => void): void {
    try {
      work()
    } catch (defect) {
      this.log(exchange, whereOf(defect))
      this.lost(exchange, dialect)
    }
  }

  /** Says that the service failed, or, when that cannot be said, breaks the connection. */
  private lost(exchange: Exchange, dialect: Dialect): void {
    try {
      const problem = internal(exchange.record.id)
      exchange.record.problem = problem.kind
      if (exchange.hasBegun) exchange.request.socket.destroy()
      else exchange.fail(dialect.problem(problem))
    } catch (defect) {
      this.log(exchange, whereOf(defect))
      exchange.request.socket.destroy()
    }
  }

  private log(exchange: Exchange, where: string): void {
    this.fork(Effect.logError(`A request failed by a defect (x-request-id ${exchange.record.id}): ${where}`))
  }

  private known(exchange: Exchange, caller: Result.Result<Caller, Problem>): Result.Result<Caller, Problem> {
    if (Result.isSuccess(caller) && caller.success.name !== "") exchange.record.key = caller.success.name
    return caller
  }

  private refuse(exchange: Exchange, dialect: Dialect, problem: Problem): void {
    exchange.record.problem = problem.code ?? problem.kind
    exchange.refuse(dialect.problem(problem), this.options.maxBodyBytes)
  }

  private accept(
    exchange: Exchange,
    dialect: Dialect,
    route: Generate,
    caller: Caller,
    body: Buffer
  ): Result.Result<Accepted, Problem> {
    const parsed = parseBody(body)
    if (Result.isFailure(parsed)) return Result.fail(parsed.failure)
    const decoded = dialect.decode(route, parsed.success)
    if (Result.isFailure(decoded)) return Result.fail(decoded.failure)
    const asked = decoded.success
    const place = placeOf(this.options.models, dialect, asked, caller)
    if (Result.isFailure(place)) return Result.fail(place.failure)
    const { headers } = exchange.request
    const deadline = deadlineOf(headers["x-deadline-ms"], this.options.maxDeadlineMs)
    if (Result.isFailure(deadline)) return Result.fail(deadline.failure)
    const { record } = exchange
    if (this.names.has(asked.model)) record.model = asked.model
    record.isStreamed = asked.isStreamed
    const { exclude, keepsModel } = place.success
    const session = sessionIn(headers["x-session-id"])
    if ((session?.length ?? 0) > MAX_SESSION_LENGTH) return Result.fail(tooLong)
    return Result.succeed({
      exchange,
      dialect,
      asked,
      request: keepsModel ? { ...asked.request, model: asked.model } : asked.request,
      options: {
        exclude,
        onFull: "fail",
        session: sessionOf(caller.name, session),
        deadline: deadline.success,
        onSend: (endpoint) => {
          record.endpoint = endpoint
          record.attempts += 1
        }
      }
    })
  }

  private listing(dialect: Dialect, route: Exclude<Route, Generate>, caller: Caller) {
    const { models } = this.options
    if (route._tag === "ListModels") {
      const allowed = models.names.filter((name) => forbids(caller, name) === undefined)
      return dialect.models(allowed.map((name) => ({ name })))
    }
    const isThere = this.names.has(route.model) && forbids(caller, route.model) === undefined
    return isThere ? dialect.model({ name: route.model }) : dialect.problem(unknownModel(models, route.model, caller))
  }

  private generate(accepted: Accepted): void {
    const { client, telemetry } = this.options
    const { exchange, options, request } = accepted
    const work = telemetry.traced(exchange.record, client.generate(request, options))
    const fiber = this.fork(Effect.catch(work, (error) => this.fail(accepted, error)))
    exchange.worksIn(fiber)
    fiber.addObserver((exit) =>
      this.guarded(exchange, accepted.dialect, () => {
        if (Exit.isFailure(exit)) this.broken(accepted, exit.cause)
        else if (exit.value !== undefined) this.answer(accepted, exit.value)
      })
    )
  }

  private answer(accepted: Accepted, answer: GenAiAnswer): void {
    const { dialect, exchange } = accepted
    const { record } = exchange
    record.endpoint = answer.endpoint
    record.attempts = answer.attempts
    record.responseModel = answer.model
    record.finishReason = answer.finishReason
    record.inputTokens = answer.usage?.inputTokens
    record.outputTokens = answer.usage?.outputTokens
    const family = this.options.models.byEndpoint.get(answer.endpoint)
    exchange.reply(dialect.answer(answer, family, this.answerContext(accepted)), origin(exchange))
  }

  private stream(accepted: Accepted): void {
    const { client, telemetry } = this.options
    const { dialect, exchange, options, request } = accepted
    const writer = dialect.stream(this.answerContext(accepted))
    const passed = Stream.runForEachArray(client.stream(request, options), (events) =>
      this.pass(accepted, writer, events)
    )
    const work = telemetry.traced(exchange.record, passed)
    const fiber = this.fork(Effect.catch(work, (error) => this.fail(accepted, error, writer)))
    exchange.worksIn(fiber)
    fiber.addObserver((exit) => {
      if (Exit.isFailure(exit)) this.guarded(exchange, dialect, () => this.broken(accepted, exit.cause, writer))
    })
  }

  /** Events that came together go out together; the next ones are read when the client has room for them. */
  private pass(
    { dialect, exchange }: Accepted,
    writer: StreamWriter,
    events: ReadonlyArray<ChatEvent>
  ): Effect.Effect<void> {
    const isLast = note(exchange, events)
    const text = writer.write(events)
    if (text !== "" && !exchange.hasBegun) exchange.begin(dialect.streamHeaders, origin(exchange))
    if (!isLast) return exchange.write(text)
    exchange.end(text)
    return Effect.void
  }

  /** There is no answer, or no more of it. */
  private fail({ dialect, exchange, options }: Accepted, error: GenAiError, writer?: StreamWriter) {
    return Effect.map(this.options.overload.problemOf(error, options.exclude), (problem): undefined => {
      exchange.record.attempts = error.attempts
      if (error.endpoint !== undefined) exchange.record.endpoint = error.endpoint
      this.say(exchange, dialect, problem, writer)
    })
  }

  /** A defect, or an interruption: of a client that has gone there is nobody to tell. */
  private broken({ dialect, exchange }: Accepted, cause: Cause.Cause<never>, writer?: StreamWriter): void {
    const what = causeOf(cause)
    const isInterrupted = what._tag === "Interrupted"
    this.say(exchange, dialect, isInterrupted ? draining : internal(exchange.record.id), writer)
    if (what._tag === "Defect") this.log(exchange, what.where)
  }

  private say(exchange: Exchange, dialect: Dialect, problem: Problem, writer: StreamWriter | undefined): void {
    if (exchange.isSettled) return
    exchange.record.problem = problem.code ?? problem.kind
    if (writer !== undefined && exchange.hasBegun) exchange.end(writer.fail(problem))
    else exchange.reply(dialect.problem(problem), origin(exchange))
  }

  private answerContext({ asked, exchange }: Accepted): AnswerContext {
    return {
      model: asked.model,
      id: exchange.record.id,
      nowMs: exchange.record.startedAtMs,
      wantsUsage: asked.wantsUsage
    }
  }
}

/** Where an answer comes from, for those who look for the reason of what they see. */
const origin = ({ record }: Exchange): ReadonlyArray<string> =>
  record.endpoint === undefined ? [] : ["x-endpoint", inHeader(record.endpoint), "x-attempts", String(record.attempts)]

/** Headers are printable ASCII (RFC 9110, 5.5); everything else in a name is percent-encoded. */
const inHeader = (name: string): string =>
  PRINTABLE.test(name) ? name : name.toWellFormed().replace(/[^\x20-\x7e]+/g, encodeURIComponent)

const PRINTABLE = /^[\x20-\x7e]*$/

/** Takes down what the events tell. True when they hold the last. */
const note = ({ record }: Exchange, events: ReadonlyArray<ChatEvent>): boolean => {
  let isLast = false
  for (const event of events) {
    if (event._tag === "UsageReport") {
      record.inputTokens = event.usage.inputTokens
      record.outputTokens = event.usage.outputTokens
    } else if (event._tag === "Finish") {
      isLast = true
      record.finishReason = event.finishReason
      record.responseModel = event.model
    }
  }
  return isLast
}
