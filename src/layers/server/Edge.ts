/** Where every request comes in: finds out whose it is, and keeps its record. */
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type * as Clock from "effect/Clock"
import type { Dialect, Reply, Route } from "../../domain/dialects/Dialect.ts"
import { dialects } from "../../domain/dialects/Dialects.ts"
import { isLoopback } from "../../domain/server/Loopback.ts"
import { Problem, wordOf } from "../../domain/server/Problem.ts"
import type { RequestRecord, RouteName } from "../../domain/server/RequestRecord.ts"
import type { ServerTelemetry } from "../../services/ServerTelemetry.ts"
import type { ApiHandler } from "./api/Handler.ts"
import { routeOf as apiRouteOf, unknownPath } from "./api/Routes.ts"
import { problemReply, wrongEscape, wrongHost, wrongMethod } from "./CommonProblems.ts"
import type { DefectGuard } from "./DefectGuard.ts"
import type { DialectHandler } from "./DialectHandler.ts"
import { Exchange, type ExchangeWatcher } from "./Exchange.ts"
import type { Exchanges } from "./Exchanges.ts"
import { MALFORMED, malformedReply } from "./Malformed.ts"
import { isDecodable, parseTarget } from "./RequestTarget.ts"
import type { ServiceState } from "./ServiceState.ts"

export interface EdgeOptions {
  readonly api: ApiHandler
  readonly clock: Clock.Clock
  readonly dialectHandler: DialectHandler
  readonly exchanges: Exchanges
  readonly guard: DefectGuard
  readonly maxBodyBytes: number
  /** Refuses requests of web pages from elsewhere: for a service that anybody on this machine may use, and nobody else. */
  readonly refusesPages: boolean
  readonly state: ServiceState
  readonly telemetry: ServerTelemetry["Service"]
  /** A connection may have nothing left to do. */
  readonly onIdle: () => void
}

/** A path of a dialect. */
interface Place {
  readonly dialect: Dialect
  readonly route: Route | "MethodNotAllowed"
}

export class Edge {
  private readonly options: EdgeOptions
  private readonly watcher: ExchangeWatcher

  constructor(options: EdgeOptions) {
    this.options = options
    const { exchanges, state, telemetry } = options
    this.watcher = {
      get isDraining() {
        return state.isDraining
      },
      onEnd: (exchange) => {
        exchanges.remove(exchange)
        telemetry.ended(exchange.record)
        if (state.isDraining) options.onIdle()
      }
    }
  }

  /** Answers a request whose head has come; `beforeBody` is called when its body is wanted. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse, beforeBody?: () => void): void {
    // A client that goes is told of by its connection; writing to it meanwhile is no defect.
    response.on("error", ignore)
    const { path, search } = parseTarget(request.url ?? "/")
    const method = request.method ?? ""
    const place = placeOf(method === "HEAD" ? "GET" : method, path, search, request.headers)
    const api = place === undefined ? apiRouteOf(method, path) : undefined
    const exchange = this.begin(request, response, place === undefined ? (api?.name ?? "unknown") : routeName(place))
    const reply = place?.dialect.problem ?? problemReply
    this.options.guard.run(exchange, reply, () => {
      if (!hasHost(request)) {
        // What comes after it would be no better.
        response.shouldKeepAlive = false
        this.refuse(exchange, wrongHost, reply)
      } else if (place !== undefined) this.toDialect(exchange, place, { method, path, search }, beforeBody)
      else if (api === undefined) this.refuse(exchange, notFound(path))
      else if (!api.isAllowed) this.wrongMethod(exchange, api.methods, problemReply)
      else if (!isDecodable(path)) this.refuse(exchange, wrongEscape)
      else if (this.isForeignPage(request) && api.name !== "health") this.refuse(exchange, foreignPage)
      else this.toApi(exchange, beforeBody)
    })
  }

  /** What came on the connection is no request, or came too slowly. True when it is told to whoever sent it. */
  malformed(socket: Duplex, status: number): boolean {
    const open = this.options.exchanges.of(socket)
    const exchange = open[0]
    if (exchange === undefined) return false
    // An answer is on its way, or another one must come before: nothing can be said that would be read as meant.
    if (open.length > 1 || exchange.hasBegun || exchange.request.complete) {
      socket.destroy()
      return true
    }
    exchange.record.problem = MALFORMED
    exchange.reply(malformedReply(status), ["connection", "close"])
    // What waits for the rest of the body waits in vain.
    exchange.interrupt()
    return true
  }

  private begin(request: IncomingMessage, response: ServerResponse, route: RouteName): Exchange {
    const { clock, exchanges, telemetry } = this.options
    const { traceparent } = request.headers
    const record: RequestRecord = {
      id: randomUUID(),
      method: request.method ?? "",
      route,
      startedAtMs: clock.currentTimeMillisUnsafe(),
      traceparent: typeof traceparent === "string" ? traceparent : undefined,
      key: undefined,
      model: undefined,
      isStreamed: false,
      endpoint: undefined,
      responseModel: undefined,
      finishReason: undefined,
      attempts: 0,
      inputTokens: undefined,
      outputTokens: undefined,
      status: 0,
      problem: undefined,
      firstByteMs: undefined,
      durationMs: 0,
      isAborted: false
    }
    const exchange = new Exchange(request, response, record, this.watcher)
    exchanges.add(exchange)
    telemetry.begun(record)
    return exchange
  }

