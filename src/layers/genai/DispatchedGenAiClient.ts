/** `GenAiClient` over a dispatcher with one worker per endpoint. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ConfigError } from "../../domain/config/ConfigError.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import type { InvalidOptions } from "../../domain/dispatch/DispatchError.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import { Transport } from "../../services/Transport.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import * as EndpointCredentials from "../credentials/EndpointCredentials.ts"
import { make as makeDispatcher } from "../dispatch/Dispatcher.ts"
import { Calls } from "./Calls.ts"
import { Endpoint } from "./Endpoint.ts"
import { makeEndpointHandler } from "./EndpointHandler.ts"
import { EndpointRecorder } from "./EndpointRecorder.ts"
import { HealthFleet } from "./HealthFleet.ts"
import { Hedge } from "./Hedge.ts"
import type { Spending } from "./Spending.ts"
import { makeTokenLimits } from "./TokenLimits.ts"

/** What a client has beside its configuration. */
export interface ClientOptions {
  /** Sends nothing more once this is spent: requests then fail with `Rejected`. Default: no limit. */
  readonly spending?: Spending | undefined
}

/**
 * Makes a client that lives as long as the scope; its endpoints are reached through `Transport`.
 *
 * When the scope closes, requests that wait fail with reason `Rejected`. What was sent may end, until the transport closes
 * too: that aborts it. Fails when the configuration is none that `ConfigLoader` would give.
 */
export const make = Effect.fnUntraced(function* (
  config: DispatcherConfig,
  options: ClientOptions = {}
): Effect.fn.Return<GenAiClient["Service"], InvalidOptions, Transport | Scope.Scope> {
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const recorders = config.endpoints.map((endpoint) => new EndpointRecorder(endpoint, options.spending))
  const fleet = new HealthFleet(config, clock)
  const credentials = yield* Effect.forEach(config.endpoints, EndpointCredentials.make)
  const tokenLimits = config.endpoints.map((endpoint) => makeTokenLimits(endpoint, config.processes))
  const endpoints = config.endpoints.map(
    (endpoint, index) =>
      new Endpoint({
        endpoint,
        credentials: credentials[index]!,
        transport,
        recorder: recorders[index]!,
        health: fleet.monitors[index]!,
        hasHope: (call) => fleet.isAvailableBefore(call.expiresAt, call.exclude),
        clock,
        maxAttempts: config.maxAttempts,
        refusal: tokenLimits[index]!.refusal
      })
  )
  const dispatcher = yield* makeDispatcher({
    policy: config.policy,
    limits: { requestsPerSecond: config.maxRequestsPerSecond },
    limitsUsed: config.limitsUsed,
    affinity: config.affinity && { ...config.affinity, ttl: config.affinity.ttlMs },
    workers: config.endpoints.map((endpoint, index) => ({
      name: endpoint.name,
      weight: endpoint.weight,
      concurrency: endpoint.concurrency,
      queueCapacity: endpoint.queueCapacity,
      priority: endpoint.priority,
      limits: endpoint.limits,
      // By when they are written: connections take their time, and so does a busy process.
      limitsCount: transport.tellsSent === true ? "sent" : "start",
      unitLimits: tokenLimits[index]!.limits,
      handler: makeEndpointHandler(endpoints[index]!)
    }))
  })
  for (const monitor of fleet.monitors) {
    const control = dispatcher.control(monitor.name)!
    yield* Effect.forkScoped(monitor.watch(control), { startImmediately: true })
  }
  const streamers = new Map(
    endpoints.map((endpoint, index) => [endpoint.name, { endpoint, tokens: tokenLimits[index]! }])
  )
  const latencies = new Map(config.endpoints.map(({ name }, index) => [name, recorders[index]!.latency]))
  const hedge =
    config.hedge &&
    new Hedge({
      config: config.hedge,
      maxAttempts: config.maxAttempts,
      fleet,
      latencyOf: (endpoint) => latencies.get(endpoint)!
    })
  const calls = new Calls(config, dispatcher, streamers, fleet, hedge, clock, options.spending)
  yield* Effect.forkScoped(calls.watch, { startImmediately: true })
  return GenAiClient.of({
    generate: (request, options) => calls.generate(request, options),
    starter: calls.starter,
    stream: (request, options) => calls.stream(request, options),
    stats: Effect.map(dispatcher.metrics, (metrics) =>
      recorders.map((recorder, index) => recorder.stats(metrics.workers[index]!, fleet.monitors[index]!))
    ),
    drain: (options) => calls.drain(options),
    room: calls.room
  })
})

/**
 * A client for as long as the layer lives.
 *
 * **Gotchas**
 *
 * Limits, sessions and the health of endpoints are those of one client. So an app makes the layer once, in a constant, and
 * provides it once: to the whole program, or with a `ManagedRuntime`. Two calls make two clients, each with the whole of
 * every limit; so does providing the layer anew to each request.
 */
export const layer = (
  config: DispatcherConfig,
  options?: ClientOptions
): Layer.Layer<GenAiClient, InvalidOptions, Transport> => Layer.effect(GenAiClient, make(config, options))

/**
 * The same with the configuration that `ConfigLoader` finds: a file, flags, the environment. Fails with `ConfigError`, which
 * names all that is wrong with it.
 */
export const layerConfig = (
  options: ConfigLoader.LoadOptions
): Layer.Layer<GenAiClient, ConfigError | InvalidOptions, Transport | FileSystem.FileSystem> =>
  Layer.unwrap(Effect.map(ConfigLoader.load(options), ({ config }) => layer(config)))
