/** The whole service on a real socket: control plane, durable jobs in memory, client, transport, sandbox. */
import { Effect } from "effect"
import type { ServerConfig } from "../../../../src/domain/config/ServerConfig.ts"
import type { SandboxInput } from "../../../../src/domain/sandbox/SandboxOptions.ts"
import { ModelRoutes } from "../../../../src/domain/server/ModelRoutes.ts"
import type { RequestRecord } from "../../../../src/domain/server/RequestRecord.ts"
import * as DispatchedGenAiClient from "../../../../src/layers/genai/DispatchedGenAiClient.ts"
import * as DurableJobs from "../../../../src/layers/jobs/DurableJobs.ts"
import * as MemoryJobStore from "../../../../src/layers/jobs/MemoryJobStore.ts"
import * as SandboxServer from "../../../../src/layers/sandbox/SandboxServer.ts"
import * as HttpService from "../../../../src/layers/server/HttpService.ts"
import * as NoTelemetry from "../../../../src/layers/server/NoTelemetry.ts"
import * as Http1Transport from "../../../../src/layers/transport/Http1Transport.ts"
import { GenAiClient } from "../../../../src/services/GenAiClient.ts"
import { JobStore } from "../../../../src/services/JobStore.ts"
import { Jobs } from "../../../../src/services/Jobs.ts"
import { ServerTelemetry } from "../../../../src/services/ServerTelemetry.ts"
import { Transport } from "../../../../src/services/Transport.ts"
import { config, endpoint } from "../../../support/Config.ts"
import { serverConfig } from "../harness.ts"

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The text as JSON. */
  readonly json: () => ReturnType<typeof JSON.parse>
}

export const startApi = Effect.fnUntraced(function* (
  sandboxInput: SandboxInput = {},
  overrides: Partial<ServerConfig> = {}
) {
  const sandbox = yield* SandboxServer.make(sandboxInput)
  const endpoints = [endpoint({ name: "east", baseUrl: new URL(sandbox.url) })]
  const dispatcher = config(endpoints)
  const server = serverConfig(overrides)
  const client = yield* DispatchedGenAiClient.make(dispatcher).pipe(
    Effect.provideService(Transport, yield* Http1Transport.make())
  )
  const jobs = yield* DurableJobs.make({
    jobs: server.jobs,
    webhooks: server.webhooks,
    models: new ModelRoutes(endpoints, server.models),
    maxAttempts: 3
  }).pipe(Effect.provideService(JobStore, MemoryJobStore.make("test")), Effect.provideService(GenAiClient, client))
  const records: Array<RequestRecord> = []
  const service = yield* HttpService.make({ server, dispatcher }).pipe(
    Effect.provideService(GenAiClient, client),
    Effect.provideService(Jobs, jobs),
    Effect.provideService(ServerTelemetry, {
      ...NoTelemetry.make,
      ended: (record) => {
        records.push({ ...record })
      },
      prometheus: Effect.succeed("up 1\n")
    })
  )
  const send = (path: string, init: RequestInit = {}): Effect.Effect<Reply> =>
    Effect.promise(async (signal) => {
      const response = await fetch(new URL(path, service.url), { ...init, signal })
      const text = await response.text()
      return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
    })
  const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    send(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
  return { sandbox, service, send, post, records, url: service.url }
})
