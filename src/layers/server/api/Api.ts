/** The control plane, as data: what its routes take and give. The OpenAPI document is made of it. */

import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { GeminiForm, NeutralForm } from "../../../domain/jobs/GenerateBody.ts"
import { JobResult, JobStatus } from "../../../domain/jobs/Job.ts"
import { PublicJob } from "../../../domain/jobs/PublicJob.ts"
import { ProblemBody, problemContentType } from "../../../domain/server/ProblemBody.ts"
import { CONTENT_TYPE } from "../../../domain/telemetry/PrometheusText.ts"
import { Accepted, EndpointsHealth, Live, Page, WorkerMetrics } from "./Bodies.ts"
import { withDialects } from "./DialectPaths.ts"

const problem = (status: number) =>
  ProblemBody.pipe(HttpApiSchema.status(status), HttpApiSchema.asJson({ contentType: problemContentType }))

/** What any route may say instead of its answer. Handlers give their problems as answers, so this is for the document. */
export class Problems extends HttpApiMiddleware.Service<Problems>()("genai-dispatcher/server/api/Problems", {
  error: [problem(400), problem(401), problem(403), problem(404), problem(405), problem(500)]
}) {}

const id = { id: Schema.String }

/** Whole numbers in a query are text. */
const Limit = Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: 1000 }))

const Body = Schema.Union([NeutralForm, GeminiForm])

const submission = {
  /** Requests of one session go to one endpoint. */
  "x-session-id": Schema.optionalKey(Schema.String)
}

const generate = HttpApiEndpoint.post("generate", "/generate", {
  headers: {
    ...submission,
    /** A second request with the same key and body gives the job of the first one. */
    "idempotency-key": Schema.optionalKey(Schema.String)
  },
  payload: Body,
  success: Accepted.pipe(HttpApiSchema.status(202)),
  error: [problem(409), problem(413), problem(415), problem(429), problem(503)]
}).annotateMerge(OpenApi.annotations({ summary: "Accepts a job; its answer is fetched later" }))

const submit = HttpApiEndpoint.post("submit", "/submit", {
  headers: submission,
  payload: Body,
  success: JobResult,
  error: [problem(413), problem(415), problem(422), problem(429), problem(502), problem(503), problem(504)]
}).annotateMerge(OpenApi.annotations({ summary: "Waits for the answer" }))

const getJob = HttpApiEndpoint.get("getJob", "/jobs/:id", {
  params: id,
  success: PublicJob,
  error: problem(503)
}).annotateMerge(OpenApi.annotations({ summary: "Where a job stands, with its answer once it has one" }))

const listJobs = HttpApiEndpoint.get("listJobs", "/jobs", {
  query: {
    status: Schema.optionalKey(JobStatus),
    /** Default: 100. */
    limit: Schema.optionalKey(Limit),
    /** Only jobs accepted before this one. */
    before: Schema.optionalKey(Schema.String)
  },
  success: Page,
  error: problem(503)
}).annotateMerge(OpenApi.annotations({ summary: "Jobs, the latest first" }))

const cancelJob = HttpApiEndpoint.delete("cancelJob", "/jobs/:id", {
  params: id,
  success: PublicJob,
  error: [problem(409), problem(503)]
}).annotateMerge(OpenApi.annotations({ summary: "Cancels a job, and aborts it at the endpoint" }))

const followJob = HttpApiEndpoint.get("followJob", "/jobs/:id/events", {
  params: id,
  success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/event-stream" })),
  error: problem(503)
}).annotateMerge(
  OpenApi.annotations({
    summary: "Follows a job to its end",
    description:
      "Server-sent events: `status` (the job; the first and the last event), `text` ({text}: more of the answer), `reset` (the answer starts anew) and `error` (a problem: it cannot be followed further)."
  })
)

const PrometheusText = Schema.String.pipe(HttpApiSchema.asText({ contentType: CONTENT_TYPE }))

const metrics = HttpApiEndpoint.get("metrics", "/metrics", {
  success: [Schema.Array(WorkerMetrics), PrometheusText]
}).annotateMerge(OpenApi.annotations({ summary: "The workers; in Prometheus' format when Accept asks for text" }))

const prometheus = HttpApiEndpoint.get("prometheus", "/metrics/prometheus", { success: PrometheusText }).annotateMerge(
  OpenApi.annotations({ summary: "All metrics in Prometheus' format" })
)

const live = HttpApiEndpoint.get("live", "/health/live", { success: Live }).annotateMerge(
  OpenApi.annotations({ summary: "Whether the process works" })
)

const ready = HttpApiEndpoint.get("ready", "/health/ready", {
  success: EndpointsHealth,
  error: EndpointsHealth.pipe(HttpApiSchema.status(503))
}).annotateMerge(OpenApi.annotations({ summary: "Whether requests are taken, and if not, why" }))

export class Api extends HttpApi.make("genai-dispatcher")
  .add(
    HttpApiGroup.make("jobs")
      .add(generate, submit, getJob, listJobs, cancelJob, followJob)
      .annotateMerge(
        OpenApi.annotations({ title: "Jobs", description: "Requests that are answered later, or at once" })
      )
  )
  .add(
    HttpApiGroup.make("operations")
      .add(metrics, prometheus, live, ready)
      .annotateMerge(OpenApi.annotations({ title: "Operations", description: "Health and figures of the service" }))
  )
  .middleware(Problems)
  .annotateMerge(
    OpenApi.annotations({
      title: "genai-dispatcher",
      version: "1",
      description: "One place that knows the limits of all GenAI endpoints.",
      transform: withDialects
    })
  ) {}
