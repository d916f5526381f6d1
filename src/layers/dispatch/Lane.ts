/**
 * One worker at run time: a bounded queue, a semaphore of slots, the limits, the counters, and one fiber that gives the
 * queued jobs their turn.
 *
 * A job runs in its submitter's own fiber; the lane only says when. So the caller's interruption, context and spans
 * reach the handler with nothing in between, and a job costs no fork. At most one fiber per lane, its own, ever waits
 * for a slot or a limit: waiting is O(lanes), however many jobs are queued.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import { PeakEwma } from "../../domain/dispatch/PeakEwma.ts"
import type { Candidate } from "../../domain/dispatch/Selection.ts"
import type { Handler, RateLimits, WorkerMetrics } from "../../services/Dispatcher.ts"
import type { Job, Turn } from "./Job.ts"
import type { LaneSettings } from "./Options.ts"
import { type ActualUnits, monotonicMs, Throttle, UnitThrottle } from "./Throttle.ts"

/** What a lane tells the pool; called synchronously, right after the change. */
export interface LaneListener<Request> {
  /** A place in the queue, or a slot of an empty one, has come free. */
  readonly onRoom: () => void
  /** The job's turn has come: its fiber is to be woken. */
  readonly onGrant: (job: Job<Request>) => void
}

export interface LaneOptions<Request, Response, Error> {
  readonly index: number
  readonly settings: LaneSettings<Request, Response, Error>
  readonly handler: Handler<Request, Response, Error>
  /** The pool's limits. */
  readonly shared: Throttle
  /** Whether selection goes by latency: then it is measured. */
  readonly measuresLatency: boolean
}

/** Makes a lane; its jobs get no turn until `grantTurns` runs. */
export const makeLane = Effect.fnUntraced(function* <Request, Response, Error>(
  options: LaneOptions<Request, Response, Error>
) {
  // Twice the capacity: cancelled jobs stay in until `compact`.
  const queue = yield* Queue.bounded<Job<Request>>(2 * options.settings.queueCapacity + 2)
  return new Lane(options, queue, yield* Clock.Clock)
})

export class Lane<Request, Response, Error> implements Candidate {
  readonly index: number
  readonly name: string
  readonly weight: number
  readonly handler: Handler<Request, Response, Error>
  /** Jobs pinned to this lane that wait for room in its queue, oldest first. */
  readonly waiting = new Set<Job<Request>>()

  private readonly settings: LaneSettings<Request, Response, Error>
  private readonly clock: Clock.Clock
  private readonly slots: Semaphore.Semaphore
  private readonly queue: Queue.Queue<Job<Request>>
  private readonly shared: Throttle
  private own: Throttle
  private readonly units: UnitThrottle<Request, Response, Error> | undefined
  private readonly latency: PeakEwma | undefined
  /** Opened when a running job ends: it may have given units back. */
  private readonly ended = Latch.makeUnsafe()

  private isOpen = true
  private concurrency: number
  private inflight = 0
  private queueLen = 0
  private errors = 0
  private completed = 0
  private interrupted = 0
  /** Cancelled jobs that are still in `queue` or `held`; at most `queueCapacity` + 1. */
  private tombstones = 0
  /** The job that the lane's fiber has taken from the queue; it counts as queued until its turn comes. */
  private held: Job<Request> | undefined = undefined
  /** Whether the lane's fiber is between taking a job and giving it its turn: then nobody may overtake. */
  private granting = false

  constructor(options: LaneOptions<Request, Response, Error>, queue: Queue.Queue<Job<Request>>, clock: Clock.Clock) {
    const { settings } = options
    this.index = options.index
    this.name = settings.name
    this.weight = settings.weight
    this.handler = options.handler
    this.settings = settings
    this.clock = clock
    this.concurrency = settings.concurrency
    this.slots = Semaphore.makeUnsafe(settings.concurrency)
    this.queue = queue
    this.shared = options.shared
    this.own = new Throttle(settings.limits)
    this.units = settings.unitLimits.length === 0 ? undefined : new UnitThrottle(settings.unitLimits)
    this.latency = options.measuresLatency ? new PeakEwma() : undefined
  }

  /** In flight and queued: what load balancing goes by. */
  get load(): number {
    return this.inflight + this.queueLen
  }

  get latencyMs(): number {
    return this.latency === undefined ? 0 : this.latency.read(this.now())
  }

  /** Whether a job could be queued here; an empty queue of capacity 0 takes one job while a slot is free. */
  get hasRoom(): boolean {
    return (
      this.isOpen &&
      (this.queueLen < this.settings.queueCapacity || (this.queueLen === 0 && this.inflight < this.concurrency))
    )
  }

