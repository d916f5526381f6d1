/** What a store of jobs is to do, said as simply as can be: one list, looked through each time. */
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import {
  isEnded,
  type Job,
  type JobId,
  type JobOutcome,
  type JobSpec,
  type JobStatus
} from "../../../src/domain/jobs/Job.ts"
import type { Claim, Created, JobFilter } from "../../../src/services/JobStore.ts"

interface Entry {
  job: Job
  readonly request: GenAiRequest
  holder: string
  leaseUntilMs: number
}

type Held = { readonly id: JobId; readonly run: number }

export class StoreModel {
  entries: Array<Entry> = []

  /** The entries that match, the first accepted first. */
  private where(matches: (job: Job, entry: Entry) => boolean): Array<Entry> {
    return this.entries.filter((entry) => matches(entry.job, entry)).sort((a, b) => (a.job.id < b.job.id ? -1 : 1))
  }

  private held({ id, run }: Held): Entry | undefined {
    return this.where((job) => job.id === id && job.status === "Running" && job.runs === run)[0]
  }

  create(specs: ReadonlyArray<JobSpec>, maxPending: number): ReadonlyArray<Created> {
    return specs.map((spec) => {
      const known =
        this.where((job) => job.id === spec.id)[0] ??
        this.where(
          (job) =>
            spec.idempotencyKey !== undefined && job.owner === spec.owner && job.idempotencyKey === spec.idempotencyKey
        )[0]
      if (known !== undefined) {
        const isSame = known.job.owner === spec.owner && known.job.requestHash === spec.requestHash
        return { _tag: isSame ? "Existing" : "Conflict", job: known.job }
      }
      const pending = this.where((job) => !isEnded(job.status)).length
      if (pending >= maxPending) return { _tag: "Full", pending }
      const { request, ...about } = spec
      const job: Job = {
        ...about,
        status: "Pending",
        runs: 0,
        ...(spec.webhookUrl === undefined
          ? {}
          : { webhook: { url: spec.webhookUrl, status: "pending", attempts: 0, nextAtMs: spec.createdAtMs } })
      }
      this.entries.push({ job, request, holder: "", leaseUntilMs: 0 })
      return { _tag: "Created", job }
    })
  }

  get(id: JobId): Job | undefined {
    return this.where((job) => job.id === id)[0]?.job
  }

  list({ before, limit, owner, status }: JobFilter): ReadonlyArray<Job> {
    return this.where(
      (job) =>
        (owner === undefined || job.owner === owner) &&
        (status === undefined || job.status === status) &&
        (before === undefined || job.id < before)
    )
      .reverse()
      .slice(0, limit)
      .map(({ job }) => job)
  }

  count(): Record<JobStatus, number> {
    const of = (status: JobStatus) => this.where((job) => job.status === status).length
    return {
      Pending: of("Pending"),
      Running: of("Running"),
      Completed: of("Completed"),
      Failed: of("Failed"),
      Cancelled: of("Cancelled")
    }
  }

  claim(holder: string, limit: number, nowMs: number, leaseUntilMs: number): ReadonlyArray<Claim> {
    return this.where((job) => job.status === "Pending")
      .slice(0, limit)
      .map((entry) => {
        entry.job = { ...entry.job, status: "Running", runs: entry.job.runs + 1, startedAtMs: nowMs }
        entry.holder = holder
        entry.leaseUntilMs = leaseUntilMs
        return { job: entry.job, request: entry.request, run: entry.job.runs }
      })
  }

  renew(claims: ReadonlyArray<Held>, leaseUntilMs: number): ReadonlyArray<JobId> {
    return claims.flatMap((claim) => {
      const entry = this.held(claim)
      if (entry === undefined) return [claim.id]
      entry.leaseUntilMs = leaseUntilMs
      return []
    })
  }

  private finish(entry: Entry, outcome: JobOutcome | { readonly status: "Cancelled" }, nowMs: number): void {
    const { job } = entry
    const webhook = job.webhook === undefined ? {} : { webhook: { ...job.webhook, nextAtMs: nowMs } }
    entry.job = { ...job, ...outcome, endedAtMs: nowMs, ...webhook }
  }

  private giveBack(entry: Entry): void {
    const { startedAtMs: _, ...job } = entry.job
    entry.job = { ...job, status: "Pending" }
  }

  end(claim: Held, outcome: JobOutcome, nowMs: number): boolean {
    const entry = this.held(claim)
    if (entry !== undefined) this.finish(entry, outcome, nowMs)
    return entry !== undefined
  }

  release(claims: ReadonlyArray<Held>): void {
    for (const claim of claims) {
      const entry = this.held(claim)
      if (entry !== undefined) this.giveBack(entry)
    }
  }

  cancel(id: JobId, nowMs: number): { readonly job: Job; readonly cancelled: boolean } | undefined {
    const entry = this.where((job) => job.id === id)[0]
    if (entry === undefined) return undefined
    const cancelled = !isEnded(entry.job.status)
    if (cancelled) this.finish(entry, { status: "Cancelled" }, nowMs)
    return { job: entry.job, cancelled }
  }

  recover(holder: string, nowMs: number, own: boolean): number {
    const back = this.where(
      (job, entry) => job.status === "Running" && (entry.leaseUntilMs <= nowMs || (own && entry.holder === holder))
    )
    for (const entry of back) this.giveBack(entry)
    return back.length
  }

  purge(endedBeforeMs: number): number {
    const before = this.entries.length
    this.entries = this.entries.filter(
      ({ job }) => !isEnded(job.status) || (job.endedAtMs ?? 0) >= endedBeforeMs || job.webhook?.status === "pending"
    )
    return before - this.entries.length
  }

  dueWebhooks(nowMs: number, limit: number, retryAtMs: number): ReadonlyArray<Job> {
    return this.where(
      (job) => isEnded(job.status) && job.webhook?.status === "pending" && job.webhook.nextAtMs <= nowMs
    )
      .sort((a, b) => (a.job.webhook?.nextAtMs ?? 0) - (b.job.webhook?.nextAtMs ?? 0))
      .slice(0, limit)
      .map((entry) => {
        if (entry.job.webhook !== undefined) {
          entry.job = { ...entry.job, webhook: { ...entry.job.webhook, nextAtMs: retryAtMs } }
        }
        return entry.job
      })
  }

  setWebhook(id: JobId, webhook: Omit<NonNullable<Job["webhook"]>, "url">): void {
    const entry = this.where((job) => job.id === id)[0]
    if (entry?.job.webhook !== undefined) {
      entry.job = { ...entry.job, webhook: { ...webhook, url: entry.job.webhook.url } }
    }
  }
}
