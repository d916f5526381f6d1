/** Accepts requests to be answered later, runs them, and says how they stand. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { GenAiRequest } from "../domain/genai/GenAiRequest.ts"
import type { Job, JobId, JobStatus } from "../domain/jobs/Job.ts"
import type { Problem } from "../domain/server/Problem.ts"

/** A job to be accepted. */
export interface NewJob {
  /** Whose job it is: the name of an API key. */
  readonly owner: string
  readonly request: GenAiRequest
  /** The model's name as the client gave it. Default: any endpoint. */
  readonly model?: string | undefined
  /** Requests of one session go to one endpoint while the affinity's TTL lasts. Default: none. */
  readonly session?: string | undefined
  /** Whether `events` gives the text piece by piece. Default: false, whole at the end. */
  readonly stream?: boolean | undefined
  /** Jobs of one owner with the same key are one job. Default: none. */
  readonly idempotencyKey?: string | undefined
  /** Told when the job has ended. Default: nobody is. */
  readonly webhookUrl?: string | undefined
}

/** What happens to a job while it is watched. The first is where it stands; the last is an end. */
export type JobEvent =
  | { readonly _tag: "Status"; readonly job: Job }
  /** More of the text. */
  | { readonly _tag: "Text"; readonly text: string }
  /** The run broke off and is made again: the text so far is void. */
  | { readonly _tag: "Reset" }

/**
 * Every job that was accepted ends, also when the process does not live to see it: the next one that opens the store runs
 * it again. Whoever asks for another owner's job is told that there is none.
 */
export class Jobs extends Context.Service<
  Jobs,
  {
    /**
     * Accepts a job; when this returns, the store has it. With an idempotency key that the owner has used for the same request,
     * the job of that time. Fails with `Overloaded` when there are too many that have not ended, with a truthful hint when to
     * come again, `Draining` at shutdown, `Conflict`, `NotFound` (model), `InvalidRequest` (webhook).
     */
    readonly submit: (job: NewJob) => Effect.Effect<{ readonly job: Job; readonly isNew: boolean }, Problem>
    readonly get: (owner: string, id: JobId) => Effect.Effect<Job, Problem>
    /** The latest first, at most `limit`; `before` is the last of the page before. */
    readonly list: (
      owner: string,
      page: { readonly status?: JobStatus | undefined; readonly before?: JobId | undefined; readonly limit: number }
    ) => Effect.Effect<ReadonlyArray<Job>, Problem>
    /** Ends a job as Cancelled and aborts it at the endpoint. Fails with `Conflict` when it has ended otherwise. */
    readonly cancel: (owner: string, id: JobId) => Effect.Effect<Job, Problem>
    /** Follows a job to its end. */
    readonly events: (owner: string, id: JobId) => Stream.Stream<JobEvent, Problem>
    /** How many jobs have which status; where counting is costly, how it was a short time ago. */
    readonly counts: Effect.Effect<Readonly<Record<JobStatus, number>>, Problem>
    /** Whether jobs can be kept: false while the store can be written no more. */
    readonly isUsable: Effect.Effect<boolean>
    /**
     * Accepts and starts no more. What runs may end within the time; the rest goes back to the store, as Pending. Returns
     * when nothing runs any more.
     */
    readonly drain: (graceMs: number) => Effect.Effect<void>
  }
>()("genai-dispatcher/services/Jobs") {}
