/** Keeps jobs, across restarts where the store is durable. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { GenAiRequest } from "../domain/genai/GenAiRequest.ts"
import type { Job, JobId, JobOutcome, JobSpec, JobStatus, JobWebhook } from "../domain/jobs/Job.ts"

/** The store cannot be read or written: a full disk, a database that is gone. The sentence holds no secrets. */
export class JobStoreError extends Schema.TaggedError<JobStoreError>()("JobStoreError", {
  message: Schema.String,
  /** Whether the same may work later, of a store that works again. */
  isTransient: Schema.Boolean
}) {}

/** What became of a job that was to be kept. */
export type Created =
  /** It is kept: from now on it survives the process. */
  | { readonly _tag: "Created"; readonly job: Job }
  /** The owner has a job of the same id or idempotency key, and of the same request: an answer that was lost may be asked again. */
  | { readonly _tag: "Existing"; readonly job: Job }
  /** The idempotency key or the id is that of another request. */
  | { readonly _tag: "Conflict"; readonly job: Job }
  /** There are `maxPending` jobs that have not ended. */
  | { readonly _tag: "Full"; readonly pending: number }

/** Which jobs are asked for. */
export interface JobFilter {
  /** Only jobs of this owner. Default: of all. */
  readonly owner?: string | undefined
  readonly status?: JobStatus | undefined
  /** Only jobs accepted before this one: the last of the page before. */
  readonly before?: JobId | undefined
  /** From 1 to 1,000. */
  readonly limit: number
}

/** A job that was taken up. Whoever holds a later claim of the same job has taken it over. */
export interface Claim {
  readonly job: Job
  readonly request: GenAiRequest
  /** The job's `runs` of this claim: only with it can the job be ended. */
  readonly run: number
}

/**
 * The jobs of one instance of the service, or of several that share the store.
 *
 * A job goes `Pending -> Running -> Completed | Failed`, or to `Cancelled` from either of the first two; back to `Pending`
 * only when the instance that ran it is gone or gives it back. Each step is atomic, whoever does it, so a job has exactly one end.
 */
export class JobStore extends Context.Service<
  JobStore,
  {
    /** Keeps new jobs, all in one transaction; the answers are in their order. Durable once it returns. */
    readonly create: (
      specs: ReadonlyArray<JobSpec>,
      options: { readonly maxPending: number }
    ) => Effect.Effect<ReadonlyArray<Created>, JobStoreError>
    readonly get: (id: JobId) => Effect.Effect<Option.Option<Job>, JobStoreError>
    /** The latest first. */
    readonly list: (filter: JobFilter) => Effect.Effect<ReadonlyArray<Job>, JobStoreError>
    /** How many jobs have which status. */
    readonly count: Effect.Effect<Readonly<Record<JobStatus, number>>, JobStoreError>
    /**
     * Takes up at most `limit` pending jobs, the oldest first, as Running of this instance until `leaseUntilMs`; fewer than there
     * are when their requests are long, none only when there are none. Two instances never get the same one.
     */
    readonly claim: (options: {
      readonly limit: number
      readonly nowMs: number
      readonly leaseUntilMs: number
    }) => Effect.Effect<ReadonlyArray<Claim>, JobStoreError>
    /** Prolongs the claims of this instance. Gives those that are lost: the job was cancelled, or taken over. */
    readonly renew: (
      claims: ReadonlyArray<Pick<Claim, "run"> & { readonly id: JobId }>,
      leaseUntilMs: number
    ) => Effect.Effect<ReadonlyArray<JobId>, JobStoreError>
    /** Ends jobs, all in one transaction. For each, in order: false when the claim was lost, and then nothing changed. */
    readonly end: (
      ends: ReadonlyArray<{
        readonly id: JobId
        readonly run: number
        readonly outcome: JobOutcome
        readonly nowMs: number
      }>
    ) => Effect.Effect<ReadonlyArray<boolean>, JobStoreError>
    /** Gives claims back: the jobs are Pending again. For a service that shuts down. */
    readonly release: (
      claims: ReadonlyArray<Pick<Claim, "run"> & { readonly id: JobId }>
    ) => Effect.Effect<void, JobStoreError>
    /** Ends a job as Cancelled unless it has ended; gives it as it is then, or none when there is no such job. */
    readonly cancel: (
      id: JobId,
      nowMs: number
    ) => Effect.Effect<Option.Option<{ readonly job: Job; readonly cancelled: boolean }>, JobStoreError>
    /**
     * Makes jobs Pending again whose instance is gone: those of an earlier run of an instance of this name, and those whose lease
     * has ended. Gives how many.
     */
    readonly recover: (options: {
      readonly nowMs: number
      /** Whether jobs that this instance's name holds are taken back too: true once, at the start. */
      readonly own: boolean
    }) => Effect.Effect<number, JobStoreError>
    /** Forgets jobs that ended before, with their idempotency keys; those whose webhook is pending stay. Gives how many. */
    readonly purge: (endedBeforeMs: number) => Effect.Effect<number, JobStoreError>
    /** Jobs that have ended and whose webhook is due, the longest due first; they are not due again until `retryAtMs`. */
    readonly dueWebhooks: (options: {
      readonly nowMs: number
      readonly limit: number
      readonly retryAtMs: number
    }) => Effect.Effect<ReadonlyArray<Job>, JobStoreError>
    /** Writes something of no consequence: fails when nothing can be kept now. */
    readonly check: Effect.Effect<void, JobStoreError>
    /** Says how far a job's webhook has come; nothing when the job has none, or is forgotten. */
    readonly setWebhook: (id: JobId, webhook: JobWebhook) => Effect.Effect<void, JobStoreError>
  }
>()("genai-dispatcher/services/JobStore") {}
