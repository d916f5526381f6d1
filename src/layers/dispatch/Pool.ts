/** All lanes of a dispatcher together: admission, sessions, waiting for room, control, the end. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { DeadlineExceeded, DispatchError, Draining, NoWorker, QueueFull } from "../../domain/dispatch/DispatchError.ts"
import type {
  Begun,
  DispatcherMetrics,
  DrainOptions,
  Lease,
  SubmitOptions,
  TurnListener,
  WorkerControl
} from "../../services/Dispatcher.ts"
import { Job, type SignalListener } from "./Job.ts"
import type { Lane, LaneListener } from "./Lane.ts"
import { type LaneChoice, NOBODY } from "./LaneChoice.ts"
import type { Settings } from "./Options.ts"
import type { ActualUnits } from "./Throttle.ts"
import { mayGoTo, WaitingLines } from "./WaitingLines.ts"
import { WakeList } from "./WakeList.ts"

/** Its changes of state are synchronous steps, so that no two of them can interleave. */
export class Pool<Request, Response, Error> implements LaneListener<Request> {
  private readonly settings: Settings<Request, Response, Error>
  private readonly lanes: ReadonlyArray<Lane<Request, Response, Error>>
  private readonly choice: LaneChoice<Request>
  private readonly waiting: WaitingLines<Request>
  private readonly afterInput = WakeList.afterInput()
  private readonly atOnce = WakeList.atOnce()
  private readonly onIdle = new Set<Deferred.Deferred<void>>()
  private arrivals = 0
  /** Submits that have been admitted and have not ended. */
  private active = 0
  private draining = false

  constructor(
    settings: Settings<Request, Response, Error>,
    lanes: ReadonlyArray<Lane<Request, Response, Error>>,
    choice: LaneChoice<Request>
  ) {
    this.settings = settings
    this.lanes = lanes
    this.choice = choice
    this.waiting = new WaitingLines(lanes.length)
    for (const lane of lanes) lane.listener = this
  }

  /**
   * The finalizer stands before anything is taken, and knows from the job's state what to give back. So nothing need be
   * uninterruptible, wherever the fiber is interrupted or yields, and a job that need not wait is three primitives.
   */
  submit(request: Request, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    const submit = Effect.suspend(() => {
      const job = new Job(request, this.choice.anyLane)
      return Effect.onExitPrimitive(
        Effect.suspend(() => this.run(job, options)),
        (exit) => this.finishRun(job, exit)
      )
    })
    return options?.deadline === undefined ? submit : withDeadline(options.deadline, submit)
  }

  begin(request: Request, options: SubmitOptions | undefined): Begun<Response, Error> {
    const job = new Job(request, this.choice.anyLane)
    return new BegunJob(this, job, this.admit(job, options))
  }

  /** Takes the turn of a job that has it, for its submitter: gives the worker's name. */
  take(job: Job<Request>): string | undefined {
    return job.state === "granted" ? this.start(job).name : undefined
  }

