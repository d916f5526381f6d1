/** The HTTP service with all that is below it, from its configuration. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import * as DispatchedGenAiClient from "../genai/DispatchedGenAiClient.ts"
import * as DurableJobs from "../jobs/DurableJobs.ts"
import * as JobStoreFromConfig from "../jobs/JobStoreFromConfig.ts"
import * as Heap from "../processes/Heap.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import * as Http1Transport from "../transport/Http1Transport.ts"
import * as HttpService from "./HttpService.ts"

export interface AssemblyOptions {
  readonly config: DispatcherConfig
  readonly server: ServerConfig
  /** As they are told to clients. Default: those of `config`. */
  readonly endpoints?: DispatcherConfig["endpoints"] | undefined
  /** Whether another process has the store's file locked for this one. Default: false. */
  readonly isStoreShared?: boolean | undefined
  /** The other processes of the service, when there are any. */
  readonly peers?: (HttpService.Peers & Telemetry.TelemetryPeers) | undefined
}

export const layer = ({
  config,
  endpoints = config.endpoints,
  isStoreShared = false,
  peers,
  server
}: AssemblyOptions) => {
  const client = Layer.provide(DispatchedGenAiClient.layer(config), Http1Transport.layer)
  const store = JobStoreFromConfig.layer({
    store: server.jobs.store,
    instance: server.jobs.instance,
    shared: isStoreShared
  })
  const jobs = DurableJobs.layer({
    jobs: server.jobs,
    webhooks: server.webhooks,
    models: new ModelRoutes(config.endpoints, server.models),
    maxAttempts: config.maxAttempts
  })
  const telemetry = Telemetry.layer({ config: server.telemetry, requestLog: server.requestLog, peers })
  return HttpService.layer({ server, dispatcher: { deadlineMs: config.deadlineMs, endpoints }, peers }).pipe(
    Layer.provideMerge(telemetry),
    Layer.provideMerge(jobs),
    Layer.provide(store),
    Layer.provideMerge(client),
    Layer.provideMerge(Telemetry.layerLogger(server.telemetry)),
    Layer.merge(layerHeap)
  )
}

/** For the crowds of streams that a service has. */
const layerHeap = Layer.effectDiscard(
  Effect.sync(() => {
    Heap.keepYoung()
    Heap.collectEarly()
  })
)
