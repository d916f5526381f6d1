/** The paths of the sandbox server that are no calls to a model. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Result from "effect/Result"
import { type SandboxControl, type SandboxMode, settleControl } from "../../domain/sandbox/Control.ts"
import type { SandboxReply } from "../../domain/sandbox/Dialect.ts"
import { dialectNear } from "../../domain/sandbox/Dialects.ts"
import { listGeminiModels } from "../../domain/sandbox/dialects/Gemini.ts"
import { listOpenAiModels } from "../../domain/sandbox/dialects/OpenAi.ts"
import type { SandboxStats } from "../../domain/sandbox/SandboxStats.ts"
import { readBody } from "./Body.ts"

/** What the routes show and do. */
export interface RouteContext {
  readonly models: ReadonlyArray<string>
  readonly stats: () => SandboxStats
  readonly reset: () => void
  readonly mode: () => SandboxMode
  /** Carries out an order; the connection that it came on is left to end by itself. */
  readonly control: (order: SandboxControl, request: IncomingMessage) => void
}

type Route = (request: IncomingMessage, send: (reply: SandboxReply) => void) => void

export function makeRoutes(context: RouteContext) {
  const show =
    (reply: () => SandboxReply): Route =>
    (_request, send) =>
      send(reply())

  const order: Route = (request, send) =>
    readBody(request, (body) => {
      const settled = settleControl(parse(body ?? ""))
      if (Result.isFailure(settled)) return send(json({ error: settled.failure.message }, 400))
      context.control(settled.success, request)
      const reply = json({ mode: context.mode() })
      send(context.mode() === "dead" ? { ...reply, headers: [...reply.headers, "connection", "close"] } : reply)
    })

  const routes: Readonly<Record<string, Readonly<Record<string, Route>>>> = {
    "/v1/models": { GET: show(() => listOpenAiModels(context.models)) },
    "/v1beta/models": { GET: show(() => listGeminiModels(context.models)) },
    "/stats": { GET: show(() => json(context.stats())) },
    "/stats/reset": {
      POST: show(() => {
        context.reset()
        return json({ reset: true })
      })
    },
    "/control": { GET: show(() => json({ mode: context.mode() })), POST: order },
    "/health": { GET: show(() => json({ status: "ok" })) }
  }

  /** Answers a request; `undefined` methods mean that there is no such path. */
  return (path: string, request: IncomingMessage, response: ServerResponse): boolean => {
    const methods = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (methods === undefined) return false
    const route = methods[request.method ?? ""]
    const send = (reply: SandboxReply): void => sendPlain(response, reply)
    if (route !== undefined) route(request, send)
    else send(dialectNear(path).refuse({ kind: "wrong-method", allowed: Object.keys(methods).join(", ") }))
    return true
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const json = (value: unknown, status = 200): SandboxReply => ({
  status,
  headers: ["content-type", "application/json"],
  body: JSON.stringify(value)
})

export function sendPlain(response: ServerResponse, reply: SandboxReply): void {
  response.writeHead(reply.status, [...reply.headers, "content-length", String(Buffer.byteLength(reply.body))])
  response.end(reply.body)
}