  get metrics(): WorkerMetrics {
    return {
      worker_id: this.index,
      name: this.name,
      inflight: this.inflight,
      queue_len: this.queueLen,
      capacity: this.settings.queueCapacity,
      errors: this.errors,
      completed: this.completed,
      interrupted: this.interrupted,
      open: this.isOpen,
      concurrency: this.concurrency
    }
  }

  /**
   * Takes a slot for a job that need not wait: the queue is empty, a slot is free and the limits allow it. When it gives
   * a turn, `claimSlot` must follow.
   *
   * This is the fast way past queue and fiber; both ways pass the same tests. Its gain: `benchmarks/dispatch.ts`.
   */
  tryStart(request: Request): Turn | undefined {
    if (!this.isOpen || this.granting || this.queueLen > 0 || this.inflight >= this.concurrency) return undefined
    if (this.isUnlimited && this.latency === undefined) {
      this.inflight++
      return { lane: this.index, startedAt: 0, reservations: undefined }
    }
    const now = this.now()
    if (this.shared.waiting > 0 || this.delay(now, request) > 0 || this.shared.delay(now) > 0) return undefined
    return this.begin(now, request)
  }

  /** Takes the permit that `tryStart` promised. */
  get claimSlot(): Effect.Effect<number> {
    return this.slots.take(1)
  }

  /** Queues a job. Only when `hasRoom`. */
  enqueue(job: Job<Request>): void {
    this.queueLen++
    job.state = "queued"
    job.lane = this.index
    Queue.offerUnsafe(this.queue, job)
  }

  /** Takes a queued job out of the queue: its turn will not come. */
  dequeue(job: Job<Request>): void {
    job.state = "ended"
    this.queueLen--
    this.tombstones++
    if (this.tombstones > this.settings.queueCapacity) this.compact()
  }

  /** Gives back the slot of a job that ended; counts it when it ran. */
  release(
    turn: Turn,
    exit: Exit.Exit<unknown, unknown> | undefined,
    actual: ActualUnits<Request, Response, Error>
  ): Effect.Effect<number> {
    this.inflight--
    if (exit !== undefined) this.count(exit)
    if (this.units !== undefined && turn.reservations !== undefined) {
      this.units.settle(this.now(), turn.reservations, actual)
      this.ended.openUnsafe()
    }
    // A failure may be quick: taken for good news, it would draw more.
    if (this.latency !== undefined && exit?._tag === "Success") {
      const now = this.now()
      this.latency.observe(now - turn.startedAt, now)
    }
    return this.slots.release(1)
  }

  /** All queued jobs, in order. They stay where they are. */
  queued(): ReadonlyArray<Job<Request>> {
    const jobs = this.compact()
    return this.held?.state === "queued" ? [this.held, ...jobs] : jobs
  }

  /** Takes no more jobs until `open`; gives those that were queued, in order, as waiting again. */
  close(): ReadonlyArray<Job<Request>> {
    this.isOpen = false
    const jobs = this.queued()
    while (this.poll() !== undefined) {}
    for (const job of jobs) job.state = "waiting"
    this.held = undefined
    this.queueLen = 0
    this.tombstones = 0
    return jobs
  }

  open(): void {
    this.isOpen = true
  }