  /** A turn that is held until the scope closes; its exit is the job's. */
  lease(request: Request, options: SubmitOptions | undefined): Effect.Effect<Lease, DispatchError, Scope.Scope> {
    const lease = Effect.uninterruptibleMask((restore) => {
      const job = new Job(request, this.choice.anyLane)
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
          sent: () => job.sent(),
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
      setOpen: (open, options) =>
        Effect.sync(() => (open ? this.reopen(lane) : this.evict(lane, options?.forLong ?? false))),
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
    this.choice.onChange(index)
  }

  onRoom(index: number): void {
    this.fill(this.lanes[index]!)
  }

  onGrant(job: Job<Request>, wasDelayed: boolean): void {
    const wakeList = wasDelayed ? this.atOnce : this.afterInput
    wakeList.add(job, Exit.void)
  }

  /** A lane has room: those that waited longest move into its queue. */
  private fill(lane: Lane<Request, Response, Error>): void {
    while (lane.hasRoom) {
      const job = this.waiting.next(lane.index)
      if (job === undefined) return
      this.waiting.remove(job)
      this.lanes[this.choice.chooseAgain(job, lane.index)]!.enqueue(job)
    }
  }

  /** Opens a lane. When it was closed for long, the others' queued jobs choose again: for many it was not there before. */
  private reopen(lane: Lane<Request, Response, Error>): void {
    const wasClosedForLong = lane.isClosedForLong
    lane.open()
    if (wasClosedForLong) this.placeAnew(this.lanes.flatMap((other) => other.recall()))
    else this.fill(lane)
  }

  /** Closes a lane; its queued jobs go to others. For long: also those of its sessions, wherever they wait. */
  private evict(lane: Lane<Request, Response, Error>, forLong: boolean): void {
    const queued = lane.close(forLong)
    const jobs = forLong ? [...queued, ...this.waiting.takePinned(lane.index)] : queued
    if (forLong) for (const job of jobs) this.choice.unpin(job)
    this.placeAnew(jobs)
  }

  /** Jobs that have left their queues go where there is room, ahead of those that came later. */
  private placeAnew(jobs: ReadonlyArray<Job<Request>>): void {
    this.waiting.restore(jobs)
    for (const lane of this.lanes) this.fill(lane)
  }

  /** Runs the handler when the job's turn has come, which may be now. */
  private run(job: Job<Request>, options: SubmitOptions | undefined): Effect.Effect<Response, Error | DispatchError> {
    const rejection = this.admit(job, options)
    if (rejection !== undefined) return Effect.fail(rejection)
    return this.goOn(job)
  }

  /** Waits for the turn of a job that has been admitted, and runs the handler. */
  goOn(job: Job<Request>): Effect.Effect<Response, Error | DispatchError> {
    if (job.state === "granted") return this.start(job).handler(job.request, job)
    if (job.state === "running") return this.lanes[job.lane]!.handler(job.request, job)
    return Effect.flatMap(job.signalled, () => this.start(job).handler(job.request, job))
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
    this.choice.settle(job)
    const lane = this.lanes[job.lane]!
    lane.start(job)
    return lane
  }

  /** One synchronous step: a slot is taken, or the job stands in a line. */
  private admit(job: Job<Request>, options: SubmitOptions | undefined): DispatchError | undefined {
    if (this.draining) return rejected(new Draining({}))
    // Nobody who waits could use a lane with room: `fill` has seen to that. So taking one overtakes nobody.
    const index = this.choice.choose(job, options)
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

  /** As `finish`, where the units are asked for when the job ran: its exit is the handler's own then. */
  finishRun(job: Job<Request>, exit: Exit.Exit<Response, Error | DispatchError>): undefined {
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
      this.afterInput.add(job, Exit.fail(rejected(new Draining({}))))
    }
  }
}

/** Nothing but the state of the job says what has been done with it, so that `end` may come at any time. */
class BegunJob<Request, Response, Error> implements Begun<Response, Error>, SignalListener {
  private readonly pool: Pool<Request, Response, Error>
  private readonly job: Job<Request>
  private readonly rejection: DispatchError | undefined
  private listener: TurnListener | undefined = undefined
  private isOver = false

  constructor(pool: Pool<Request, Response, Error>, job: Job<Request>, rejection: DispatchError | undefined) {
    this.pool = pool
    this.job = job
    this.rejection = rejection
  }

  take(): string | undefined {
    return this.pool.take(this.job)
  }

  sent(): void {
    this.job.sent()
  }

  wait(listener: TurnListener): void {
    if (this.rejection !== undefined) {
      listener.onTurn(this.rejection)
      return
    }
    this.listener = listener
    this.job.listen(this)
  }

  signalled(turn: Exit.Exit<void, DispatchError>): void {
    if (this.isOver) return
    this.listener?.onTurn(Exit.isSuccess(turn) ? undefined : turn.cause.reasons.find(Cause.isFailReason)?.error)
  }

  get rest(): Effect.Effect<Response, Error | DispatchError> {
    if (this.rejection !== undefined) return Effect.fail(this.rejection)
    return Effect.onExitPrimitive(
      Effect.suspend(() => this.pool.goOn(this.job)),
      (exit) => this.end(exit)
    )
  }

  end(exit: Exit.Exit<Response, Error | DispatchError>): undefined {
    if (!this.isOver) this.pool.finishRun(this.job, exit)
    this.isOver = true
  }
}

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
