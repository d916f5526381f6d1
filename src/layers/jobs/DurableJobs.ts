/** `Jobs` over a `JobStore`: what it keeps is run by this process, and by others that share the store. */
import { createHash } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { JobsConfig, WebhookConfig } from "../../domain/config/ServerConfig.ts"
import type { Job, JobId, JobSpec } from "../../domain/jobs/Job.ts"
import * as JobIds from "../../domain/jobs/JobIds.ts"
import { webhookTarget } from "../../domain/jobs/WebhookTarget.ts"
import type { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { placeRequest } from "../../domain/server/PlaceRequest.ts"
import { draining, type Problem } from "../../domain/server/Problem.ts"
import { GenAiClient } from "../../services/GenAiClient.ts"
import { type Created, JobStore, type JobStoreError } from "../../services/JobStore.ts"
import { Jobs, type NewJob } from "../../services/Jobs.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { follow } from "./JobEvents.ts"
import { conflict, full, hasEnded, noPage, noSuchJob, storeProblem } from "./JobProblems.ts"
import * as JobRunner from "./JobRunner.ts"
import * as JobStoreHealth from "./JobStoreHealth.ts"
import { JobWatches } from "./JobWatch.ts"
import * as Sparing from "./Sparing.ts"

import * as Webhooks from "./Webhooks.ts"

/** What jobs are run with: parts of the settings of the service. */
export interface DurableJobsOptions {
  readonly jobs: Pick<JobsConfig, "concurrency" | "maxPending" | "ttlMs">
  readonly webhooks: WebhookConfig
  readonly models: ModelRoutes
  /** Most streams of one job that break off and are begun again; at least 1. */
  readonly maxAttempts: number
}

/** Jobs whose time is over are forgotten so often. */
const PURGE = "30 seconds"

/** At most so small a part of the time goes into counting: Postgres goes through all jobs, and each reader of the metrics asks. */
const COUNT_FACTOR = 50

/** A new job, and about how many bytes it has. */
interface Sized {
  readonly spec: JobSpec
  readonly size: number
}

/** Runs jobs as long as the scope; what runs when it closes goes back to the store. */
export const make = Effect.fnUntraced(function* (
  options: DurableJobsOptions
): Effect.fn.Return<Jobs["Service"], JobStoreError, JobStore | GenAiClient | Scope.Scope> {
  const { models } = options
  const health = yield* JobStoreHealth.watch(yield* JobStore)
  const { store } = health
  const client = yield* GenAiClient
  const clock = yield* Clock.Clock
  const ids = yield* JobIds.make
  const watches = new JobWatches()
  const { concurrency, maxPending, ttlMs } = options.jobs
  const now = () => clock.currentTimeMillisUnsafe()

  const create = yield* GroupCommit.make(
    (news: ReadonlyArray<Sized>) =>
      store.create(
        news.map(({ spec }) => spec),
        { maxPending }
      ),
    ({ size }) => size
  )
  const runner = yield* JobRunner.make({
    store,
    client,
    models,
    watches,
    concurrency,
    maxAttempts: options.maxAttempts
  })
  const asked = <A>(work: Effect.Effect<A, JobStoreError>): Effect.Effect<A, Problem> =>
    work.pipe(Effect.tapError(health.tell), Effect.mapError(storeProblem))
  const counts = yield* Sparing.make(asked(store.count), COUNT_FACTOR)
  yield* Effect.provideService(Webhooks.make(options.webhooks), JobStore, store)
  yield* Effect.suspend(() => store.purge(now() - ttlMs)).pipe(
    Effect.catch((error) => Effect.logWarning(`Jobs whose time is over cannot be forgotten: ${error.message}`)),
    Effect.delay(PURGE),
    Effect.forever,
    Effect.forkScoped
  )

  const check = (job: NewJob): Problem | undefined => {
    if (runner.isDraining) return draining
    if (job.webhookUrl !== undefined) {
      const target = webhookTarget(job.webhookUrl, options.webhooks)
      if (Result.isFailure(target)) return target.failure
    }
    const place = placeRequest(models, job.model, job.request)
    return Result.isFailure(place) ? place.failure : undefined
  }

  const specOf = (id: JobId, job: NewJob, requestHash: string): JobSpec => ({
    id,
    owner: job.owner,
    request: job.request,
    ...(job.model === undefined ? {} : { model: job.model }),
    ...(job.session === undefined ? {} : { session: job.session }),
    stream: job.stream ?? false,
    ...(job.idempotencyKey === undefined ? {} : { idempotencyKey: job.idempotencyKey }),
    requestHash,
    ...(job.webhookUrl === undefined ? {} : { webhookUrl: job.webhookUrl }),
    createdAtMs: now()
  })

  const outcome = (
    id: JobId,
    created: Created
  ): Effect.Effect<{ readonly job: Job; readonly isNew: boolean }, Problem> => {
    switch (created._tag) {
      case "Created":
      // A write that was made again, its first answer lost, finds its own job.
      case "Existing":
        if (created.job.status === "Pending") runner.wake()
        return Effect.succeed({ job: created.job, isNew: created.job.id === id })
      case "Conflict":
        return Effect.fail(conflict)
      case "Full":
        return Effect.fail(full(created.pending, runner.rate.retryAfterMs(now())))
    }
  }

  const get = Effect.fnUntraced(function* (owner: string, id: JobId) {
    const job = yield* asked(store.get(id))
    return Option.isSome(job) && job.value.owner === owner ? job.value : yield* noSuchJob
  })

  return Jobs.of({
    submit: Effect.fn("Jobs.submit")(function* (job) {
      const problem = check(job)
      if (problem !== undefined) return yield* problem
      const text = textOf(job)
      const spec = specOf(yield* ids.next, job, createHash("sha256").update(text).digest("hex"))
      return yield* outcome(spec.id, yield* asked(create({ spec, size: text.length })))
    }),
    get: Effect.fn("Jobs.get")(get),
    list: Effect.fn("Jobs.list")((owner, { before, limit, status }) =>
      before === undefined || JobIds.isJobId(before)
        ? asked(store.list({ owner, before, limit, status }))
        : Effect.fail(noPage)
    ),
    cancel: Effect.fn("Jobs.cancel")(function* (owner, id) {
      yield* get(owner, id)
      const found = yield* asked(store.cancel(id, now()))
      if (Option.isNone(found)) return yield* noSuchJob
      const { cancelled, job } = found.value
      if (cancelled) runner.drop(job)
      else if (job.status !== "Cancelled") return yield* hasEnded(job)
      return job
    }),
    events: (owner, id) => Stream.unwrap(Effect.as(get(owner, id), follow(id, watches, store))),
    counts: counts.get,
    isUsable: health.isUsable,
    // What is told at the end is how it is then.
    drain: Effect.fn("Jobs.drain")((graceMs) => Effect.andThen(runner.stop(graceMs), counts.forget))
  })
})

/** `make` as a layer: what runs when it closes goes back to the store. */
export const layer = (options: DurableJobsOptions): Layer.Layer<Jobs, JobStoreError, JobStore | GenAiClient> =>
  Layer.effect(Jobs, make(options))

/** Tells requests under one idempotency key apart. */
const textOf = ({ model, request, session, stream, webhookUrl }: NewJob): string =>
  JSON.stringify([request, model ?? null, session ?? null, stream ?? false, webhookUrl ?? null])
