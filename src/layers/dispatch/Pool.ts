/** All lanes of a dispatcher together: admission, sessions, waiting for room, the end. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { DeadlineExceeded, DispatchError, Draining, NoWorker, QueueFull } from "../../domain/dispatch/DispatchError.ts"
import type { Selector, Tier } from "../../domain/dispatch/Selection.ts"
import type { DispatcherMetrics, DrainOptions, SubmitOptions } from "../../services/Dispatcher.ts"
import type { Affinity } from "./Affinity.ts"
import { Job } from "./Job.ts"
import type { Lane } from "./Lane.ts"
import type { Settings } from "./Options.ts"
import { WakeList } from "./WakeList.ts"

/** Its changes of state are synchronous steps, so that no two of them can interleave. */
export class Pool<Request, Response, Error> {
  affinity: Affinity | undefined = undefined

  private readonly settings: Settings
  private readonly lanes: ReadonlyArray<Lane<Request, Response, Error>>
  private readonly selector: Selector
  /** Jobs that any lane may take, waiting for room, oldest first. */
  private readonly waiting = new Set<Job>()
  private readonly wakeList = new WakeList()
  private readonly onIdle = new Set<Deferred.Deferred<void>>()
  private arrivals = 0
  /** Submits that have not ended. */
  private active = 0
  private draining = false

  constructor(settings: Settings, lanes: ReadonlyArray<Lane<Request, Response, Error>>, selector: Selector) {
    this.settings = settings
    this.lanes = lanes
    this.selector = selector
  }

  submit(request: Request, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    const job =
      options?.session === undefined || this.affinity === undefined
        ? this.run(request, this.eligible(options))
        : this.runInSession(request, options, options.session, this.affinity)
    if (options?.deadline === undefined) return job
    const deadline = Duration.fromInputUnsafe(options.deadline)
    return Effect.timeoutOrElse(job, {
      duration: deadline,
      orElse: () => new DispatchError({ reason: new DeadlineExceeded({ deadlineMs: Duration.toMillis(deadline) }) })
    })
  }

  get metrics(): DispatcherMetrics {
    const workers = this.lanes.map((lane) => lane.metrics)
    const sum = (value: (worker: (typeof workers)[number]) => number): number =>
      workers.reduce((total, worker) => total + value(worker), 0)
    return {
      workers,
      inflight: sum((worker) => worker.inflight),
      queue_len: sum((worker) => worker.queue_len),
      capacity: sum((worker) => worker.capacity),
      errors: sum((worker) => worker.errors),
      completed: sum((worker) => worker.completed),
      interrupted: sum((worker) => worker.interrupted),
      waiting: this.lanes.reduce((total, lane) => total + lane.waiting.size, this.waiting.size)
    }
  }