  private toDialect(
    exchange: Exchange,
    { dialect, route }: Place,
    target: { readonly method: string; readonly path: string; readonly search: string },
    beforeBody: (() => void) | undefined
  ): void {
    if (route === "MethodNotAllowed") {
      this.wrongMethod(exchange, methodsOf(target.path, target.search, exchange.request.headers), dialect.problem)
    } else if (!isDecodable(target.path)) this.refuse(exchange, wrongEscape, dialect.problem)
    else if (this.isForeignPage(exchange.request)) this.refuse(exchange, foreignPage, dialect.problem)
    else this.options.dialectHandler.handle(exchange, dialect, route, target.search, beforeBody)
  }

  private toApi(exchange: Exchange, beforeBody: (() => void) | undefined): void {
    const { record, response } = exchange
    response.setHeader("x-request-id", record.id)
    if (this.options.state.isDraining) response.setHeader("connection", "close")
    exchange.observe()
    this.options.api({ exchange, beforeBody })
  }

  private refuse(exchange: Exchange, problem: Problem, reply: (problem: Problem) => Reply = problemReply): void {
    exchange.record.problem = wordOf(problem)
    exchange.refuse(reply(problem), this.options.maxBodyBytes)
  }

  /** `OPTIONS` is answered with what there is; pages of other origins are told nothing that would let them in (no CORS). */
  private wrongMethod(exchange: Exchange, allowed: ReadonlyArray<string>, reply: (problem: Problem) => Reply): void {
    const allow = allowed.join(", ")
    if (exchange.request.method === "OPTIONS") {
      exchange.refuse({ status: 204, headers: { allow }, body: "" }, this.options.maxBodyBytes)
      return
    }
    const { body, headers, status } = reply(wrongMethod(allowed))
    exchange.record.problem = "MethodNotAllowed"
    exchange.refuse({ body, headers: { ...headers, allow }, status }, this.options.maxBodyBytes)
  }

  /** A page whose own name was made to lead here (DNS rebinding) sends no origin with a GET, but its name as the host. */
  private isForeignPage({ headers: { host, origin } }: IncomingMessage): boolean {
    if (!this.options.refusesPages) return false
    if (origin !== undefined && !isOfThisMachine(origin)) return true
    return host !== undefined && !isOfThisMachine(`http://${host}`)
  }
}

const placeOf = (
  method: string,
  path: string,
  search: string,
  headers: IncomingMessage["headers"]
): Place | undefined => {
  let refused: Place | undefined
  for (const dialect of dialects) {
    const route = dialect.route(method, path, search, headers)
    if (route === undefined) continue
    if (route !== "MethodNotAllowed") return { dialect, route }
    refused ??= { dialect, route }
  }
  return refused
}

const METHODS = ["GET", "POST"]

const methodsOf = (path: string, search: string, headers: IncomingMessage["headers"]): ReadonlyArray<string> =>
  METHODS.filter((method) => {
    const route = placeOf(method, path, search, headers)?.route
    return route !== undefined && route !== "MethodNotAllowed"
  }).flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]))

const routeName = ({ dialect, route }: Place): RouteName => {
  const isListing = route !== "MethodNotAllowed" && route._tag !== "Generate"
  switch (dialect.name) {
    case "openai":
      return isListing ? "openai.models" : "openai.chat"
    case "gemini":
      return isListing ? "gemini.models" : "gemini.generate"
    case "anthropic":
      return isListing ? "anthropic.models" : "anthropic.messages"
  }
}

const notFound = (path: string): Problem =>
  new Problem({ kind: "NotFound", code: "unknown_path", message: unknownPath(path) })

const foreignPage = new Problem({
  kind: "Forbidden",
  code: "foreign_origin",
  message: "Web pages from elsewhere may not use this service: it asks for no API keys."
})

/** One, as RFC 9112 (3.2) asks for: whoever stands before the service may have read another one of several. */
const hasHost = ({ httpVersionMinor, rawHeaders }: IncomingMessage): boolean => {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length === 4 && name.toLowerCase() === "host") hosts++
  }
  return hosts === 1 || (hosts === 0 && httpVersionMinor === 0)
}

/** Whether an origin (RFC 6454) is this machine; `null` and nonsense are not. */
const isOfThisMachine = (origin: string): boolean => {
  const host = /^https?:\/\/(?:([^/:@[\]]+)|\[([^/@[\]]+)\])(?::\d{1,5})?$/i.exec(origin)
  return host !== null && isLoopback(host[1] ?? host[2] ?? "")
}

const ignore = (): void => {}
