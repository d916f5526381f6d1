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
import { makeAnswer, type SandboxCall } from "../../domain/sandbox/Answer.ts"
import type { Dialect, Refusal, SandboxReply } from "../../domain/sandbox/Dialect.ts"
import { type FaultAtOnce, isAtOnce } from "../../domain/sandbox/FailureMix.ts"
import { type Fate, fateOf } from "../../domain/sandbox/Fate.ts"
import { Prng } from "../../domain/sandbox/Prng.ts"
import { RateLimit } from "../../domain/sandbox/RateLimit.ts"
import { ANY_MODEL, type SandboxOptions } from "../../domain/sandbox/SandboxOptions.ts"
import type { SandboxStats } from "../../domain/sandbox/SandboxStats.ts"
import { StatsRecorder } from "../../domain/sandbox/StatsRecorder.ts"
import { Exchange, firstHalf } from "./Exchange.ts"
import { makeKeyLabels } from "./KeyLabels.ts"

/** Larger bodies get a 413. */
const MAX_BODY_BYTES = 64 * 1024 * 1024

const BAD_GATEWAY_PAGE =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
  "<hr><center>sandbox</center>\r\n</body>\r\n</html>\r\n"

export interface RequestHandler {
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  readonly stats: () => SandboxStats
  readonly reset: () => void
  /** Drops what is under way, uncounted: no timer of it fires any more. */
  readonly close: () => void
}

