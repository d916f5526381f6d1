/** Jobs in this process's memory: they are gone when it ends. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import { isEnded, type Job, type JobId, type JobSpec, type JobStatus } from "../../domain/jobs/Job.ts"
import { accepted, awaitsWebhook, ended, isSame, started, waitsAgain, withWebhook } from "../../domain/jobs/JobSteps.ts"
import { type Created, JobStore } from "../../services/JobStore.ts"
import * as SortedList from "./SortedList.ts"

/** A job, and whose it is while it runs. */
interface Kept {
  job: Job
  request: GenAiRequest
  instance: string
  leaseUntilMs: number
}

/** Of a job that has ended: it is not run again. */
const FORGOTTEN: GenAiRequest = { messages: [] }

/** What is kept of one owner. */
interface Owner {
  readonly jobs: SortedList.SortedList<Kept>
  readonly keys: Map<string, Kept>
}

/** The jobs of all stores that are made over it. */
export interface Memory {
  readonly byId: Map<JobId, Kept>
  readonly byOwner: Map<string, Owner>
  readonly counts: Record<JobStatus, number>
  /** The following are in order of acceptance. */
  readonly all: SortedList.SortedList<Kept>
  /** Also those that were cancelled since; claims pass over them. */
  readonly pending: SortedList.SortedList<Kept>
  readonly running: Set<Kept>
  /** In order of their end. */
  readonly ended: SortedList.SortedList<Kept>
  /** Those whose webhook is to be called, in order of when. */
  readonly webhooks: SortedList.SortedList<Kept>
}

const byAcceptance = (a: Kept, b: Kept): number => (a.job.id < b.job.id ? -1 : a.job.id > b.job.id ? 1 : 0)
const byEnd = (a: Kept, b: Kept): number => (a.job.endedAtMs ?? 0) - (b.job.endedAtMs ?? 0) || byAcceptance(a, b)
const byWebhook = (a: Kept, b: Kept): number =>
  (a.job.webhook?.nextAtMs ?? 0) - (b.job.webhook?.nextAtMs ?? 0) || byAcceptance(a, b)

/** A memory without jobs. */
export const makeMemory = (): Memory => ({
  byId: new Map(),
  byOwner: new Map(),
  counts: { Pending: 0, Running: 0, Completed: 0, Failed: 0, Cancelled: 0 },
  all: SortedList.make(byAcceptance),
  pending: SortedList.make(byAcceptance),
  running: new Set(),
  ended: SortedList.make(byEnd),
  webhooks: SortedList.make(byWebhook)
})

/** Puts a job, new or changed, where its status belongs. The only place that changes one, so that the lists agree with it. */
const put = (memory: Memory, kept: Kept, job: Job): void => {
  const isNew = !memory.byId.has(job.id)
  if (awaitsWebhook(kept.job)) SortedList.remove(memory.webhooks, kept)
  if (!isNew) memory.counts[kept.job.status]--
  memory.counts[job.status]++
  const moved = isNew || kept.job.status !== job.status
  kept.job = job
  if (awaitsWebhook(job)) SortedList.add(memory.webhooks, kept)
  if (!moved) return
  if (job.status === "Running") memory.running.add(kept)
  else memory.running.delete(kept)
  if (job.status === "Pending") SortedList.add(memory.pending, kept)
  if (!isEnded(job.status)) return
  SortedList.add(memory.ended, kept)
  kept.request = FORGOTTEN
}

const ownerOf = (memory: Memory, name: string): Owner => {
  const known = memory.byOwner.get(name)
  if (known !== undefined) return known
  const owner: Owner = { jobs: SortedList.make(byAcceptance), keys: new Map() }
  memory.byOwner.set(name, owner)
  return owner
}

const createOne = (memory: Memory, spec: JobSpec, maxPending: number): Created => {
  const byKey =
    spec.idempotencyKey === undefined ? undefined : memory.byOwner.get(spec.owner)?.keys.get(spec.idempotencyKey)
  const known = memory.byId.get(spec.id) ?? byKey
  if (known !== undefined) return { _tag: isSame(known.job, spec) ? "Existing" : "Conflict", job: known.job }
  const pending = memory.counts.Pending + memory.counts.Running
  if (pending >= maxPending) return { _tag: "Full", pending }
  const kept: Kept = { job: accepted(spec), request: spec.request, instance: "", leaseUntilMs: 0 }
  put(memory, kept, kept.job)
  memory.byId.set(spec.id, kept)
  const owner = ownerOf(memory, spec.owner)
  SortedList.add(memory.all, kept)
  SortedList.add(owner.jobs, kept)
  if (spec.idempotencyKey !== undefined) owner.keys.set(spec.idempotencyKey, kept)
  return { _tag: "Created", job: kept.job }
}

/** Takes jobs off the start of the queue, those left out that were cancelled while they waited. */
const takePending = (memory: Memory, limit: number): ReadonlyArray<Kept> => {
  const { items } = memory.pending
  const taken: Array<Kept> = []
  let seen = 0
  while (taken.length < limit && seen < items.length) {
    const kept = items[seen++]!
    if (kept.job.status === "Pending") taken.push(kept)
  }
  items.splice(0, seen)
  return taken
}