  /** Sets the most jobs in flight, between 1 and the lane's own `concurrency`; running ones go on. */
  setConcurrency(limit: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.concurrency = Math.min(Math.max(1, Math.floor(limit)), this.settings.concurrency)
      return this.slots.resize(this.concurrency)
    })
  }

  setLimits(limits: RateLimits): void {
    this.own = new Throttle(limits)
  }

  /** Gives queued jobs their turn, for ever. */
  grantTurns(listener: LaneListener<Request>): Effect.Effect<never> {
    const next = Effect.flatMap(Queue.take(this.queue), (job) => {
      if (job.state !== "queued") {
        this.tombstones--
        return Effect.void
      }
      this.held = job
      this.granting = true
      return Effect.flatMap(this.slots.take(1), () =>
        this.isUnlimited ? this.grant(listener) : this.grantWhenAllowed(listener)
      )
    })
    return Effect.forever(next, { disableYield: true })
  }

  private get isUnlimited(): boolean {
    return this.own.isUnlimited && this.shared.isUnlimited && this.units === undefined
  }

  private now(): number {
    return monotonicMs(this.clock)
  }

  /** The lane's own limits: milliseconds until the job may start. */
  private delay(now: number, request: Request): number {
    const delay = this.own.delay(now)
    return this.units === undefined ? delay : Math.max(delay, this.units.delay(now, request))
  }

  private begin(now: number, request: Request): Turn {
    this.own.take(now)
    this.shared.take(now)
    this.inflight++
    return { lane: this.index, startedAt: now, reservations: this.units?.reserve(now, request) }
  }

  /** A slot is taken: the first live job gets it; if all were cancelled or moved meanwhile it goes back. */
  private grant(listener: LaneListener<Request>): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const job = this.nextLive()
      return job === undefined ? this.grantNobody() : this.grantTo(job, listener)
    })
  }

  private grantTo(job: Job<Request>, listener: LaneListener<Request>): Effect.Effect<void> {
    this.held = undefined
    this.granting = false
    this.queueLen--
    job.state = "granted"
    job.turn = this.begin(this.isUnlimited && this.latency === undefined ? 0 : this.now(), job.request)
    listener.onGrant(job)
    listener.onRoom()
    return Effect.void
  }

  private grantNobody(): Effect.Effect<number> {
    this.held = undefined
    this.granting = false
    return this.slots.release(1)
  }

  /**
   * Waits for the lane's own limits, then in line for the pool's. Nothing is taken before the step that gives the turn,
   * so whatever is cancelled or moved while waiting costs nobody a token.
   */
  private readonly grantWhenAllowed = Effect.fnUntraced(function* (
    this: Lane<Request, Response, Error>,
    listener: LaneListener<Request>
  ) {
    for (;;) {
      const job = this.nextLive()
      if (job === undefined) return yield* this.grantNobody()
      const now = this.now()
      const delay = this.delay(now, job.request)
      if (delay > 0) {
        yield* this.sleep(delay)
      } else if (this.shared.isUnlimited || (this.shared.waiting === 0 && this.shared.delay(now) === 0)) {
        return yield* this.grantTo(job, listener)
      } else if (yield* this.grantInTurn(listener)) {
        return
      }
    }
  })

  /** Waits in line for the pool's limits. False when the lane's own limits say no by then. */
  private readonly grantInTurn = Effect.fnUntraced(
    function* (this: Lane<Request, Response, Error>, listener: LaneListener<Request>) {
      for (;;) {
        const job = this.nextLive()
        const now = this.now()
        if (job === undefined || this.delay(now, job.request) > 0) return false
        const delay = this.shared.delay(now)
        if (delay === 0) {
          yield* this.grantTo(job, listener)
          return true
        }
        yield* pause(delay)
      }
    },
    (grant) =>
      Effect.suspend(() => {
        this.shared.waiting++
        return Effect.onExit(this.shared.turn.withPermit(grant), () =>
          Effect.sync(() => {
            this.shared.waiting--
          })
        )
      })
  )

  /** Until the delay is over, or a running job has ended when only that can help. */
  private sleep(delay: number): Effect.Effect<void> {
    const timer = Number.isFinite(delay) ? pause(delay) : Effect.never
    if (this.units === undefined) return timer
    this.ended.closeUnsafe()
    return Effect.raceFirst(timer, this.ended.await)
  }

  private nextLive(): Job<Request> | undefined {
    let job = this.held ?? this.poll()
    while (job !== undefined && job.state !== "queued") {
      this.tombstones--
      job = this.poll()
    }
    this.held = job
    return job
  }

  /** Drops the cancelled jobs from the queue, so that it stays within twice its capacity; gives the live ones. */
  private compact(): ReadonlyArray<Job<Request>> {
    const live: Array<Job<Request>> = []
    for (let taken = this.poll(); taken !== undefined; taken = this.poll()) {
      if (taken.state === "queued") live.push(taken)
    }
    for (const job of live) Queue.offerUnsafe(this.queue, job)
    this.tombstones = this.held !== undefined && this.held.state !== "queued" ? 1 : 0
    return live
  }

  private poll(): Job<Request> | undefined {
    const taken = Queue.takeUnsafe(this.queue)
    return taken?._tag === "Success" ? taken.value : undefined
  }

  private count(exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success") this.completed++
    else if (exit.cause.reasons.some((reason) => reason._tag !== "Interrupt")) this.errors++
    else this.interrupted++
  }
}

/** Timers are no finer than a millisecond, and a rest that rounds to nothing would be waited for in a busy loop. */
const pause = (delayMs: number): Effect.Effect<void> => Effect.sleep(Duration.millis(Math.ceil(delayMs)))