export function makeRequestHandler(options: SandboxOptions, dialect: Dialect, clock: Clock.Clock): RequestHandler {
  const labelOf = makeKeyLabels()
  const keys = options.apiKeys && new Set(options.apiKeys.map(Redacted.value))
  const rateLimit = RateLimit.make({
    requestsPerSecond: options.requestsPerSecond,
    requestsPerMinute: options.requestsPerMinute
  })
  const idPrefix = new Prng(options.seed, 0).uint32().toString(16).padStart(8, "0")
  /** The exchanges of each connection, to end them when it goes. */
  const exchanges = new Map<Socket, Set<Exchange>>()
  let recorder = new StatsRecorder()
  let arrivals = 0
  let admitted = 0

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = pathOf(request.url ?? "/")
    if (dialect.isCall(path)) {
      if (request.method === "POST") arrive(path, request, response)
      else sendPlain(response, dialect.refuse({ kind: "wrong-method", allowed: "POST" }))
      return
    }
    const route = routes.get(path)
    if (route === undefined) {
      recorder.unknownPath()
      sendPlain(response, dialect.refuse({ kind: "unknown-path", method: request.method ?? "", path }))
    } else if (request.method !== route.method) {
      sendPlain(response, dialect.refuse({ kind: "wrong-method", allowed: route.method }))
    } else {
      sendPlain(response, route.reply())
    }
  }

  const routes = new Map<string, { readonly method: string; readonly reply: () => SandboxReply }>([
    [dialect.modelsPath, { method: "GET", reply: () => dialect.listModels(options.models ?? [ANY_MODEL]) }],
    ["/stats", { method: "GET", reply: () => json(recorder.snapshot()) }],
    [
      "/stats/reset",
      {
        method: "POST",
        reply: () => {
          reset()
          return json({ reset: true })
        }
      }
    ],
    ["/health", { method: "GET", reply: () => json({ status: "ok" }) }]
  ])

  /** The head of a call has come: count it and decide, then read the body and answer. */
  const arrive = (path: string, request: IncomingMessage, response: ServerResponse): void => {
    const arrival = arrivals
    arrivals += 1
    const now = Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const unixMs = clock.currentTimeMillisUnsafe()
    const key = dialect.keyOf(request.headers)
    recorder.arrive(now, unixMs, labelOf(key))

    const id = idPrefix + arrival.toString(16).padStart(24, "0")
    const headers = ["x-request-id", `req_${id}`]
    let refusal: Refusal | undefined
    let isAdmitted = false
    if (keys !== undefined && (key === undefined || !keys.has(key))) {
      refusal = { kind: key === undefined ? "no-key" : "bad-key" }
    } else if (options.maxConcurrency !== undefined && admitted >= options.maxConcurrency) {
      recorder.refuseByConcurrency()
      refusal = { kind: "overloaded", status: 503 }
    } else {
      const verdict = rateLimit?.take(now)
      if (verdict !== undefined) headers.push(...dialect.rateHeaders(verdict))
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
      if (body === undefined) {
        exchange.reply(dialect.refuse({ kind: "too-large", limitBytes: MAX_BODY_BYTES }), ["connection", "close"])
        return
      }
      if (refusal !== undefined) return exchange.reply(dialect.refuse(refusal))
      const call = dialect.readCall(path, body, options.models)
      if (Result.isFailure(call)) return exchange.reply(dialect.refuse(call.failure))
      meetFate(exchange, call.success, fateOf(options, arrival), { id, created: Math.floor(unixMs / 1000) })
    })
  }

  const meetFate = (
    exchange: Exchange,
    call: SandboxCall,
    fate: Fate,
    identity: { readonly id: string; readonly created: number }
  ): void => {
    const { fault, latencyMs } = fate
    if (fault !== undefined && isAtOnce(fault)) {
      exchange.recorder.fault(fault)
      const refusal = refusalFor(fault)
      if (refusal !== undefined) exchange.reply(dialect.refuse(refusal))
      return
    }
    exchange.after(latencyMs, () => {
      if (fault !== undefined) exchange.recorder.fault(fault)
      if (fault === "reset") return exchange.reset()
      if (fault === "500") return exchange.reply(dialect.refuse({ kind: "server-error" }))
      if (fault === "html") return exchange.reply({ status: 502, headers: HTML_HEADERS, body: BAD_GATEWAY_PAGE })
      const answer = makeAnswer(options.seed, call, options.answerTokens)
      const reply = dialect.answer(call, answer, identity)
      if (fault === "truncated") return exchange.reply({ ...reply, body: firstHalf(reply.body) })
      if (fault === "empty") return exchange.reply({ ...reply, body: "" })
      if (fault === "stall-body") return exchange.replyHalf(reply)
      exchange.recorder.tokens(answer)
      exchange.reply(reply, ["openai-processing-ms", String(Math.round(latencyMs))])
    })
  }

  /** `undefined` for a stall. */
  const refusalFor = (fault: FaultAtOnce): Refusal | undefined => {
    switch (fault) {
      case "429":
        return { kind: "rate-limited", retryAfterMs: undefined, verdict: undefined }
      case "429-retry-after":
        return { kind: "rate-limited", retryAfterMs: options.retryAfter, verdict: undefined }
      case "503":
        return { kind: "overloaded", status: 503 }
      case "529":
        return { kind: "overloaded", status: 529 }
      case "stall":
        return undefined
    }
  }

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

  const reset = (): void => {
    recorder = new StatsRecorder()
    arrivals = 0
  }

  const close = (): void => {
    for (const ofSocket of exchanges.values()) for (const exchange of ofSocket) exchange.drop()
  }

  return { handle, stats: () => recorder.snapshot(), reset, close }
}

const HTML_HEADERS: ReadonlyArray<string> = ["content-type", "text/html"]

const json = (value: unknown): SandboxReply => ({
  status: 200,
  headers: ["content-type", "application/json"],
  body: JSON.stringify(value)
})

function sendPlain(response: ServerResponse, reply: SandboxReply): void {
  response.writeHead(reply.status, [...reply.headers, "content-length", String(Buffer.byteLength(reply.body))])
  response.end(reply.body)
}

function pathOf(url: string): string {
  const query = url.indexOf("?")
  return query < 0 ? url : url.slice(0, query)
}

/** Calls back once with the whole body, or with `undefined` when it is too large; never when the client leaves first. */
function readBody(request: IncomingMessage, then: (body: string | undefined) => void): void {
  const chunks: Array<Buffer> = []
  let bytes = 0
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) {
      chunks.push(chunk)
    } else if (chunks.length > 0) {
      // What still comes is thrown away until the connection ends.
      chunks.length = 0
      then(undefined)
    }
  })
  request.on("end", () => {
    if (bytes <= MAX_BODY_BYTES) then((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8"))
  })
}
