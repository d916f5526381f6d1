/** All lanes of a dispatcher together: admission, sessions, waiting for room, control, the end. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DeadlineExceeded, DispatchError, Draining, NoWorker, QueueFull } from "../../domain/dispatch/DispatchError.ts"
import { type Selector, type Tier, tierOf } from "../../domain/dispatch/Selection.ts"
import type {
  Begun,
  DispatcherMetrics,
  DrainOptions,
  Lease,
  SubmitOptions,
  WorkerControl
} from "../../services/Dispatcher.ts"
import type { Affinity } from "./Affinity.ts"
import { Exclusions, type Remaining } from "./Exclusions.ts"
import { Job } from "./Job.ts"
import type { Lane, LaneListener } from "./Lane.ts"
import { priorityGroups, type Settings } from "./Options.ts"
import type { ActualUnits } from "./Throttle.ts"
import { mayGoTo, WaitingLines } from "./WaitingLines.ts"
import { WakeList } from "./WakeList.ts"

/** Which lanes a job may go to, and how gladly; see `Selection`. */
type Tiers = (index: number) => Tier

/** Its changes of state are synchronous steps, so that no two of them can interleave. */
export class Pool<Request, Response, Error> implements LaneListener<Request> {
  private readonly settings: Settings<Request, Response, Error>
  private readonly lanes: ReadonlyArray<Lane<Request, Response, Error>>
  private readonly affinity: Affinity | undefined
  private readonly selector: Selector
  private readonly exclusions: Exclusions
  private readonly waiting: WaitingLines<Request>
  /** The priority group of each lane, the higher the better. */
  private readonly groups: ReadonlyArray<number>
  private readonly anyLane: Tiers
  /** `anyLane`, of the lanes with room now. */
  private readonly anyOpenLane: Tiers
  private readonly wakeList = new WakeList()
  private readonly onIdle = new Set<Deferred.Deferred<void>>()
  private arrivals = 0
  /** Submits that have been admitted and have not ended. */
  private active = 0
  private draining = false

  constructor(
    settings: Settings<Request, Response, Error>,
    lanes: ReadonlyArray<Lane<Request, Response, Error>>,
    selector: Selector,
    affinity: Affinity | undefined
  ) {
    this.settings = settings
    this.lanes = lanes
    this.affinity = affinity
    this.selector = selector
    this.waiting = new WaitingLines(lanes.length)
    this.exclusions = new Exclusions(lanes.map((lane) => lane.name))
    this.groups = priorityGroups(settings.lanes)
    const tiers = this.groups.map((group) => tierOf(group, false))
    this.anyLane = (index) => tiers[index]!
    this.anyOpenLane = (index) => (lanes[index]!.hasRoom ? tiers[index]! : 0)
    for (const lane of lanes) lane.listener = this
  }

  /**
   * The finalizer stands before anything is taken, and knows from the job's state what to give back. So nothing need be
   * uninterruptible, wherever the fiber is interrupted or yields, and a job that need not wait is three primitives.
   */
  submit(request: Request, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    const submit = Effect.suspend(() => {
      const job = new Job(request, this.anyLane)
      return Effect.onExitPrimitive(
        Effect.suspend(() => this.run(job, options)),
        (exit) => this.finishRun(job, exit)
      )
    })
    return options?.deadline === undefined ? submit : withDeadline(options.deadline, submit)
  }

  /** Nothing but the state of the job says what has been done with it, so that `end` may come at any time. */
  begin(request: Request, options: SubmitOptions | undefined): Begun<Response, Error> {
    const job = new Job(request, this.anyLane)
    const rejection = this.admit(job, options)
    let isOver = false
    const end = (exit: Exit.Exit<Response, Error | DispatchError>): undefined => {
      if (!isOver) this.finishRun(job, exit)
      isOver = true
    }
    const goOn = (): Effect.Effect<Response, Error | DispatchError> =>
      Effect.onExitPrimitive(
        Effect.suspend(() => this.goOn(job)),
        end
      )
    return {
      take: () => (job.state === "granted" ? this.start(job).name : undefined),
      get rest() {
        return rejection === undefined ? goOn() : Effect.fail(rejection)
      },
      end
    }
  }

  /** A turn that is held until the scope closes; its exit is the job's. */
  lease(request: Request, options: SubmitOptions | undefined): Effect.Effect<Lease, DispatchError, Scope.Scope> {
    const lease = Effect.uninterruptibleMask((restore) => {
      const job = new Job(request, this.anyLane)
      let actual: ReadonlyArray<number> = []
      const turn = Effect.onExitPrimitive(restore(Effect.suspend(() => this.turn(job, options))), (exit) =>
        exit._tag === "Success" ? undefined : this.finish(job, exit, () => 0)
      )
      const release = Effect.flatMap(Effect.scope, (scope) =>
        Scope.addFinalizerExit(scope, (exit) => Effect.sync(() => this.finish(job, exit, (_, index) => actual[index])))
      )
      return Effect.flatMap(turn, () => {
        const { name } = this.start(job)
        return Effect.as(release, {
          worker: name,
          report: (units: ReadonlyArray<number>) => {
            actual = units
          }
        })
      })
    })
    return options?.deadline === undefined ? lease : withDeadline(options.deadline, lease)
  }

