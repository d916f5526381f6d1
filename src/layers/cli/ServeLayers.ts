/** Puts the HTTP service together: the config first, then the layers over it, so that nothing opens before the config is right. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigError } from "../../domain/config/ConfigError.ts"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { formatDuration } from "../../domain/config/DurationText.ts"
import { servedModel } from "../../domain/config/ModelNames.ts"
import type { ServerConfig } from "../../domain/config/ServerConfig.ts"
import type { ServerFlags } from "../../domain/config/ServerDraft.ts"
import type * as ServeText from "../../domain/report/ServeText.ts"
import { isLoopback } from "../../domain/server/Loopback.ts"
import { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import { HttpService } from "../../services/HttpService.ts"
import { JobStore } from "../../services/JobStore.ts"
import { Jobs } from "../../services/Jobs.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import * as JobStoreFromConfig from "../jobs/JobStoreFromConfig.ts"
import * as ServiceProcesses from "../server/processes/ServiceProcesses.ts"
import { warn } from "./Failures.ts"
import { Output } from "./Output.ts"
import { script } from "./Program.ts"
import { UsageError } from "./RunPlan.ts"
import { accountsOf, type ServePlan, serve } from "./Serve.ts"
import { splitAmong } from "./SplitConfig.ts"

/** What was said on the command line. */
export interface ServeInput {
  /** Of this program. */
  readonly version: string
  readonly configFlags: ConfigFlags
  readonly serverFlags: ServerFlags
  /** `--no-auth`: nobody is asked for a key, even when there are some. */
  readonly withoutKeys: boolean
  /** `--processes`. */
  readonly processes: number
}

/** Serves over real HTTP until a signal comes. */
export const execute = Effect.fnUntraced(function* (input: ServeInput) {
  const loaded = yield* ConfigLoader.loadServer({ flags: input.configFlags, server: input.serverFlags })
  const { config, source } = loaded
  const server = input.withoutKeys ? { ...loaded.server, apiKeys: [] } : loaded.server
  const access = yield* accessOf(server, input.withoutKeys)
  const models = new ModelRoutes(config.endpoints, server.models)

  const plan: ServePlan = {
    version: input.version,
    source: ConfigLoader.describeSource(source),
    access,
    models: models.names.map((name) => ({ name, endpoints: endpointsFor(models, name) })),
    takesAnyModel: config.endpoints.some((endpoint) => servedModel(endpoint) === undefined),
    endpoints: config.endpoints.map(describeEndpoint),
    jobs: { durable: placeOf(server), ttl: formatDuration(server.jobs.ttlMs) },
    graceMs: server.graceMs,
    processes: input.processes
  }
  if (input.processes === 1) {
    // The process that supervises others needs nothing of it.
    const assembly = yield* Effect.promise(() => import("../server/Assembly.ts"))
    return yield* serve(
      plan,
      Effect.map(Layer.build(assembly.layer({ config, server })), (context) => ({
        service: Context.get(context, HttpService),
        accounts: accountsOf({
          endpoints: Context.get(context, GenAiClient).stats,
          jobs: Context.get(context, Jobs).counts
        })
      }))
    )
  }
  yield* checkProcesses(loaded, input)
  yield* serve(plan, startProcesses(input.processes, config, server))
})

/** This process has the store's lock, and none of the requests. */
const startProcesses = Effect.fnUntraced(function* (count: number, config: DispatcherConfig, server: ServerConfig) {
  const { instance, store } = server.jobs
  const context = yield* Layer.build(JobStoreFromConfig.layer({ store, instance }))
  const { err } = yield* Output
  const processes = yield* ServiceProcesses.make({
    script: script(),
    processes: count,
    config,
    server,
    say: (sentence) => Effect.provideService(warn([sentence]), Output, { err, out: err })
  })
  return {
    service: processes.service,
    accounts: accountsOf({ endpoints: processes.stats, jobs: Context.get(context, JobStore).count })
  }
})

const checkProcesses = ({ config, server, source }: ConfigLoader.LoadedServerConfig, input: ServeInput) =>
  server.jobs.store.kind === "memory"
    ? Effect.fail(
        new ConfigError({
          source: source.file ?? "flags",
          problems: [
            {
              path: "server.jobs.store",
              message: "jobs in memory are known to one process only: use sqlite or postgres, or --processes 1"
            }
          ]
        })
      )
    : splitAmong(config, input.processes, { source, flags: input.configFlags })

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
