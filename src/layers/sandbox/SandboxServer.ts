/** The sandbox as a real HTTP server on node:http. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { listenFailure } from "../../domain/ListenFailure.ts"
import { settleControl } from "../../domain/sandbox/Control.ts"
import { SandboxError } from "../../domain/sandbox/SandboxError.ts"
import { type SandboxInput, type SandboxOptions, settleOptions } from "../../domain/sandbox/SandboxOptions.ts"
import { Sandbox } from "../../services/Sandbox.ts"
import { makeRequestHandler, type RequestHandler } from "./RequestHandler.ts"

/** Longer than clients keep idle connections, so that none breaks under a request that was just being sent. */
const KEEP_ALIVE_MS = 120_000

/** Connections that the system holds until they are accepted: thousands of clients may start at once. */
const BACKLOG = 4096

/** Starts a sandbox with the given settings; they are checked first. It ends at once when the scope closes. */
export const make = (input: SandboxInput = {}): Effect.Effect<Sandbox["Service"], SandboxError, Scope.Scope> =>
  Effect.flatMap(Effect.fromResult(settleOptions(input)), serve)

/** `make` for settings that have been checked. */
export const serve = Effect.fnUntraced(function* (
  options: SandboxOptions
): Effect.fn.Return<Sandbox["Service"], SandboxError, Scope.Scope> {
  const clock = yield* Clock.Clock
  const handler = makeRequestHandler(options, clock)
  const address = yield* Effect.acquireRelease(listen(handler, options), ({ server }) => close(handler, server))
  const host = options.host.includes(":") ? `[${options.host}]` : options.host
  const origin = `http://${host}:${address.port}`
  return Sandbox.of({
    url: `${origin}/v1`,
    origin,
    port: address.port,
    stats: Effect.sync(handler.stats),
    reset: Effect.sync(handler.reset),
    control: (order) => Effect.map(Effect.fromResult(settleControl(order)), (settled) => handler.control(settled))
  })
})

/** A sandbox for as long as the layer lives. */
export const layer = (input: SandboxInput = {}): Layer.Layer<Sandbox, SandboxError> =>
  Layer.effect(Sandbox, make(input))

const listen = (handler: RequestHandler, options: SandboxOptions) =>
  Effect.callback<{ readonly server: Server; readonly port: number }, SandboxError>((resume) => {
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, handler.handle)
    server.on("connection", handler.connect)
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new SandboxError(listenFailure(error, options))))
    )
    server.listen({ host: options.host, port: options.port, backlog: BACKLOG }, () => {
      const { port } = server.address() as AddressInfo
      resume(Effect.succeed({ server, port }))
    })
  })

/** Waits for the listener to be gone, so that the port is free afterwards. */
const close = (handler: RequestHandler, server: Server) =>
  Effect.callback<void>((resume) => {
    handler.close()
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })
