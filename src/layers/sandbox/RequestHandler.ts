/**
 * Answers the HTTP requests of a sandbox server.
 *
 * Plain callbacks on node:http, without fibers: benchmarks run against it, so a request must cost far less here than it
 * costs the client that is measured.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type * as Clock from "effect/Clock"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { SandboxControl } from "../../domain/sandbox/Control.ts"
import type { Dialect, Refusal, SandboxRequest } from "../../domain/sandbox/Dialect.ts"
import { dialectNear, dialectOfCall } from "../../domain/sandbox/Dialects.ts"
import { fateOf } from "../../domain/sandbox/Fate.ts"
import { Prng } from "../../domain/sandbox/Prng.ts"
import { RateLimit } from "../../domain/sandbox/RateLimit.ts"
import { ANY_MODEL, type SandboxOptions } from "../../domain/sandbox/SandboxOptions.ts"
import type { SandboxStats } from "../../domain/sandbox/SandboxStats.ts"
import { StatsRecorder } from "../../domain/sandbox/StatsRecorder.ts"
import { MAX_BODY_BYTES, readBody } from "./Body.ts"
import { Exchange } from "./Exchange.ts"
import { makeKeyLabels } from "./KeyLabels.ts"
import { makePerformer } from "./Performer.ts"
import { makeRoutes, sendPlain } from "./Routes.ts"
import { Switch } from "./Switch.ts"

export interface RequestHandler {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** A connection has come. */
  readonly connect: (socket: Socket) => void
  readonly stats: () => SandboxStats
  readonly reset: () => void
  readonly control: (order: SandboxControl) => void
  /** Drops what is under way, uncounted: no timer of it fires any more. */
  readonly close: () => void
}

export function makeRequestHandler(options: SandboxOptions, clock: Clock.Clock): RequestHandler {
  const labelOf = makeKeyLabels()
  const keys = options.apiKeys && new Set(options.apiKeys.map(Redacted.value))
  const rateLimit = RateLimit.make({
    requestsPerSecond: options.requestsPerSecond,
    requestsPerMinute: options.requestsPerMinute
  })
  const idPrefix = new Prng(options.seed, 0).uint32().toString(16).padStart(8, "0")
  const power = new Switch()
  const perform = makePerformer(options, clock)
  /** The exchanges of each connection, to end them when it goes. */
  const exchanges = new Map<Socket, Set<Exchange>>()
  let recorder = new StatsRecorder()
  let arrivals = 0
  let admitted = 0

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const url = request.url ?? "/"
    const at = url.indexOf("?")
    const path = at < 0 ? url : url.slice(0, at)
    const query = at < 0 ? "" : url.slice(at + 1)
    const dialect = dialectOfCall(path, query)
    if (dialect !== undefined) {
      if (request.method === "POST") {
        arrive(dialect, { path, query, headers: request.headers }, request, response)
      } else {
        sendPlain(response, dialect.refuse({ kind: "wrong-method", allowed: "POST" }))
      }
    } else if (!route(path, request, response)) {
      recorder.unknownPath()
      sendPlain(response, dialectNear(path).refuse({ kind: "unknown-path", method: request.method ?? "", path }))
    }
  }

  /** The head of a call has come: count it and decide, then read the body and answer. */
  const arrive = (
    dialect: Dialect,
    asked: SandboxRequest,
    request: IncomingMessage,
    response: ServerResponse
  ): void => {
    const arrival = arrivals
    arrivals += 1
    const now = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const unixMs = clock.currentTimeMillisUnsafe()
    const key = dialect.keyOf(asked)
    recorder.arrive(now, unixMs, labelOf(key))

    const id = idPrefix + arrival.toString(16).padStart(24, "0")
    const headers = [...dialect.callHeaders(id)]
    const { mode } = power
    let refusal: Refusal | undefined
    let isAdmitted = false
    if (mode !== "up") {
      refusal = refusalByMode()
    } else if (keys !== undefined && (key === undefined || !keys.has(key))) {
      refusal = { kind: key === undefined ? "no-key" : "bad-key" }
    } else if (options.maxConcurrency !== undefined && admitted >= options.maxConcurrency) {
      recorder.refuseByConcurrency()
      refusal = { kind: "overloaded", status: 503 }
    } else {
      const verdict = rateLimit?.take(now)
      if (verdict !== undefined) headers.push(...dialect.rateHeaders(verdict, unixMs))
      if (verdict?.admitted === false) {
        recorder.refuseByRate()
        refusal = { kind: "rate-limited", retryAfterMs: verdict.retryAfterMs, verdict }
      } else {
        isAdmitted = true
        admitted += 1
      }
    }

    const ofSocket = exchangesOf(request.socket)
    const exchange = new Exchange({
      recorder,
      socket: request.socket,
      response,
      headers,
      onEnd: (ended) => {
        ofSocket.delete(ended)
        if (isAdmitted) admitted -= 1
      }
    })
    ofSocket.add(exchange)
    readBody(request, (body) => {
      if (mode === "hang") return
      if (body === undefined) {
        exchange.reply(dialect.refuse({ kind: "too-large", limitBytes: MAX_BODY_BYTES }), ["connection", "close"])
        return
      }
      if (refusal !== undefined) return exchange.reply(dialect.refuse(refusal))
      const call = dialect.readCall(asked, body, options.models)
      if (Result.isFailure(call)) return exchange.reply(dialect.refuse(call.failure))
      const identity = { id, created: Math.floor(unixMs / 1000) }
      perform({ exchange, dialect, call: call.success, fate: fateOf(options, arrival), identity })
    })
  }

  const refusalByMode = (): Refusal =>
    power.mode === "429"
      ? { kind: "rate-limited", retryAfterMs: power.retryAfterMs, verdict: undefined }
      : { kind: "overloaded", status: 503 }

  const exchangesOf = (socket: Socket): Set<Exchange> => {
    const known = exchanges.get(socket)
    if (known !== undefined) return known
    const fresh = new Set<Exchange>()
    exchanges.set(socket, fresh)
    socket.once("close", () => {
      exchanges.delete(socket)
      for (const exchange of fresh) exchange.abort()
    })
    return fresh
  }

  const connect = (socket: Socket): void => {
    if (power.mode === "dead") socket.resetAndDestroy()
    else exchangesOf(socket)
  }

  /** `spared`: a connection that ends by itself. */
  const control = (order: SandboxControl, spared?: Socket): void => {
    power.set(order)
    if (order.mode !== "dead") return
    for (const [socket, ofSocket] of exchanges) {
      for (const exchange of ofSocket) exchange.cut()
      if (socket !== spared) socket.resetAndDestroy()
    }
  }

  const reset = (): void => {
    recorder = new StatsRecorder()
    arrivals = 0
  }

  const close = (): void => {
    power.close()
    for (const ofSocket of exchanges.values()) for (const exchange of ofSocket) exchange.drop()
  }

  const stats = () => recorder.snapshot()
  const route = makeRoutes({
    models: options.models ?? [ANY_MODEL],
    stats,
    reset,
    mode: () => power.mode,
    control: (order, request) => control(order, request.socket)
  })

  return { handle, connect, stats, reset, control, close }
}
