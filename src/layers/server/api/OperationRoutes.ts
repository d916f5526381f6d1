/** Health and figures over HTTP. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { EndpointConfig } from "../../../domain/config/DispatcherConfig.ts"
import type { EndpointStats } from "../../../domain/genai/EndpointStats.ts"
import { prefersText } from "../../../domain/server/Accept.ts"
import { CONTENT_TYPE } from "../../../domain/telemetry/PrometheusText.ts"
import { orProblem } from "./Answers.ts"
import { Api } from "./Api.ts"
import type { EndpointsHealth, WorkerMetrics } from "./Bodies.ts"
import { ControlPlane, callerOf } from "./ControlPlane.ts"

const workerMetrics = (stats: EndpointStats, config: EndpointConfig, index: number): WorkerMetrics => ({
  worker_id: index,
  inflight: stats.inflight,
  queue_len: stats.queueLen,
  capacity: config.queueCapacity,
  errors: Object.values(stats.failures).reduce((sum, count) => sum + count, 0),
  name: stats.name,
  kind: stats.kind,
  state: stats.state,
  concurrency: config.concurrency,
  sent: stats.sent,
  completed: stats.succeeded,
  aborted: stats.aborted,
  input_tokens: stats.inputTokens,
  output_tokens: stats.outputTokens
})

const workers = Effect.gen(function* () {
  const { endpoints, stats } = yield* ControlPlane
  return (yield* stats).map((entry, index) => workerMetrics(entry, endpoints[index]!, index))
})

const prometheus = Effect.gen(function* () {
  const { telemetry } = yield* ControlPlane
  const text = yield* telemetry.prometheus
  return HttpServerResponse.text(text, { contentType: CONTENT_TYPE })
})

const readiness = Effect.gen(function* () {
  const { jobs, state, stats } = yield* ControlPlane
  const endpoints = (yield* stats).map(({ name, state }) => ({
    name,
    state,
    usable: state === "up" || state === "recovering"
  }))
  const keepsJobs = yield* jobs.isUsable
  const isUsable = keepsJobs && endpoints.some(({ usable }) => usable)
  const status = state.isDraining ? "draining" : isUsable ? "ready" : "unavailable"
  const body: EndpointsHealth = { status, endpoints, ...(keepsJobs ? {} : { jobs: "unavailable" }) }
  return HttpServerResponse.jsonUnsafe(body, { status: status === "ready" ? 200 : 503 })
})

export const layer = HttpApiBuilder.group(Api, "operations", (handlers) =>
  handlers
    .handle("metrics", ({ request }) =>
      orProblem(
        request,
        Effect.gen(function* () {
          yield* callerOf(request, "identify")
          return prefersText(request.headers["accept"]) ? yield* prometheus : yield* workers
        })
      )
    )
    .handle("prometheus", ({ request }) =>
      orProblem(request, Effect.andThen(callerOf(request, "identify"), prometheus))
    )
    .handle("live", () => Effect.succeed({ status: "live" as const }))
    .handle("ready", () => readiness)
)
