/** Takes jobs out of the store and runs them. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Job } from "../../domain/jobs/Job.ts"
import { ended, waitsAgain } from "../../domain/jobs/JobSteps.ts"
import type { Claim, JobStore, JobStoreError } from "../../services/JobStore.ts"
import { EndRate } from "./EndRate.ts"
import * as JobEnds from "./JobEnds.ts"
import * as JobLeases from "./JobLeases.ts"
import { type JobRunParts, runJob } from "./JobRun.ts"
import type { JobWatches } from "./JobWatch.ts"
import { held, type Running, RunningJobs } from "./RunningJobs.ts"

export interface JobRunnerOptions extends JobRunParts {
  readonly store: JobStore["Service"]
  readonly watches: JobWatches
  /** Most jobs that run at once. */
  readonly concurrency: number
}

/** How often jobs are looked for that other instances accepted or gave back. */
const POLL = "1 second"
/** How long a job stays here that the client refuses to take, before it is given back to be tried again. */
const REFUSED = "5 seconds"
/** Most jobs taken up in one transaction. */
const MOST_AT_ONCE = 100

export class JobRunner {
  readonly rate = new EndRate()
  private readonly options: JobRunnerOptions
  private readonly clock: Clock.Clock
  private readonly ends: JobEnds.JobEnds
  /** At most one word that there is something to do. */
  private readonly bell: Queue.Queue<void>
  private readonly claiming = Semaphore.makeUnsafe(1)
  private readonly running: RunningJobs
  private isStopped = false
  /** What is given back together at the end of a shutdown; before that each is given back by itself. */
  private leftOver: Array<Running> | undefined
  /** There may be more jobs than were taken up. */
  private hasMore = false

  constructor(options: JobRunnerOptions, clock: Clock.Clock, ends: JobEnds.JobEnds, bell: Queue.Queue<void>) {
    this.options = options
    this.clock = clock
    this.ends = ends
    this.bell = bell
    this.running = new RunningJobs(options.watches)
  }

  /** Whether jobs are no longer taken up. */
  get isDraining(): boolean {
    return this.isStopped
  }

  /** There is a job in the store. */
  wake(): void {
    Queue.offerUnsafe(this.bell, undefined)
  }

  /** The job was cancelled: its run is aborted at the endpoint. */
  drop(job: Job): void {
    this.running.cancel(job)
  }

  /** Takes up jobs as long as it runs. */
  readonly claims: Effect.Effect<never> = Effect.suspend(() =>
    this.claimSome.pipe(
      Effect.tapError((error) => Effect.logWarning(`Jobs cannot be taken up: ${error.message}`)),
      Effect.retry(JobEnds.storeIsBack),
      Effect.orDie,
      Effect.andThen(
        Effect.suspend(() =>
          this.hasMore && this.free > 0 ? Effect.yieldNow : Effect.timeoutOption(Queue.take(this.bell), POLL)
        )
      ),
      Effect.forever
    )
  )

  /** Keeps what runs here as long as it runs, and what nobody runs any more. */
  get leases(): Effect.Effect<void> {
    const { claiming, clock, options, running } = this
    return JobLeases.keep({ store: options.store, clock, running, claiming, onBack: () => this.wake() })
  }

