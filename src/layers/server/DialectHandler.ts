/** Takes in the requests of the dialects: who asks, for what, and whether it may be sent. The service's hot path. */
import * as Result from "effect/Result"
import type { Dialect, Reply, Route } from "../../domain/dialects/Dialect.ts"
import type { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { unknownModel } from "../../domain/server/PlaceRequest.ts"
import { draining, type Problem, wordOf } from "../../domain/server/Problem.ts"
import { noteSend } from "../../domain/server/RequestRecord.ts"
import { MAX_SESSION_LENGTH, sessionIn, sessionOf, tooLong } from "../../domain/server/Session.ts"
import { type Auth, type Caller, mayName } from "./Auth.ts"
import type { DefectGuard } from "./DefectGuard.ts"
import type { Accepted, DialectAnswers } from "./DialectAnswers.ts"
import type { Exchange } from "./Exchange.ts"
import { deadlineOf, placeOf } from "./Placing.ts"
import { readJson } from "./RequestBody.ts"

export interface DialectHandlerOptions {
  readonly answers: DialectAnswers
  readonly auth: Auth
  readonly guard: DefectGuard
  readonly maxBodyBytes: number
  /** The longest time that a request may ask for. */
  readonly maxDeadlineMs: number
  readonly models: ModelRoutes
  readonly state: { readonly isDraining: boolean }
}

type Generate = Extract<Route, { readonly _tag: "Generate" }>

export class DialectHandler {
  private readonly options: DialectHandlerOptions
  private readonly names: ReadonlySet<string>

  constructor(options: DialectHandlerOptions) {
    this.options = options
    this.names = new Set(options.models.names)
  }

  /** Answers a request whose head has come; `beforeBody` is called when its body is wanted. */
  handle(exchange: Exchange, dialect: Dialect, route: Route, search: string, beforeBody?: () => void): void {
    const { auth, guard, state } = this.options
    const { headers } = exchange.request
    const credential = dialect.credential(headers as Readonly<Record<string, string | undefined>>, search)
    if (route._tag !== "Generate") {
      const listed = Result.flatMap(this.known(exchange, auth.identify(credential)), (caller) =>
        this.listing(dialect, route, caller)
      )
      if (Result.isFailure(listed)) this.refuse(exchange, dialect, listed.failure)
      else exchange.reply(listed.success)
    } else if (state.isDraining) this.refuse(exchange, dialect, draining)
    else {
      // Until it is sent, all that waits is its client.
      exchange.worksIn({ interruptUnsafe: () => this.refuse(exchange, dialect, draining) })
      auth.admitted(credential, (caller) =>
        guard.run(exchange, dialect.problem, () => this.receive(exchange, dialect, route, caller, beforeBody))
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
    const { answers, guard, maxBodyBytes } = this.options
    const caller = this.known(exchange, admitted)
    if (Result.isFailure(caller)) {
      this.refuse(exchange, dialect, caller.failure)
      return
    }
    readJson(exchange.request, { maxBytes: maxBodyBytes, beforeBody }, (body) =>
      guard.run(exchange, dialect.problem, () => {
        if (exchange.isSettled) return
        const accepted = Result.flatMap(body, (value) => this.accept(exchange, dialect, route, caller.success, value))
        if (Result.isFailure(accepted)) this.refuse(exchange, dialect, accepted.failure)
        else answers.begin(accepted.success)
      })
    )
  }

  private known(exchange: Exchange, caller: Result.Result<Caller, Problem>): Result.Result<Caller, Problem> {
    if (Result.isSuccess(caller) && caller.success.name !== "") exchange.record.key = caller.success.name
    return caller
  }

  private refuse(exchange: Exchange, dialect: Dialect, problem: Problem): void {
    if (exchange.isSettled) return
    exchange.record.problem = wordOf(problem)
    exchange.refuse(dialect.problem(problem), this.options.maxBodyBytes)
  }

  private accept(
    exchange: Exchange,
    dialect: Dialect,
    route: Generate,
    caller: Caller,
    body: unknown
  ): Result.Result<Accepted, Problem> {
    const decoded = dialect.decode(route, body)
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
        onSend: (endpoint) => noteSend(record, endpoint)
      }
    })
  }

  private listing(dialect: Dialect, route: Exclude<Route, Generate>, caller: Caller): Result.Result<Reply, Problem> {
    const { models } = this.options
    if (route._tag === "ListModels") {
      const allowed = models.names.filter((name) => mayName(caller, name))
      return Result.succeed(dialect.models(allowed.map((name) => ({ name }))))
    }
    const isThere = this.names.has(route.model) && mayName(caller, route.model)
    return isThere
      ? Result.succeed(dialect.model({ name: route.model }))
      : Result.fail(unknownModel(models, route.model, (name) => mayName(caller, name)))
  }
}
