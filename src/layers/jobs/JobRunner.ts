/** Takes jobs out of the store, runs them, and puts their ends back. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Job, JobId, JobOutcome } from "../../domain/jobs/Job.ts"
import { ended, waitsAgain } from "../../domain/jobs/JobSteps.ts"
import type { Claim, JobStore, JobStoreError } from "../../services/JobStore.ts"
import { EndRate } from "./EndRate.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { type JobRunParts, runJob } from "./JobRun.ts"
import type { JobWatch, JobWatches } from "./JobWatch.ts"

export interface JobRunnerOptions extends JobRunParts {
  readonly store: JobStore["Service"]
  readonly watches: JobWatches
  /** Most jobs that run at once. */
  readonly concurrency: number
}

/** How long a claim holds unless it is renewed: so long after a crash others take the jobs over. */
const LEASE_MS = 15_000
const RENEW = "5 seconds"
/** How often jobs are looked for that other instances accepted or gave back. */
const POLL = "1 second"
/** How long a job stays here that the client refuses to take, before it is given back to be tried again. */
const REFUSED = "5 seconds"
/** Most jobs taken up in one transaction. */
const MOST_AT_ONCE = 500

const storeIsBack = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/** A job that runs here. */
interface Running {
  readonly claim: Claim
  readonly watch: JobWatch
  fiber: Fiber.Fiber<void> | undefined
  /** It was cancelled or taken over: what it does no longer counts. */
  isLost: boolean
}

export class JobRunner {
  readonly rate = new EndRate()
  private readonly options: JobRunnerOptions
  private readonly clock: Clock.Clock
  private readonly commit: (end: End) => Effect.Effect<boolean, JobStoreError>
  /** At most one word that there is something to do. */
  private readonly bell: Queue.Queue<void>
  private readonly claiming = Semaphore.makeUnsafe(1)
  private readonly running = new Map<JobId, Running>()
  private isStopped = false
  /** What is given back together at the end of a shutdown; before that each is given back by itself. */
  private leftOver: Array<Running> | undefined
  /** There were more jobs than free slots. */
  private hasMore = false

  constructor(
    options: JobRunnerOptions,
    clock: Clock.Clock,
    commit: (end: End) => Effect.Effect<boolean, JobStoreError>,
    bell: Queue.Queue<void>
  ) {
    this.options = options
    this.clock = clock
    this.commit = commit
    this.bell = bell
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
    this.options.watches.get(job.id)?.end(job)
    const running = this.running.get(job.id)
    if (running !== undefined) this.lose(running)
  }

  /** Takes up jobs as long as it runs. */
  readonly claims: Effect.Effect<never> = Effect.suspend(() =>
    this.claimSome.pipe(
      Effect.tapError((error) => Effect.logWarning(`Jobs cannot be taken up: ${error.message}`)),
      Effect.retry(storeIsBack),
      Effect.orDie,
      Effect.andThen(
        Effect.suspend(() =>
          this.hasMore && this.free > 0 ? Effect.yieldNow : Effect.timeoutOption(Queue.take(this.bell), POLL)
        )
      ),
      Effect.forever
    )
  )

  /** Keeps what runs here, and drops what no longer is this instance's. */
  readonly renewals: Effect.Effect<never> = Effect.suspend(() => this.renewAll).pipe(
    // What cannot be renewed now may be later; if it is taken over meanwhile, its end does not count.
    Effect.catch((error) => Effect.logWarning(`Jobs cannot be kept: ${error.message}`)),
    Effect.delay(RENEW),
    Effect.forever
  )

