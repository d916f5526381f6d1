/** A request that was accepted to be answered later: what is kept of it, and where it stands. */
import * as Schema from "effect/Schema"
import { GenAiRequest } from "../genai/GenAiRequest.ts"

/** Where a job stands. The last three are ends: a job that has one of them keeps it. */
export const JobStatus = Schema.Literals(["Pending", "Running", "Completed", "Failed", "Cancelled"])
export type JobStatus = typeof JobStatus.Type

export const isEnded = (status: JobStatus): boolean => status !== "Pending" && status !== "Running"

/** Sorts by time of acceptance (UUID version 7, RFC 9562). */
export const JobId = Schema.String.pipe(Schema.brand("genai-dispatcher/JobId"))
export type JobId = typeof JobId.Type

/** Tokens that the provider says it counted, in the words of the other members. Absent ones were not reported. */
export const JobUsage = Schema.Struct({
  input_tokens: Schema.optionalKey(Schema.Int),
  /** Those of the tokens read that came from a cache. */
  cached_input_tokens: Schema.optionalKey(Schema.Int),
  output_tokens: Schema.optionalKey(Schema.Int),
  total_tokens: Schema.optionalKey(Schema.Int)
})
export type JobUsage = typeof JobUsage.Type

/** The answer of a completed job. */
export const JobResult = Schema.Struct({
  text: Schema.String,
  finish_reason: Schema.optionalKey(Schema.String),
  /** The model that answered, as its provider names it. */
  model: Schema.optionalKey(Schema.String),
  usage: Schema.optionalKey(JobUsage),
  /** Name of the endpoint that answered. */
  endpoint: Schema.String,
  /** How many times the request was sent, in the run that brought the answer. */
  attempts: Schema.Int,
  latency_ms: Schema.Finite
})
export type JobResult = typeof JobResult.Type

/** Why a job failed. */
export const JobFailure = Schema.Struct({
  message: Schema.String,
  /** The `_tag` of the `GenAiError`'s reason. */
  reason: Schema.String,
  endpoint: Schema.optionalKey(Schema.String),
  attempts: Schema.Int
})
export type JobFailure = typeof JobFailure.Type

/** Whom to tell that a job has ended, and how far that has come. */
export const JobWebhook = Schema.Struct({
  url: Schema.String,
  status: Schema.Literals(["pending", "delivered", "failed"]),
  /** Deliveries tried. */
  attempts: Schema.Int,
  /** When it may be tried next; Unix time in milliseconds. */
  nextAtMs: Schema.Finite
})
export type JobWebhook = typeof JobWebhook.Type

/** What a job is about, but for its request; does not change. */
const about = {
  id: JobId,
  /** Name of the API key that it belongs to; empty when the service asks for none. */
  owner: Schema.String,
  /** The model's name as the client gave it; absent for any endpoint. */
  model: Schema.optionalKey(Schema.String),
  session: Schema.optionalKey(Schema.String),
  /** Whether the text is wanted piece by piece, by those who follow the job's events. */
  stream: Schema.Boolean,
  /** Unique per owner; a second job of the same key is the first one. */
  idempotencyKey: Schema.optionalKey(Schema.String),
  /** Tells whether two requests with one idempotency key are the same request. */
  requestHash: Schema.String,
  webhookUrl: Schema.optionalKey(Schema.String),
  /** Unix time in milliseconds, as are all times here. */
  createdAtMs: Schema.Finite
}
export const JobAbout = Schema.Struct(about)

/** A job as it is handed in. */
export const JobSpec = Schema.Struct({ ...about, request: GenAiRequest })
export type JobSpec = typeof JobSpec.Type

/** A job, now. Its request, which may be many megabytes, only those get who run it. */
export const Job = Schema.Struct({
  ...about,
  status: JobStatus,
  /** How many times it was taken up to be run; above 1 after a crash. */
  runs: Schema.Int,
  startedAtMs: Schema.optionalKey(Schema.Finite),
  endedAtMs: Schema.optionalKey(Schema.Finite),
  result: Schema.optionalKey(JobResult),
  failure: Schema.optionalKey(JobFailure),
  webhook: Schema.optionalKey(JobWebhook)
})
export type Job = typeof Job.Type

/** How a run of a job ended. */
export type JobOutcome =
  | { readonly status: "Completed"; readonly result: JobResult }
  | { readonly status: "Failed"; readonly failure: JobFailure }
