/** All lanes of a dispatcher together: admission, sessions, waiting for room, control, the end. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DeadlineExceeded, DispatchError, Draining, NoWorker, QueueFull } from "../../domain/dispatch/DispatchError.ts"
import { type Selector, type Tier, tierOf } from "../../domain/dispatch/Selection.ts"
import type { DispatcherMetrics, DrainOptions, Lease, SubmitOptions, WorkerControl } from "../../services/Dispatcher.ts"
import type { Affinity } from "./Affinity.ts"
import { Job, type Turn } from "./Job.ts"
import type { Lane } from "./Lane.ts"
import { priorityGroups, type Settings } from "./Options.ts"
import type { ActualUnits } from "./Throttle.ts"
import { WakeList } from "./WakeList.ts"

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Which lanes a job may go to, and how gladly; see `Selection`. */
type Tiers = (index: number) => Tier

/** Its changes of state are synchronous steps, so that no two of them can interleave. */
export class Pool<Request, Response, Error> {
  affinity: Affinity | undefined = undefined

  private readonly settings: Settings<Request, Response, Error>
  private readonly lanes: ReadonlyArray<Lane<Request, Response, Error>>
  private readonly selector: Selector
  /** Jobs that any lane may take, waiting for room, oldest first. */
  private waiting = new Set<Job<Request>>()
  /** The priority group of each lane, the higher the better. */
  private readonly groups: ReadonlyArray<number>
  private readonly anyLane: Tiers
  /** `anyLane`, of the lanes with room now. */
  private readonly anyOpenLane: Tiers
  private readonly wakeList = new WakeList()
  private readonly onIdle = new Set<Deferred.Deferred<void>>()
  private arrivals = 0
  /** Submits that have not ended. */
  private active = 0
  private draining = false

  constructor(
    settings: Settings<Request, Response, Error>,
    lanes: ReadonlyArray<Lane<Request, Response, Error>>,
    selector: Selector
  ) {
    this.settings = settings
    this.lanes = lanes
    this.selector = selector
    this.groups = priorityGroups(settings.lanes)
    const tiers = this.groups.map((group) => tierOf(group, false))
    this.anyLane = (index) => tiers[index]!
    this.anyOpenLane = (index) => (lanes[index]!.hasRoom ? tiers[index]! : 0)
  }