  /**
   * Takes back what crashed instances held. What runs here is kept first: its leases have ended too after an outage of the
   * store, or when the clock was put forward, and its requests would be sent again.
   */
  readonly recoveries: Effect.Effect<never> = Effect.suspend(() =>
    // Not while jobs are being claimed: those are not among what runs yet.
    this.claiming.withPermits(1)(
      Effect.andThen(
        this.renewAll,
        Effect.suspend(() => this.options.store.recover({ nowMs: this.now(), own: false }))
      )
    )
  ).pipe(
    Effect.tap((jobs) => (jobs > 0 ? Effect.sync(() => this.wake()) : Effect.void)),
    Effect.catch((error) => Effect.logWarning(`Jobs of other instances cannot be taken over: ${error.message}`)),
    Effect.delay(LEASE_MS),
    Effect.forever
  )

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
    return Effect.flatMap(store.claim({ limit, nowMs, leaseUntilMs: nowMs + LEASE_MS }), (claims) => {
      this.hasMore = claims.length === limit
      if (this.isStopped) return store.release(claims.map(held))
      return Effect.forEach(claims, (claim) => this.start(claim), { discard: true })
    })
  }).pipe((claim) => Effect.uninterruptible(this.claiming.withPermits(1)(claim)))

  private start(claim: Claim): Effect.Effect<void> {
    const { job } = claim
    const before = this.running.get(job.id)
    // Its lease had ended, and it came back to where it still runs.
    if (before !== undefined) this.lose(before)
    const watch = this.options.watches.take(job.id)
    const running: Running = { claim, watch, fiber: undefined, isLost: false }
    if (this.running.size === 0) this.rate.begin(this.now())
    this.running.set(job.id, running)
    watch.begin(job)
    // At once: a fiber that is interrupted before it has begun would not give its job back.
    return Effect.map(Effect.forkDetach(this.run(running), { startImmediately: true }), (fiber) => {
      running.fiber = fiber
      if (running.isLost) fiber.interruptUnsafe()
    })
  }

  private run(running: Running): Effect.Effect<void> {
    const { claim, watch } = running
    return Effect.flatMap(runJob(this.options, claim, watch), (end) => {
      if (end.status !== "GivenBack") return this.end(running, end)
      // What one job meets says nothing of the others. If the client does go down before this, jobs come and go slowly.
      return Effect.andThen(this.isStopped ? Effect.void : Effect.sleep(REFUSED), this.release(running))
    }).pipe(
      Effect.onInterrupt(() => (running.isLost ? Effect.void : this.handBack(running))),
      Effect.ensuring(Effect.sync(() => this.leave(running)))
    )
  }

  /**
   * Tried until the store has it: an answer is not lost because the store is away for a while. Each try is made to its end,
   * so that a shutdown does not throw away an answer that is there.
   */
  private end(running: Running, outcome: JobOutcome): Effect.Effect<void> {
    const { claim } = running
    return Effect.suspend(() => {
      const nowMs = this.now()
      const told = (isEnd: boolean): void => {
        if (isEnd) this.rate.add(nowMs)
        this.tell(running, isEnd ? ended(claim.job, outcome, nowMs) : undefined)
      }
      return Effect.uninterruptible(Effect.map(this.commit({ ...held(claim), outcome, nowMs }), told)).pipe(
        Effect.tapError((error) =>
          Effect.logWarning(`The end of job ${claim.job.id} cannot be kept: ${error.message}`)
        ),
        Effect.retry(storeIsBack),
        Effect.orDie
      )
    })
  }

  private release(running: Running): Effect.Effect<void> {
    return Effect.andThen(
      this.releaseAll([running]),
      Effect.sync(() => this.tell(running, waitsAgain(running.claim.job)))
    )
  }

  private handBack(running: Running): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.leftOver === undefined) return this.release(running)
      this.leftOver.push(running)
      return Effect.void
    })
  }

  private releaseAll(runs: ReadonlyArray<Running>): Effect.Effect<void> {
    return this.options.store.release(runs.map(({ claim }) => held(claim))).pipe(
      Effect.catch((error) => {
        const ids = runs.map(({ claim }) => claim.job.id).join(", ")
        return Effect.logWarning(`Jobs that are not given back before their leases end: ${error.message} (${ids})`)
      })
    )
  }

  private leave(running: Running): void {
    const { claim, watch } = running
    const { id } = claim.job
    if (running.isLost) this.tell(running, undefined)
    this.options.watches.leave(id, watch)
    if (this.running.get(id) === running) this.running.delete(id)
    if (this.hasMore || this.isStopped) this.wake()
  }

  /** What became of the run. A later run of the same job, which has its watch now, is told nothing by this one. */
  private tell(running: Running, job: Job | undefined): void {
    if (this.running.get(running.claim.job.id) === running) running.watch.end(job)
  }

  private lose(running: Running): void {
    running.isLost = true
    running.fiber?.interruptUnsafe()
  }

  private readonly renewAll: Effect.Effect<void, JobStoreError> = Effect.suspend(() => {
    const claims = [...this.running.values()].filter(({ isLost }) => !isLost).map(({ claim }) => held(claim))
    return claims.length === 0 ? Effect.void : this.renew(claims)
  })

  private renew(claims: ReadonlyArray<Held>): Effect.Effect<void, JobStoreError> {
    return Effect.map(this.options.store.renew(claims, this.now() + LEASE_MS), (lost) => {
      for (const id of lost) {
        const running = this.running.get(id)
        // Not one that was claimed again while the store answered.
        if (running !== undefined && claims.some((claim) => claim.id === id && claim.run === running.claim.run)) {
          this.lose(running)
        }
      }
    })
  }

  private readonly idle: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.running.values()], ({ fiber }) => (fiber ? Fiber.await(fiber) : Effect.void), {
      discard: true,
      concurrency: "unbounded"
    })
  )

  /** In one transaction: a shutdown has little time, and a store that is slow or away takes it for each. */
  private readonly giveBack: Effect.Effect<void> = Effect.suspend(() => {
    const leftOver: Array<Running> = []
    this.leftOver = leftOver
    return Fiber.interruptAll([...this.running.values()].flatMap(({ fiber }) => fiber ?? [])).pipe(
      Effect.andThen(Effect.suspend(() => (leftOver.length === 0 ? Effect.void : this.releaseAll(leftOver)))),
      Effect.andThen(
        Effect.sync(() => {
          // Nothing is started any more, so no other run has their watches.
          for (const { claim, watch } of leftOver) watch.end(waitsAgain(claim.job))
        })
      )
    )
  })
}

type Held = Pick<Claim, "run"> & { readonly id: JobId }

interface End extends Held {
  readonly outcome: JobOutcome
  readonly nowMs: number
}

const held = ({ job, run }: Claim): Held => ({ id: job.id, run })

/** Makes a runner that works as long as the scope; when it closes, what runs is given back. */
export const make = Effect.fnUntraced(function* (
  options: JobRunnerOptions
): Effect.fn.Return<JobRunner, JobStoreError, Scope.Scope> {
  const { store } = options
  const clock = yield* Clock.Clock
  const bell = yield* Queue.sliding<void>(1)
  const commit = yield* GroupCommit.make((ends: ReadonlyArray<End>) => store.end(ends))
  const runner = new JobRunner(options, clock, commit, bell)
  yield* store.recover({ nowMs: clock.currentTimeMillisUnsafe(), own: true })
  yield* Effect.addFinalizer(() => runner.stop(0))
  yield* Effect.forkScoped(runner.claims)
  yield* Effect.forkScoped(runner.renewals)
  yield* Effect.forkScoped(runner.recoveries)
  return runner
})
