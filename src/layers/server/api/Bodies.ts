/** What the control plane answers with, beside jobs. */
import * as Schema from "effect/Schema"
import { PublicJob } from "../../../domain/jobs/PublicJob.ts"

export const Accepted = Schema.Struct({ job_id: Schema.String }).annotate({ identifier: "AcceptedJob" })

export const Page = Schema.Struct({
  jobs: Schema.Array(PublicJob),
  /** `before` of the next page; absent on the last. */
  next: Schema.optionalKey(Schema.String)
}).annotate({ identifier: "JobPage" })

export const WorkerMetrics = Schema.Struct({
  /** Its place in the configuration, from 0. */
  worker_id: Schema.Int,
  /** Sent and not yet answered. */
  inflight: Schema.Int,
  /** Given to it and not yet sent. */
  queue_len: Schema.Int,
  /** Most requests in its queue. */
  capacity: Schema.Int,
  /** Sends that failed. */
  errors: Schema.Int,
  name: Schema.String,
  kind: Schema.String,
  state: Schema.Literals(["up", "recovering", "cooling", "open", "disabled"]),
  /** Most requests in flight. */
  concurrency: Schema.Int,
  sent: Schema.Int,
  completed: Schema.Int,
  aborted: Schema.Int,
  input_tokens: Schema.Int,
  output_tokens: Schema.Int
}).annotate({ identifier: "Worker" })
export type WorkerMetrics = typeof WorkerMetrics.Type

export const Live = Schema.Struct({ status: Schema.Literal("live") })

export const EndpointsHealth = Schema.Struct({
  status: Schema.Literals(["ready", "draining", "unavailable"]),
  endpoints: Schema.Array(
    Schema.Struct({ name: Schema.String, state: WorkerMetrics.fields.state, usable: Schema.Boolean })
  ),
  /** Only when their store cannot be written. */
  jobs: Schema.optionalKey(Schema.Literal("unavailable"))
}).annotate({ identifier: "Readiness" })
export type EndpointsHealth = typeof EndpointsHealth.Type
