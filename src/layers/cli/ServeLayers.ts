/** Puts the HTTP service together: the config first, then the layers over it, so that nothing opens before the config is right. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { formatDuration } from "../../domain/config/DurationText.ts"
import { servedModel } from "../../domain/config/ModelNames.ts"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import type { ServerFlags } from "../../domain/config/ServerDraft.ts"
import type * as ServeText from "../../domain/report/ServeText.ts"
import { isLoopback } from "../../domain/server/Loopback.ts"
import { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import * as DispatchedGenAiClient from "../genai/DispatchedGenAiClient.ts"
import * as DurableJobs from "../jobs/DurableJobs.ts"
import * as JobStoreFromConfig from "../jobs/JobStoreFromConfig.ts"
import * as HttpService from "../server/HttpService.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"
import * as UndiciTransport from "../transport/UndiciTransport.ts"
import { UsageError } from "./RunPlan.ts"
import { type ServePlan, serve } from "./Serve.ts"

/** What was said on the command line. */
export interface ServeInput {
  /** Of this program. */
  readonly version: string
  readonly configFlags: ConfigFlags
  readonly serverFlags: ServerFlags
  /** `--no-auth`: nobody is asked for a key, even when there are some. */
  readonly withoutKeys: boolean
}

/** Serves over real HTTP until a signal comes. */
export const execute = Effect.fnUntraced(function* (input: ServeInput) {
  const loaded = yield* ConfigLoader.loadServer({ flags: input.configFlags, server: input.serverFlags })
  const { config, source } = loaded
  const server = input.withoutKeys ? { ...loaded.server, apiKeys: [] } : loaded.server
  const access = yield* accessOf(server, input.withoutKeys)
  const models = new ModelRoutes(config.endpoints, server.models)

  const client = Layer.provide(DispatchedGenAiClient.layer(config), UndiciTransport.layer)
  const store = JobStoreFromConfig.layer({ store: server.jobs.store, instance: server.jobs.instance })
  const jobs = DurableJobs.layer({
    jobs: server.jobs,
    webhooks: server.webhooks,
    models,
    maxAttempts: config.maxAttempts
  })
  const telemetry = Telemetry.layer({ config: server.telemetry, requestLog: server.requestLog })
  const layers = HttpService.layer({ server, dispatcher: config }).pipe(
    Layer.provideMerge(telemetry),
    Layer.provideMerge(jobs),
    Layer.provide(store),
    Layer.provideMerge(client),
    Layer.provideMerge(Telemetry.layerLogger(server.telemetry))
  )
  const plan: ServePlan = {
    version: input.version,
    source: ConfigLoader.describeSource(source),
    access,
    models: models.names.map((name) => ({ name, endpoints: endpointsFor(models, name) })),
    takesAnyModel: config.endpoints.some((endpoint) => servedModel(endpoint) === undefined),
    endpoints: config.endpoints.map(describeEndpoint),
    jobs: { durable: placeOf(server), ttl: formatDuration(server.jobs.ttlMs) },
    graceMs: server.graceMs
  }
  yield* Effect.provide(serve(plan), layers)
})

/** Who is let in. Refuses to let in everybody on a network unless that was asked for. */
const accessOf = (
  { apiKeys, host }: ServerConfig,
  withoutKeys: boolean
): Effect.Effect<ServeText.Access, UsageError> => {
  if (apiKeys.length > 0) return Effect.succeed({ _tag: "Keys", names: apiKeys.map(({ name }) => name) })
  if (isLoopback(host)) return Effect.succeed({ _tag: "ThisMachine" })
  if (withoutKeys) return Effect.succeed({ _tag: "Anybody" })
  return Effect.fail(
    new UsageError({
      message:
        `Everybody who reaches ${host} could send requests at your expense. Make a key with genai-dispatcher key and put ` +
        "its hash into the config, under server.apiKeys; or let everybody in with --no-auth."
    })
  )
}

const endpointsFor = (models: ModelRoutes, name: string): ReadonlyArray<string> =>
  [...models.byEndpoint.keys()].filter((endpoint) => !models.resolve(name)?.exclude.has(endpoint))

/** Only the host: what is beside it may be long. */
const describeEndpoint = ({ baseUrl, kind, name }: DispatcherConfig["endpoints"][number]) => ({
  name,
  kind,
  host: baseUrl.host
})

const placeOf = ({ jobs: { store } }: ServerConfig): string | undefined => {
  switch (store.kind) {
    case "memory":
      return undefined
    case "sqlite":
      return store.file
    case "postgres":
      return "the Postgres database"
  }
}
