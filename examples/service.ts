/**
 * The HTTP service inside an app of your own: `node examples/service.ts`.
 *
 * `genai-dispatcher serve` does the same with SQLite, a request log and a config file. In an app of your own the imports are
 * from "genai-dispatcher" and "genai-dispatcher/service". Here the endpoint is a sandbox, jobs are kept in memory, and the
 * app asks its own service one question.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigLoader, DispatchedGenAiClient, Http1Transport, Sandbox, SandboxServer } from "../src/index.ts"
import {
  DurableJobs,
  HttpService,
  HttpServiceLayer,
  JobStoreFromConfig,
  ModelRoutes,
  Telemetry
} from "../src/service.ts"

const Service = Layer.unwrap(
  Effect.gen(function* () {
    const { url } = yield* Sandbox
    const { config, server } = yield* ConfigLoader.loadServer({
      flags: { endpoints: [`sandbox=${url},model=sandbox`] },
      server: { port: 0 }
    })
    const models = new ModelRoutes(config.endpoints, server.models)
    const jobs = DurableJobs.layer({
      jobs: server.jobs,
      webhooks: server.webhooks,
      models,
      maxAttempts: config.maxAttempts
    })
    return HttpServiceLayer.layer({ server, dispatcher: config }).pipe(
      Layer.provide(Telemetry.layer({ config: server.telemetry, requestLog: "none" })),
      Layer.provide(jobs),
      Layer.provide(JobStoreFromConfig.layer({ store: { kind: "memory" }, instance: server.jobs.instance })),
      Layer.provide(DispatchedGenAiClient.layer(config))
    )
  })
).pipe(Layer.provide([SandboxServer.layer({ latency: "fixed:20ms" }), Http1Transport.layer, NodeFileSystem.layer]))

const program = Effect.gen(function* () {
  const { url } = yield* HttpService
  const answer = yield* Effect.promise(async () => {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "sandbox", messages: [{ role: "user", content: "Why is the sky blue?" }] })
    })
    return response.json()
  })
  yield* Console.log(JSON.stringify(answer))
})

await Effect.runPromise(Effect.provide(program, Service))
