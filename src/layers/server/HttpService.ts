/** The HTTP service: one listener for the dialects, which are answered here, and for the control plane. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import { KeyRing } from "../../domain/server/KeyRing.ts"
import { isLoopback } from "../../domain/server/Loopback.ts"
import { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import { HttpService, type HttpServiceError } from "../../services/HttpService.ts"
import { Jobs } from "../../services/Jobs.ts"
import { ServerTelemetry } from "../../services/ServerTelemetry.ts"
import { type AskForRequest, Auth } from "./Auth.ts"
import { makeHandler } from "./api/Handler.ts"
import { DefectGuard } from "./DefectGuard.ts"
import { DialectAnswers } from "./DialectAnswers.ts"
import { DialectHandler } from "./DialectHandler.ts"
import { Edge } from "./Edge.ts"
import { Exchanges } from "./Exchanges.ts"
import { close, type Listener, type ListenerOptions, listen } from "./Listener.ts"
import * as Overload from "./Overload.ts"
import { ServiceState } from "./ServiceState.ts"

/** What the service is made of, beside the services that it needs. */
export interface HttpServiceOptions {
  readonly server: ServerConfig
  /** What the client was made of. */
  readonly dispatcher: Pick<DispatcherConfig, "deadlineMs" | "endpoints">
  readonly timeouts?: ListenerOptions["timeouts"]
  /** The other processes of the service, when there are any. */
  readonly peers?: Peers | undefined
}

/** What a process asks the others for. */
export interface Peers {
  readonly askForRequest: AskForRequest
  /** The endpoints over all processes. */
  readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
}

/** Listens until the scope closes; what runs then is aborted, unless it has been drained before. */
export const make = Effect.fnUntraced(function* (
  options: HttpServiceOptions
): Effect.fn.Return<HttpService["Service"], HttpServiceError, GenAiClient | Jobs | ServerTelemetry | Scope.Scope> {
  const { dispatcher, server: config } = options
  const client = yield* GenAiClient
  const jobs = yield* Jobs
  const telemetry = yield* ServerTelemetry
  const clock = yield* Clock.Clock
  const context = yield* Effect.context<never>()
  const state = new ServiceState()
  const exchanges = new Exchanges(state)
  const auth = new Auth(new KeyRing(config.apiKeys), clock, options.peers?.askForRequest)
  const models = new ModelRoutes(dispatcher.endpoints, config.models)
  const overload = yield* Overload.make(client)
  const api = yield* makeHandler({
    server: config,
    endpoints: dispatcher.endpoints,
    auth,
    state,
    models,
    overload,
    client,
    stats: options.peers?.stats ?? client.stats,
    jobs,
    telemetry
  })
  const guard = new DefectGuard(context)
  const dialectHandler = new DialectHandler({
    answers: new DialectAnswers({ client, context, guard, models, overload, telemetry }),
    auth,
    guard,
    maxBodyBytes: config.maxBodyBytes,
    maxDeadlineMs: dispatcher.deadlineMs,
    models,
    state
  })
  const edge = new Edge({
    api,
    clock,
    dialectHandler,
    exchanges,
    guard,
    maxBodyBytes: config.maxBodyBytes,
    refusesPages: config.apiKeys.length === 0 && isLoopback(config.host),
    state,
    telemetry,
    onIdle: () => listener.server.closeIdleConnections()
  })
  const listener: Listener = yield* listen({
    host: config.host,
    port: config.port,
    onRequest: (request, response, beforeBody) => edge.handle(request, response, beforeBody),
    onConnection: (socket) => exchanges.connect(socket),
    onMalformed: (socket, status) => edge.malformed(socket, status),
    timeouts: options.timeouts
  })
  const { port, server } = listener
  // Before the listener closes, so that what runs is stopped and told, not cut.
  yield* Effect.addFinalizer(() => Effect.sync(() => exchanges.interrupt()))

  const host = config.host.includes(":") ? `[${config.host}]` : config.host
  return HttpService.of({
    url: `http://${host}:${port}`,
    host: config.host,
    port,
    inflight: Effect.sync(() => state.inflight),
    drain: Effect.fn("HttpService.drain")(function* (graceMs) {
      state.isDraining = true
      server.closeIdleConnections()
      const finished = Effect.timeoutOrElse(exchanges.whenIdle, {
        duration: graceMs,
        orElse: () =>
          Effect.andThen(
            Effect.sync(() => exchanges.interrupt()),
            // Those who do not read their answer are not waited for.
            Effect.timeoutOption(exchanges.whenIdle, ABORT_MS)
          )
      })
      yield* Effect.all([finished, jobs.drain(graceMs)], { concurrency: "unbounded", discard: true })
      yield* close(server)
      // Those whose connection was closed just now have their lines in the log.
      yield* Effect.timeoutOption(exchanges.whenIdle, ABORT_MS)
    })
  })
})

/** The service for as long as the layer lives. Fails when it cannot listen. */
export const layer = (
  options: HttpServiceOptions
): Layer.Layer<HttpService, HttpServiceError, GenAiClient | Jobs | ServerTelemetry> =>
  Layer.effect(HttpService, make(options))

/** How long clients have to read that their requests were aborted. */
const ABORT_MS = 1_000