const purge = (memory: Memory, endedBeforeMs: number): number => {
  const gone = new Set<Kept>()
  for (const kept of memory.ended.items) {
    if ((kept.job.endedAtMs ?? 0) >= endedBeforeMs) break
    if (!awaitsWebhook(kept.job)) gone.add(kept)
  }
  if (gone.size === 0) return 0
  const owners = new Set<string>()
  for (const kept of gone) {
    memory.byId.delete(kept.job.id)
    memory.counts[kept.job.status]--
    owners.add(kept.job.owner)
    if (kept.job.idempotencyKey !== undefined) ownerOf(memory, kept.job.owner).keys.delete(kept.job.idempotencyKey)
  }
  for (const name of owners) {
    const owner = ownerOf(memory, name)
    SortedList.removeAll(owner.jobs, gone)
    if (owner.jobs.items.length === 0) memory.byOwner.delete(name)
  }
  SortedList.removeAll(memory.all, gone)
  SortedList.removeAll(memory.pending, gone)
  SortedList.removeAll(memory.ended, gone)
  return gone.size
}

/** A store for one instance; others may be made over the same memory. */
export const make = (instance: string, memory: Memory = makeMemory()): JobStore["Service"] => {
  /** The job of a claim; none when the claim is lost. */
  const held = (id: JobId, run: number): Kept | undefined => {
    const kept = memory.byId.get(id)
    return kept?.job.status === "Running" && kept.job.runs === run ? kept : undefined
  }

  return {
    create: (specs, { maxPending }) => Effect.sync(() => specs.map((spec) => createOne(memory, spec, maxPending))),

    get: (id) => Effect.sync(() => Option.fromNullishOr(memory.byId.get(id)?.job)),

    list: ({ before, limit, owner, status }) =>
      Effect.sync(() => {
        const list = owner === undefined ? memory.all : memory.byOwner.get(owner)?.jobs
        if (list === undefined) return []
        const jobs: Array<Job> = []
        let index = before === undefined ? list.items.length : SortedList.countWhile(list, ({ job }) => job.id < before)
        while (jobs.length < limit && index-- > 0) {
          const { job } = list.items[index]!
          if (status === undefined || job.status === status) jobs.push(job)
        }
        return jobs
      }),

    count: Effect.sync(() => ({ ...memory.counts })),

    claim: ({ leaseUntilMs, limit, nowMs }) =>
      Effect.sync(() =>
        takePending(memory, limit).map((kept) => {
          put(memory, kept, started(kept.job, nowMs))
          kept.instance = instance
          kept.leaseUntilMs = leaseUntilMs
          return { job: kept.job, request: kept.request, run: kept.job.runs }
        })
      ),

    renew: (claims, leaseUntilMs) =>
      Effect.sync(() => {
        const lost: Array<JobId> = []
        for (const { id, run } of claims) {
          const kept = held(id, run)
          if (kept === undefined) lost.push(id)
          else kept.leaseUntilMs = leaseUntilMs
        }
        return lost
      }),

    end: (ends) =>
      Effect.sync(() =>
        ends.map(({ id, nowMs, outcome, run }) => {
          const kept = held(id, run)
          if (kept === undefined) return false
          put(memory, kept, ended(kept.job, outcome, nowMs))
          return true
        })
      ),

    release: (claims) =>
      Effect.sync(() => {
        for (const { id, run } of claims) {
          const kept = held(id, run)
          if (kept !== undefined) put(memory, kept, waitsAgain(kept.job))
        }
      }),

    cancel: (id, nowMs) =>
      Effect.sync(() => {
        const kept = memory.byId.get(id)
        if (kept === undefined) return Option.none()
        const cancelled = !isEnded(kept.job.status)
        if (cancelled) put(memory, kept, ended(kept.job, { status: "Cancelled" }, nowMs))
        return Option.some({ job: kept.job, cancelled })
      }),

    recover: ({ nowMs, own }) =>
      Effect.sync(() => {
        const back = [...memory.running].filter(
          (kept) => kept.leaseUntilMs <= nowMs || (own && kept.instance === instance)
        )
        for (const kept of back) put(memory, kept, waitsAgain(kept.job))
        return back.length
      }),

    purge: (endedBeforeMs) => Effect.sync(() => purge(memory, endedBeforeMs)),

    dueWebhooks: ({ limit, nowMs, retryAtMs }) =>
      Effect.sync(() => {
        const due: Array<Kept> = []
        for (const kept of memory.webhooks.items) {
          if (due.length === limit || (kept.job.webhook?.nextAtMs ?? 0) > nowMs) break
          due.push(kept)
        }
        return due.map((kept) => {
          const { job } = kept
          if (job.webhook !== undefined) put(memory, kept, withWebhook(job, { ...job.webhook, nextAtMs: retryAtMs }))
          return kept.job
        })
      }),

    check: Effect.void,

    setWebhook: (id, webhook) =>
      Effect.sync(() => {
        const kept = memory.byId.get(id)
        if (kept !== undefined) put(memory, kept, withWebhook(kept.job, webhook))
      })
  }
}

/** A store of its own: its jobs are gone with the layer. */
export const layer = (instance: string): Layer.Layer<JobStore> => Layer.sync(JobStore, () => make(instance))
