/** A job as the databases keep it: what they search by in columns of its own, the rest as JSON text. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import {
  type Job,
  JobFailure,
  type JobOutcome,
  JobResult,
  JobSpec,
  JobStatus,
  JobWebhook
} from "../../domain/jobs/Job.ts"
import { JobStoreError } from "../../services/JobStore.ts"

const Outcome = Schema.Struct({ result: Schema.optionalKey(JobResult), failure: Schema.optionalKey(JobFailure) })

/** The columns that make a job; `COLUMNS` names them. */
const JobRow = Schema.Struct({
  spec: Schema.fromJsonString(JobSpec),
  status: JobStatus,
  runs: Schema.Int,
  started_at: Schema.NullOr(Schema.Finite),
  ended_at: Schema.NullOr(Schema.Finite),
  outcome: Schema.NullOr(Schema.fromJsonString(Outcome)),
  webhook_status: Schema.NullOr(JobWebhook.fields.status),
  webhook_attempts: Schema.Int,
  webhook_next_at: Schema.NullOr(Schema.Finite)
})

export const COLUMNS: ReadonlyArray<string> = Object.keys(JobRow.fields)

const decodeRow = Schema.decodeUnknownEffect(JobRow)
const decodeRowExit = Schema.decodeUnknownExit(JobRow)
const encodeSpec = Schema.encodeSync(Schema.fromJsonString(JobSpec))
const encodeOutcome = Schema.encodeSync(Schema.fromJsonString(Outcome))

export const specText = (spec: JobSpec): string => encodeSpec(spec)

export const outcomeText = (outcome: JobOutcome): string =>
  encodeOutcome(outcome.status === "Completed" ? { result: outcome.result } : { failure: outcome.failure })

/** What becomes of a job that was taken up and cannot be read. */
export const unreadableOutcome = (): string =>
  outcomeText({
    status: "Failed",
    failure: {
      message: "The job cannot be read any more: another version of the service, or another program, has written it.",
      reason: "Internal",
      attempts: 0
    }
  })

/** As JSON text: clients choose the key, and databases do not take every character as it is. */
export const keyText = (spec: JobSpec): string | null =>
  spec.idempotencyKey === undefined ? null : JSON.stringify(spec.idempotencyKey)

export const decode = (row: unknown): Effect.Effect<Job, JobStoreError> =>
  decodeRow(row).pipe(Effect.map(toJob), Effect.mapError(unreadable))

export const decodeAll = (rows: ReadonlyArray<unknown>): Effect.Effect<ReadonlyArray<Job>, JobStoreError> =>
  Effect.forEach(rows, decode)

/** The jobs of those rows that can be read, and the other rows: one of these must not keep the jobs beside it from being run. */
export const partition = <R>(
  rows: ReadonlyArray<R>
): { readonly jobs: ReadonlyArray<Job>; readonly bad: ReadonlyArray<R> } => {
  const jobs: Array<Job> = []
  const bad: Array<R> = []
  for (const row of rows) {
    const decoded = decodeRowExit(row)
    if (Exit.isSuccess(decoded)) jobs.push(toJob(decoded.value))
    else bad.push(row)
  }
  return { jobs, bad }
}

const toJob = (row: typeof JobRow.Type): Job => ({
  ...row.spec,
  status: row.status,
  runs: row.runs,
  ...(row.started_at === null ? {} : { startedAtMs: row.started_at }),
  ...(row.ended_at === null ? {} : { endedAtMs: row.ended_at }),
  ...row.outcome,
  ...(row.webhook_status === null || row.webhook_next_at === null || row.spec.webhookUrl === undefined
    ? {}
    : {
        webhook: {
          url: row.spec.webhookUrl,
          status: row.webhook_status,
          attempts: row.webhook_attempts,
          nextAtMs: row.webhook_next_at
        }
      })
})

/** The schema's own words would quote the request: it may be private. */
const unreadable = (): JobStoreError =>
  new JobStoreError({
    message: "A job in the store cannot be read: another version of the service, or another program, has written it.",
    isTransient: false
  })

/** For the log; by id, for the rest may be private. */
export const tellOf = (ids: ReadonlyArray<string>): Effect.Effect<void> =>
  ids.length === 0
    ? Effect.void
    : Effect.logError(`Jobs in the store cannot be read, and are passed over or failed: ${ids.join(", ")}`)
