/** A job as clients and webhooks are told of it. */
import * as Schema from "effect/Schema"
import { type Job, JobFailure, JobResult, JobStatus } from "./Job.ts"

/** Times are RFC 3339 texts, in UTC. */
export const PublicJob = Schema.Struct({
  job_id: Schema.String,
  status: JobStatus,
  /** The model's name as the client gave it. */
  model: Schema.optionalKey(Schema.String),
  session: Schema.optionalKey(Schema.String),
  created_at: Schema.String,
  started_at: Schema.optionalKey(Schema.String),
  ended_at: Schema.optionalKey(Schema.String),
  /** Of a completed job. */
  result: Schema.optionalKey(JobResult),
  /** Of a failed job. */
  error: Schema.optionalKey(JobFailure),
  /** How far telling the webhook has come. */
  webhook: Schema.optionalKey(
    Schema.Struct({ status: Schema.Literals(["pending", "delivered", "failed"]), attempts: Schema.Int })
  )
}).annotate({ identifier: "Job" })
export type PublicJob = typeof PublicJob.Type

const timeText = (ms: number): string => new Date(ms).toISOString()

export const publicJob = (job: Job): PublicJob => ({
  job_id: job.id,
  status: job.status,
  ...(job.model === undefined ? {} : { model: job.model }),
  ...(job.session === undefined ? {} : { session: job.session }),
  created_at: timeText(job.createdAtMs),
  ...(job.startedAtMs === undefined ? {} : { started_at: timeText(job.startedAtMs) }),
  ...(job.endedAtMs === undefined ? {} : { ended_at: timeText(job.endedAtMs) }),
  ...(job.result === undefined ? {} : { result: job.result }),
  ...(job.failure === undefined ? {} : { error: job.failure }),
  ...(job.webhook === undefined ? {} : { webhook: { status: job.webhook.status, attempts: job.webhook.attempts } })
})
