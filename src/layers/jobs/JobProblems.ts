/** What clients are told when they cannot have what they ask of jobs. */
import type { Job } from "../../domain/jobs/Job.ts"
import { Problem } from "../../domain/server/Problem.ts"
import type { JobStoreError } from "../../services/JobStore.ts"

const RETRY_MS = 1_000

/** The store's own sentence may name files and hosts: it is for the log. */
export const storeProblem = ({ isTransient }: JobStoreError): Problem =>
  isTransient
    ? new Problem({
        kind: "Overloaded",
        code: "store_unavailable",
        message: "The store of jobs does not answer now: come again.",
        retryAfterMs: RETRY_MS
      })
    : new Problem({ kind: "Internal", code: "store_failed", message: "The store of jobs failed at this request." })

export const noSuchJob = new Problem({
  kind: "NotFound",
  code: "job_not_found",
  message: "There is no such job: it never was, or its time to be fetched is over."
})

/** It would be sorted somewhere, and the page begin anywhere. */
export const noPage = new Problem({
  kind: "InvalidRequest",
  field: "before",
  message: "before: expected the id of a job, as next of the page before has it."
})

export const conflict = new Problem({
  kind: "Conflict",
  code: "idempotency_key_reused",
  field: "idempotency-key",
  message: "The idempotency key was used for another request: use a new one."
})

export const hasEnded = ({ status }: Job): Problem =>
  new Problem({ kind: "Conflict", code: "job_has_ended", message: `The job is ${status}, so it cannot be cancelled.` })

export const full = (pending: number, retryAfterMs: number): Problem =>
  new Problem({
    kind: "Overloaded",
    code: "too_many_jobs",
    message: `There are ${pending} jobs that have not ended, and no more are taken: come again later.`,
    retryAfterMs
  })

/** To those who follow a job that is not to run here. */
export const keptForLater = new Problem({
  kind: "Draining",
  message: "The service is shutting down: the job is kept, follow it again at the next start."
})
