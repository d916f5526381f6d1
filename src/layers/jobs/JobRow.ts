/** A job as the databases keep it: what they search by in columns of its own, the rest as JSON text. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import {
  type Job,
  JobAbout,
  JobFailure,
  type JobOutcome,
  JobResult,
  type JobSpec,
  JobStatus,
  JobWebhook
} from "../../domain/jobs/Job.ts"
import { type Claim, JobStoreError } from "../../services/JobStore.ts"

const Outcome = Schema.Struct({ result: Schema.optionalKey(JobResult), failure: Schema.optionalKey(JobFailure) })

/** Most bytes of requests that are taken up at once, unless the first one has more; one of many megabytes takes long to read. */
export const MOST_BYTES = 1024 * 1024

/** The columns that make a job; `COLUMNS` names those that the tables have as they are. */
const columns = {
  status: JobStatus,
  runs: Schema.Int,
  started_at: Schema.NullOr(Schema.Finite),
  ended_at: Schema.NullOr(Schema.Finite),
  outcome: Schema.NullOr(Schema.fromJsonString(Outcome)),
  webhook_status: Schema.NullOr(JobWebhook.fields.status),
  webhook_attempts: Schema.Int,
  webhook_next_at: Schema.NullOr(Schema.Finite)
}
const JobRow = Schema.Struct({ about: Schema.fromJsonString(JobAbout), ...columns })
const Request = Schema.fromJsonString(Schema.Struct({ request: GenAiRequest }))
const ClaimRow = Schema.Struct({ ...JobRow.fields, spec: Request })

export const COLUMNS: ReadonlyArray<string> = Object.keys(columns)

const decodeRow = Schema.decodeUnknownEffect(JobRow)
const readRow = Schema.decodeUnknownExit(JobRow)
const readClaim = Schema.decodeUnknownExit(ClaimRow)
const encodeAbout = Schema.encodeSync(Schema.fromJsonString(JobAbout))
const encodeRequest = Schema.encodeSync(Request)
const encodeOutcome = Schema.encodeSync(Schema.fromJsonString(Outcome))

/** What is read of a job again and again; apart from its request, which only its runs need. */
export const aboutText = (spec: JobSpec): string => encodeAbout(spec)

export const requestText = (spec: JobSpec): string => encodeRequest(spec)

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

/** What can be read of some rows, and the other rows: one of these must not hide those beside it. */
export interface Partition<A, R> {
  readonly good: ReadonlyArray<A>
  readonly bad: ReadonlyArray<R>
}

const partition =
  <A>(read: (row: unknown) => Exit.Exit<A, unknown>) =>
  <R>(rows: ReadonlyArray<R>): Partition<A, R> => {
    const good: Array<A> = []
    const bad: Array<R> = []
    for (const row of rows) {
      const decoded = read(row)
      if (Exit.isSuccess(decoded)) good.push(decoded.value)
      else bad.push(row)
    }
    return { good, bad }
  }

export const jobs = partition((row) => Exit.map(readRow(row), toJob))

/** Of rows that have the column `spec` too. */
export const claims = partition((row) =>
  Exit.map(readClaim(row), (read): Claim => ({ job: toJob(read), request: read.spec.request, run: read.runs }))
)

const toJob = (row: typeof JobRow.Type): Job => ({
  ...row.about,
  status: row.status,
  runs: row.runs,
  ...(row.started_at === null ? {} : { startedAtMs: row.started_at }),
  ...(row.ended_at === null ? {} : { endedAtMs: row.ended_at }),
  ...row.outcome,
  ...(row.webhook_status === null || row.webhook_next_at === null || row.about.webhookUrl === undefined
    ? {}
    : {
        webhook: {
          url: row.about.webhookUrl,
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
