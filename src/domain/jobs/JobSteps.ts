/** What each step makes of a job: the same for all stores. */
import { isEnded, type Job, type JobOutcome, type JobSpec, type JobWebhook } from "./Job.ts"

/** A job as it is accepted. Its webhook counts from the end of the job on. */
export const accepted = ({ request: _, ...about }: JobSpec): Job => ({
  ...about,
  status: "Pending",
  runs: 0,
  ...(about.webhookUrl === undefined
    ? {}
    : { webhook: { url: about.webhookUrl, status: "pending", attempts: 0, nextAtMs: about.createdAtMs } })
})

export const started = (job: Job, nowMs: number): Job => ({
  ...job,
  status: "Running",
  runs: job.runs + 1,
  startedAtMs: nowMs
})

/** Given back: it waits as if it had not been taken up, except that the run counts. */
export const waitsAgain = ({ startedAtMs: _, ...job }: Job): Job => ({ ...job, status: "Pending" })

export const ended = (job: Job, outcome: JobOutcome | { readonly status: "Cancelled" }, nowMs: number): Job => ({
  ...job,
  ...outcome,
  endedAtMs: nowMs,
  ...(job.webhook === undefined ? {} : { webhook: { ...job.webhook, nextAtMs: nowMs } })
})

/** Whether somebody is still to be told of the job's end. */
export const awaitsWebhook = (job: Job): boolean => isEnded(job.status) && job.webhook?.status === "pending"

/**
 * Whether a job that is kept is what the new one asks for: the second of two `create`s of one request, told apart from
 * another request under the same idempotency key.
 */
export const isSame = (kept: Pick<Job, "owner" | "requestHash">, spec: JobSpec): boolean =>
  kept.owner === spec.owner && kept.requestHash === spec.requestHash

/** How far its webhook has come; a job that has none gets none. */
export const withWebhook = (job: Job, webhook: JobWebhook): Job =>
  job.webhook === undefined ? job : { ...job, webhook: { ...webhook, url: job.webhook.url } }