  control(name: string): WorkerControl | undefined {
    const lane = this.lanes.find((lane) => lane.name === name)
    if (lane === undefined) return undefined
    return {
      setOpen: (open) => Effect.sync(() => (open ? this.reopen(lane) : this.evict(lane))),
      setConcurrency: (limit) =>
        Effect.sync(() => {
          lane.setConcurrency(limit)
          this.fill(lane)
        }),
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
      waiting: this.waiting.size
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

  onChange(index: number): void {
    const lane = this.lanes[index]!
    this.selector.index?.set(index, lane.load, lane.hasRoom)
  }

  onRoom(index: number): void {
    this.fill(this.lanes[index]!)
  }

  onGrant(job: Job<Request>): void {
    this.wakeList.add(job, Effect.void)
  }

  /** A lane has room: those that waited longest move into its queue. */
  private fill(lane: Lane<Request, Response, Error>): void {
    while (lane.hasRoom) {
      const job = this.waiting.next(lane.index)
      if (job === undefined) return
      this.waiting.remove(job)
      // The policy keeps the books for `weighted`; for a pinned job it has no choice.
      const chosen = job.pinned === undefined ? this.select(job.tier) : lane.index
      ;(this.lanes[chosen] ?? lane).enqueue(job)
    }
  }

  private reopen(lane: Lane<Request, Response, Error>): void {
    lane.open()
    this.fill(lane)
  }

  /** Closes a lane; its queued jobs go to others, ahead of those that came later. */
  private evict(lane: Lane<Request, Response, Error>): void {
    this.waiting.restore(lane.close())
    for (const other of this.lanes) this.fill(other)
  }

  /** Runs the handler when the job's turn has come, which may be now. */
  private run(job: Job<Request>, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    const rejection = this.admit(job, options)
    if (rejection !== undefined) return Effect.fail(rejection)
    return this.goOn(job)
  }

  private goOn(job: Job<Request>): Effect.Effect<Response, Error | DispatchError> {
    if (job.state === "granted") return this.start(job).handler(job.request)
    if (job.state === "running") return this.lanes[job.lane]!.handler(job.request)
    return Effect.flatMap(job.signalled, () => this.start(job).handler(job.request))
  }

  /** Waits until the job's turn has come. */
  private turn(job: Job<Request>, options: SubmitOptions | undefined): Effect.Effect<void, DispatchError> {
    const rejection = this.admit(job, options)
    if (rejection !== undefined) return Effect.fail(rejection)
    return job.state === "granted" ? Effect.void : job.signalled
  }

  /** The work begins: from now on its exit counts. */
  private start(job: Job<Request>): Lane<Request, Response, Error> {
    job.state = "running"
    if (job.session !== undefined && job.lane !== job.favourite) this.affinity?.rebind(job.session, job.lane)
    return this.lanes[job.lane]!
  }

  /** One synchronous step: a slot is taken, or the job stands in a line. */
  private admit(job: Job<Request>, options: SubmitOptions | undefined): DispatchError | undefined {
    if (this.draining) return rejected(new Draining({}))
    // Nobody who waits could use a lane with room: `fill` has seen to that. So taking one overtakes nobody.
    const index = options === undefined ? this.best() : this.choose(job, options)
    if (index === NOBODY) return rejected(new NoWorker({}))
    if (index === -1 && (options?.onFull ?? this.settings.onFull) === "fail" && !this.mayStandBy(job)) {
      return rejected(new QueueFull({}))
    }
    this.active++
    const lane = this.lanes[index]
    if (lane?.tryStart(job)) return undefined
    job.order = this.arrivals++
    job.state = "waiting"
    if (lane !== undefined) lane.enqueue(job)
    else this.waiting.add(job)
    return undefined
  }

  /** A closed lane is not full: as many jobs may wait for it to open as its queue would hold. */
  private mayStandBy(job: Job<Request>): boolean {
    let places = 0
    const closed: Array<number> = []
    for (const { index, standbyCapacity } of this.lanes) {
      if (standbyCapacity === 0 || !mayGoTo(job, index)) continue
      places += standbyCapacity
      closed.push(index)
    }
    return places > 0 && this.waiting.countFor(closed) < places
  }

  /** The lane for a job with options: -1 when none has room, `NOBODY` when none may ever have it. */
  private choose(job: Job<Request>, options: SubmitOptions): number {
    const remaining = options.exclude?.size ? this.exclusions.remaining(options.exclude) : undefined
    if (remaining?.members.length === 0) return NOBODY
    job.lanes = remaining
    const { session, avoid } = options
    if (session !== undefined && this.affinity !== undefined) {
      const pinned = this.affinity.laneOf(session, this.assign)
      if (remaining === undefined || remaining.has[pinned] === 1) {
        return this.chooseInSession(job, options, remaining, session, pinned)
      }
    }
    job.tier = this.eligible(remaining, avoid)
    return this.chooseAmong(job.tier, remaining, avoid)
  }

  /** The session's lane when it has room; else, when the session may spill, another, which it then moves to. */
  private chooseInSession(
    job: Job<Request>,
    { avoid }: SubmitOptions,
    remaining: Remaining | undefined,
    session: string,
    pinned: number
  ): number {
    const lane = this.lanes[pinned]!
    if (this.settings.affinity?.onUnavailable === "wait") {
      job.pinned = pinned
      return lane.hasRoom ? pinned : -1
    }
    const eligible = this.eligible(remaining, avoid)
    // This request avoids the session's worker; the session stays there.
    if (avoid?.has(lane.name)) {
      job.tier = eligible
      return this.chooseAmong(eligible, remaining, avoid)
    }
    const favourite = tierOf(this.lanes.length, false)
    job.tier = (index) => (index === pinned ? favourite : eligible(index))
    job.session = session
    job.favourite = pinned
    return lane.hasRoom ? pinned : this.chooseAmong(eligible, remaining, avoid)
  }

  private chooseAmong(tiers: Tiers, remaining: Remaining | undefined, avoid: ReadonlySet<string> | undefined): number {
    if (avoid?.size) return this.select(tiers)
    return remaining === undefined ? this.best() : this.bestOf(remaining, tiers)
  }

  /** As `finish`, where the units are asked for when the job ran: its exit is the handler's own then. */
  private finishRun(job: Job<Request>, exit: Exit.Exit<Response, Error | DispatchError>): undefined {
    return this.finish(job, exit, (limit) => limit.actual(exit as Exit.Exit<Response, Error>, job.request))
  }

  /** The job is over, or is given up: gives back what it has, as its state says. Its exit counts when it ran. */
  private finish(
    job: Job<Request>,
    exit: Exit.Exit<unknown, unknown>,
    actual: ActualUnits<Request, Response, Error>
  ): undefined {
    const { state } = job
    if (state === "new") return
    if (state === "running") {
      job.state = "ended"
      this.release(job, exit, actual)
    } else if (state === "granted") {
      job.state = "ended"
      this.release(job, undefined, () => 0)
    } else if (state !== "ended") {
      this.remove(job)
      if (state === "queued") this.fill(this.lanes[job.lane]!)
    }
    this.end()
  }

  private release(
    job: Job<Request>,
    exit: Exit.Exit<unknown, unknown> | undefined,
    actual: ActualUnits<Request, Response, Error>
  ): void {
    const lane = this.lanes[job.lane]!
    lane.release(job, exit, actual)
    if (this.waiting.size > 0) this.fill(lane)
  }

  /** Takes a job out of wherever it waits. */
  private remove(job: Job<Request>): void {
    if (job.state === "queued") {
      this.lanes[job.lane]!.dequeue(job)
      return
    }
    job.state = "ended"
    this.waiting.remove(job)
  }

  private end(): void {
    this.active--
    if (this.active > 0) return
    for (const idle of this.onIdle) Deferred.doneUnsafe(idle, Effect.void)
  }

  /** Fails all jobs that have not been granted their turn. */
  private discard(): void {
    const jobs = [...this.waiting.all(), ...this.lanes.flatMap((lane) => lane.queued())]
    for (const job of jobs) {
      this.remove(job)
      this.wakeList.add(job, Effect.fail(rejected(new Draining({}))))
    }
  }

  /** The best lane with room; -1 when there is none. */
  private select(tiers: Tiers): number {
    if (tiers === this.anyLane) return this.best()
    return this.selector.select((index) => (this.lanes[index]!.hasRoom ? tiers(index) : 0))
  }

  private best(): number {
    const { index } = this.selector
    if (index === undefined) return this.selector.select(this.anyOpenLane)
    const best = index.best()
    if (best !== -1) index.chose(best)
    return best
  }

  private bestOf(remaining: Remaining, tiers: Tiers): number {
    const { index } = this.selector
    if (index === undefined) return this.select(tiers)
    const best = index.bestOf(remaining)
    if (best !== -1) index.chose(best)
    return best
  }

  /** The lane for a new session: one with room if there is any, else the one that a job would wait for. */
  private readonly assign = (): number => {
    const best = this.best()
    return best === -1 ? this.selector.select(this.anyLane) : best
  }

  private eligible(remaining: Remaining | undefined, avoid: ReadonlySet<string> | undefined): Tiers {
    if (!avoid?.size && remaining === undefined) return this.anyLane
    return (index) => {
      if (remaining !== undefined && remaining.has[index] === 0) return 0
      return tierOf(this.groups[index]!, avoid?.has(this.lanes[index]!.name) ?? false)
    }
  }
}

/** No lane is left by what a submit excludes. */
const NOBODY = -2

const withDeadline = <A, E, R>(
  input: Duration.Input,
  job: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DispatchError, R> => {
  const deadline = Duration.fromInputUnsafe(input)
  return Effect.timeoutOrElse(job, {
    duration: deadline,
    orElse: () => new DispatchError({ reason: new DeadlineExceeded({ deadlineMs: Duration.toMillis(deadline) }) })
  })
}

const rejected = (reason: DispatchError["reason"]): DispatchError => new DispatchError({ reason })