  get awaitIdle(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.active === 0) return Effect.void
      const idle = Deferred.makeUnsafe<void>()
      this.onIdle.add(idle)
      return Effect.onExit(Deferred.await(idle), () => Effect.sync(() => this.onIdle.delete(idle)))
    })
  }

  drain(options: DrainOptions): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      this.draining = true
      if (options.queued === "discard") this.discard()
      return Effect.timeoutOrElse(Effect.as(this.awaitIdle, true), {
        duration: options.timeout,
        orElse: () => Effect.succeed(false)
      })
    })
  }

  close(): void {
    this.draining = true
    this.discard()
  }

  /** The lane for a new session: one with room if there is any. */
  assign(): number {
    return this.selector.select((index) => (this.lanes[index]!.hasRoom ? 2 : 1))
  }

  wake(job: Job): void {
    this.wakeList.add(job, Effect.void)
  }

  /** A lane has room: those that waited longest move into its queue. */
  fill(lane: Lane<Request, Response, Error>): void {
    while (lane.hasRoom) {
      const job = this.nextWaiting(lane)
      if (job === undefined) return
      lane.waiting.delete(job)
      this.waiting.delete(job)
      // The policy keeps the books for `weighted`; for a pinned job it has no choice.
      const chosen = this.selector.select((index) => this.tierNow(job.tier, index))
      this.enqueue(job, this.lanes[chosen] ?? lane)
    }
  }

  /** Runs the request on a lane of those that `tier` allows. */
  private run(
    request: Request,
    tier: (index: number) => Tier,
    pinned?: number
  ): Effect.Effect<Response, Error | DispatchError> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const rejection = this.rejection(tier)
        if (rejection !== undefined) return Effect.fail(rejection)
        // Nobody who waits could use a lane with room: `fill` has seen to that. So taking one overtakes nobody.
        const index = this.selector.select((lane) => this.tierNow(tier, lane))
        if (index === -1 && this.settings.onFull === "fail") return Effect.fail(rejected(new QueueFull({})))
        this.active++
        const lane = this.lanes[index]
        if (lane?.tryStart()) {
          return Effect.flatMap(lane.claimSlot, () => this.handle(request, lane, restore))
        }
        const job = new Job(this.arrivals++, tier)
        if (lane === undefined) this.waitingFor(pinned).add(job)
        else this.enqueue(job, lane)
        // Not a finalizer of the suspension: the turn can be lost after the wake-up too, and `abandon` knows by the state.
        return Effect.flatMap(
          Effect.onExitPrimitive(restore(job.turn), (exit) =>
            exit._tag === "Success" ? undefined : this.abandon(job)
          ),
          () => this.handle(request, this.lanes[job.lane]!, restore)
        )
      })
    )
  }

  private runInSession(
    request: Request,
    options: SubmitOptions,
    session: string,
    affinity: Affinity
  ): Effect.Effect<Response, Error | DispatchError> {
    return Effect.flatMap(affinity.laneOf(session), (pinned) => {
      const lane = this.lanes[pinned]!
      const anyLane = this.eligible(options)
      if (options.exclude?.has(lane.name)) return this.run(request, anyLane)
      if (this.settings.affinity?.onUnavailable === "wait") {
        return this.run(request, (index) => (index === pinned ? 2 : 0), pinned)
      }
      // This request avoids the session's worker; the session stays there.
      if (options.avoid?.has(lane.name)) return this.run(request, anyLane)
      if (lane.hasRoom) return this.run(request, (index) => (index === pinned ? 2 : 0), pinned)
      const other = this.assign()
      return other === pinned
        ? this.run(request, anyLane)
        : Effect.andThen(
            affinity.rebind(session, other),
            this.run(request, (index) => (index === other ? 2 : 0), other)
          )
    })
  }

  /** Runs the handler in the slot that was taken for it. */
  private handle(
    request: Request,
    lane: Lane<Request, Response, Error>,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ): Effect.Effect<Response, Error> {
    return Effect.onExitPrimitive(restore(Effect.suspend(() => lane.handler(request))), (exit) =>
      this.finish(lane, exit)
    )
  }

  private finish(lane: Lane<Request, Response, Error>, exit: Exit.Exit<unknown, unknown> | undefined) {
    const released = lane.release(exit)
    this.fill(lane)
    this.end()
    return Effect.asVoid(released)
  }

  /** The submit was interrupted, or its job discarded, before its handler began. */
  private abandon(job: Job): Effect.Effect<void> | undefined {
    const { state } = job
    const lane = this.lanes[job.lane]
    if (state === "granted") {
      job.state = "ended"
      return this.finish(lane!, undefined)
    }
    if (state !== "ended") this.remove(job)
    if (state === "queued") this.fill(lane!)
    this.end()
    return undefined
  }

  private waitingFor(pinned: number | undefined): Set<Job> {
    return pinned === undefined ? this.waiting : this.lanes[pinned]!.waiting
  }

  /** Takes a job out of wherever it waits. */
  private remove(job: Job): void {
    if (job.state === "queued") {
      this.lanes[job.lane]!.dequeue(job)
      return
    }
    job.state = "ended"
    this.waiting.delete(job)
    for (const lane of this.lanes) lane.waiting.delete(job)
  }

  private enqueue(job: Job, lane: Lane<Request, Response, Error>): void {
    job.lane = lane.index
    lane.enqueue(job)
  }

  private end(): void {
    this.active--
    if (this.active > 0) return
    for (const idle of this.onIdle) Deferred.doneUnsafe(idle, Effect.void)
  }

  /** Fails all jobs that have not been granted their turn. */
  private discard(): void {
    const jobs = [...this.waiting, ...this.lanes.flatMap((lane) => [...lane.waiting, ...lane.queued()])]
    for (const job of jobs) {
      this.remove(job)
      this.wakeList.add(job, Effect.fail(rejected(new Draining({}))))
    }
  }

  private rejection(tier: (index: number) => Tier): DispatchError | undefined {
    if (this.draining) return rejected(new Draining({}))
    if (tier === anyLane || this.lanes.some((lane) => tier(lane.index) > 0)) return undefined
    return rejected(new NoWorker({}))
  }

  private nextWaiting(lane: Lane<Request, Response, Error>): Job | undefined {
    const pinned = first(lane.waiting, () => true)
    const any = first(this.waiting, (job) => job.tier(lane.index) > 0)
    if (pinned === undefined || any === undefined) return pinned ?? any
    return pinned.order < any.order ? pinned : any
  }

  private tierNow(tier: (index: number) => Tier, index: number): Tier {
    return this.lanes[index]!.hasRoom ? tier(index) : 0
  }

  private eligible(options: SubmitOptions | undefined): (index: number) => Tier {
    const { avoid, exclude } = options ?? {}
    if (avoid === undefined && exclude === undefined) return anyLane
    return (index) => {
      const { name } = this.lanes[index]!
      if (exclude?.has(name)) return 0
      return avoid?.has(name) ? 1 : 2
    }
  }
}

const anyLane = (): Tier => 2

const rejected = (reason: DispatchError["reason"]): DispatchError => new DispatchError({ reason })

const first = (jobs: Iterable<Job>, accept: (job: Job) => boolean): Job | undefined => {
  for (const job of jobs) if (accept(job)) return job
  return undefined
}