  /** Takes up no more; what still runs after the time is given back. Returns when nothing runs. */
  stop(graceMs: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isStopped = true
      // What is just being claimed is started or given back first.
      return this.claiming.withPermits(1)(Effect.void)
    }).pipe(
      Effect.andThen(Effect.sync(() => this.options.watches.close())),
      Effect.andThen(Effect.timeoutOption(this.idle, graceMs)),
      Effect.andThen(this.giveBack)
    )
  }

  private get free(): number {
    return this.isStopped ? 0 : this.options.concurrency - this.running.size
  }

  private now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** Not interruptible: what was claimed is in `running`, or back in the store. */
  private readonly claimSome: Effect.Effect<void, JobStoreError> = Effect.suspend(() => {
    const { store } = this.options
    const limit = Math.min(this.free, MOST_AT_ONCE)
    this.hasMore = limit <= 0
    if (limit <= 0) return Effect.void
    const nowMs = this.now()
    return Effect.flatMap(store.claim({ limit, nowMs, leaseUntilMs: nowMs + JobLeases.LEASE_MS }), (claims) => {
      this.hasMore = claims.length > 0
      if (this.isStopped) return store.release(claims.map(held))
      return Effect.forEach(claims, (claim) => this.start(claim), { discard: true })
    })
  }).pipe((claim) => Effect.uninterruptible(this.claiming.withPermits(1)(claim)))

  private start(claim: Claim): Effect.Effect<void> {
    if (this.running.size === 0) this.rate.begin(this.now())
    const running = this.running.add(claim)
    // At once: a fiber that is interrupted before it has begun would not give its job back.
    return Effect.map(Effect.forkDetach(this.run(running), { startImmediately: true }), (fiber) => {
      running.fiber = fiber
      if (running.isLost) fiber.interruptUnsafe()
    })
  }

  private run(running: Running): Effect.Effect<void> {
    const { claim, watch } = running
    return Effect.flatMap(runJob(this.options, claim, watch), (end) => {
      if (end.status !== "GivenBack") {
        return this.ends.end(running, end, (endedAtMs) => {
          if (endedAtMs !== undefined) this.rate.add(endedAtMs)
          this.running.tell(running, endedAtMs === undefined ? undefined : ended(claim.job, end, endedAtMs))
        })
      }
      // What one job meets says nothing of the others. If the client does go down before this, jobs come and go slowly.
      return Effect.andThen(this.isStopped ? Effect.void : Effect.sleep(REFUSED), this.release(running))
    }).pipe(
      Effect.onInterrupt(() => (running.isLost ? Effect.void : this.handBack(running))),
      Effect.ensuring(
        Effect.sync(() => {
          this.running.remove(running)
          if (this.hasMore || this.isStopped) this.wake()
        })
      )
    )
  }

  private release(running: Running): Effect.Effect<void> {
    return Effect.andThen(
      this.ends.release([running]),
      Effect.sync(() => this.running.tell(running, waitsAgain(running.claim.job)))
    )
  }

  private handBack(running: Running): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.leftOver === undefined) return this.release(running)
      this.leftOver.push(running)
      return Effect.void
    })
  }

  private readonly idle: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach(this.running.all, ({ fiber }) => (fiber ? Fiber.await(fiber) : Effect.void), {
      discard: true,
      concurrency: "unbounded"
    })
  )

  /** In one transaction: a shutdown has little time, and a store that is slow or away takes it for each. */
  private readonly giveBack: Effect.Effect<void> = Effect.suspend(() => {
    const leftOver: Array<Running> = []
    this.leftOver = leftOver
    return Fiber.interruptAll(this.running.all.flatMap(({ fiber }) => fiber ?? [])).pipe(
      Effect.andThen(Effect.suspend(() => (leftOver.length === 0 ? Effect.void : this.ends.release(leftOver)))),
      Effect.andThen(
        Effect.sync(() => {
          // Nothing is started any more, so no other run has their watches.
          for (const { claim, watch } of leftOver) watch.end(waitsAgain(claim.job))
        })
      )
    )
  })
}

/** Makes a runner that works as long as the scope; when it closes, what runs is given back. */
export const make = Effect.fnUntraced(function* (
  options: JobRunnerOptions
): Effect.fn.Return<JobRunner, JobStoreError, Scope.Scope> {
  const { store } = options
  const clock = yield* Clock.Clock
  const bell = yield* Queue.sliding<void>(1)
  const runner = new JobRunner(options, clock, yield* JobEnds.make(store), bell)
  yield* store.recover({ nowMs: clock.currentTimeMillisUnsafe(), own: true })
  yield* Effect.addFinalizer(() => runner.stop(0))
  yield* Effect.forkScoped(runner.claims)
  yield* Effect.forkScoped(runner.leases)
  return runner
})