  submit(request: Request, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    return withDeadline(
      options,
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(this.turn(request, options, restore), (turn) => this.handle(request, turn, restore))
      )
    )
  }

  /** A turn that is held until the scope closes; its exit is the job's. */
  lease(request: Request, options: SubmitOptions | undefined): Effect.Effect<Lease, DispatchError, Scope.Scope> {
    const lease = Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function* () {
        const turn = yield* this.turn(request, options, restore)
        let actual: ReadonlyArray<number> = []
        const scope = yield* Effect.scope
        yield* Scope.addFinalizerExit(scope, (exit) => this.finish(turn, exit, (_, index) => actual[index]))
        return {
          worker: this.lanes[turn.lane]!.name,
          report: (units: ReadonlyArray<number>) => {
            actual = units
          }
        }
      })
    )
    return withDeadline(options, lease)
  }

  control(name: string): WorkerControl | undefined {
    const lane = this.lanes.find((lane) => lane.name === name)
    if (lane === undefined) return undefined
    return {
      setOpen: (open) => Effect.sync(() => (open ? this.reopen(lane) : this.evict(lane))),
      setConcurrency: (limit) =>
        Effect.andThen(
          lane.setConcurrency(limit),
          Effect.sync(() => this.fill(lane))
        ),
      setLimits: (limits) => Effect.sync(() => lane.setLimits(limits))
    }
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

  /** The lane for a new session: one with room if there is any, else the one that a job would wait for. */
  assign(): number {
    const groups = this.lanes.length
    return this.selector.select((index) => {
      const lane = this.lanes[index]!
      return tierOf(this.groups[index]! + (lane.hasRoom ? groups : 0), false)
    })
  }

  wake(job: Job<Request>): void {
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
      const chosen = this.select(job.tier)
      ;(this.lanes[chosen] ?? lane).enqueue(job)
    }
  }

  private reopen(lane: Lane<Request, Response, Error>): void {
    lane.open()
    this.fill(lane)
  }

  /** Closes a lane; its queued jobs go to others, ahead of those that came later. */
  private evict(lane: Lane<Request, Response, Error>): void {
    const jobs = lane.close()
    const pinned = jobs.filter((job) => job.pinned !== undefined)
    for (const job of [...pinned, ...lane.waiting]) {
      lane.waiting.delete(job)
      lane.waiting.add(job)
    }
    this.waiting = new Set([...jobs.filter((job) => job.pinned === undefined), ...this.waiting])
    for (const other of this.lanes) this.fill(other)
  }

  /** Waits for a turn: the slot is taken when it comes. Interruptible only by `restore`. */
  private turn(
    request: Request,
    options: SubmitOptions | undefined,
    restore: Restore
  ): Effect.Effect<Turn, DispatchError> {
    return options?.session === undefined || this.affinity === undefined
      ? Effect.suspend(() => this.admit(request, options, this.eligible(options), undefined, restore))
      : this.turnInSession(request, options, options.session, this.affinity, restore)
  }

  private turnInSession(
    request: Request,
    options: SubmitOptions,
    session: string,
    affinity: Affinity,
    restore: Restore
  ): Effect.Effect<Turn, DispatchError> {
    return Effect.flatMap(affinity.laneOf(session), (pinned) => {
      const lane = this.lanes[pinned]!
      const eligible = this.eligible(options)
      if (options.exclude?.has(lane.name)) return this.admit(request, options, eligible, undefined, restore)
      if (this.settings.affinity?.onUnavailable === "wait") {
        return this.admit(request, options, (index) => (index === pinned ? this.anyLane(index) : 0), pinned, restore)
      }
      // This request avoids the session's worker; the session stays there.
      if (options.avoid?.has(lane.name)) return this.admit(request, options, eligible, undefined, restore)
      const favourite = tierOf(this.lanes.length, false)
      const tiers: Tiers = (index) => (index === pinned ? favourite : eligible(index))
      return Effect.tap(this.admit(request, options, tiers, undefined, restore), (turn) =>
        turn.lane === pinned ? Effect.void : affinity.rebind(session, turn.lane)
      )
    })
  }

  /** One synchronous step: a slot is taken, or the job stands in a line. */
  private admit(
    request: Request,
    options: SubmitOptions | undefined,
    tiers: Tiers,
    pinned: number | undefined,
    restore: Restore
  ): Effect.Effect<Turn, DispatchError> {
    const rejection = this.rejection(tiers)
    if (rejection !== undefined) return Effect.fail(rejection)
    // Nobody who waits could use a lane with room: `fill` has seen to that. So taking one overtakes nobody.
    const index = this.select(tiers)
    if (index === -1 && (options?.onFull ?? this.settings.onFull) === "fail")
      return Effect.fail(rejected(new QueueFull({})))
    this.active++
    const lane = this.lanes[index]
    const turn = lane?.tryStart(request)
    if (lane !== undefined && turn !== undefined) return Effect.as(lane.claimSlot, turn)
    const job = new Job(request, this.arrivals++, tiers, pinned)
    if (lane !== undefined) lane.enqueue(job)
    else if (pinned !== undefined) this.lanes[pinned]!.waiting.add(job)
    else this.waiting.add(job)
    // Not a finalizer of the suspension: the turn can be lost after the wake-up too, and `abandon` knows by the state.
    return Effect.map(
      Effect.onExitPrimitive(restore(job.signalled), (exit) =>
        exit._tag === "Success" ? undefined : this.abandon(job)
      ),
      () => job.turn!
    )
  }

  /** Runs the handler in the slot that was taken for it. */
  private handle(request: Request, turn: Turn, restore: Restore): Effect.Effect<Response, Error> {
    const lane = this.lanes[turn.lane]!
    return Effect.onExitPrimitive(restore(Effect.suspend(() => lane.handler(request))), (exit) =>
      this.finish(turn, exit, (limit) => limit.actual(exit, request))
    )
  }

  private finish(
    turn: Turn,
    exit: Exit.Exit<unknown, unknown> | undefined,
    actual: ActualUnits<Request, Response, Error>
  ): Effect.Effect<void> {
    const lane = this.lanes[turn.lane]!
    const released = lane.release(turn, exit, actual)
    this.fill(lane)
    this.end()
    return Effect.asVoid(released)
  }

  /** The submit was interrupted, or its job discarded, before its handler began. */
  private abandon(job: Job<Request>): Effect.Effect<void> | undefined {
    const { state } = job
    if (state === "granted") {
      job.state = "ended"
      return this.finish(job.turn!, undefined, () => 0)
    }
    if (state !== "ended") this.remove(job)
    if (state === "queued") this.fill(this.lanes[job.lane]!)
    this.end()
    return undefined
  }

  /** Takes a job out of wherever it waits. */
  private remove(job: Job<Request>): void {
    if (job.state === "queued") {
      this.lanes[job.lane]!.dequeue(job)
      return
    }
    job.state = "ended"
    this.waiting.delete(job)
    if (job.pinned !== undefined) this.lanes[job.pinned]!.waiting.delete(job)
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

  private rejection(tiers: Tiers): DispatchError | undefined {
    if (this.draining) return rejected(new Draining({}))
    if (tiers === this.anyLane || this.lanes.some((lane) => tiers(lane.index) > 0)) return undefined
    return rejected(new NoWorker({}))
  }

  private nextWaiting(lane: Lane<Request, Response, Error>): Job<Request> | undefined {
    const pinned = first(lane.waiting, () => true)
    const any = first(this.waiting, (job) => job.tier(lane.index) > 0)
    if (pinned === undefined || any === undefined) return pinned ?? any
    return pinned.order < any.order ? pinned : any
  }

  /** The best lane with room; -1 when there is none. */
  private select(tiers: Tiers): number {
    return this.selector.select(
      tiers === this.anyLane ? this.anyOpenLane : (index) => (this.lanes[index]!.hasRoom ? tiers(index) : 0)
    )
  }

  private eligible(options: SubmitOptions | undefined): Tiers {
    const { avoid, exclude } = options ?? {}
    if (!avoid?.size && !exclude?.size) return this.anyLane
    return (index) => {
      const { name } = this.lanes[index]!
      if (exclude?.has(name)) return 0
      return tierOf(this.groups[index]!, avoid?.has(name) ?? false)
    }
  }
}

const withDeadline = <A, E, R>(
  options: SubmitOptions | undefined,
  job: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DispatchError, R> => {
  if (options?.deadline === undefined) return job
  const deadline = Duration.fromInputUnsafe(options.deadline)
  return Effect.timeoutOrElse(job, {
    duration: deadline,
    orElse: () => new DispatchError({ reason: new DeadlineExceeded({ deadlineMs: Duration.toMillis(deadline) }) })
  })
}

const rejected = (reason: DispatchError["reason"]): DispatchError => new DispatchError({ reason })

const first = <A>(values: Iterable<A>, accept: (value: A) => boolean): A | undefined => {
  for (const value of values) if (accept(value)) return value
  return undefined
}
