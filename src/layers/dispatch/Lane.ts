/**
 * One worker at run time: a bounded queue, slots, the limits, the counters, and one fiber that waits for the limits.
 *
 * A job runs in its submitter's own fiber; the lane only says when. So the caller's interruption, context and spans
 * reach the handler with nothing in between, and a job costs no fork.
 *
 * Slots are a counter and not a semaphore: whether one is free, whether somebody is before in the queue and what the
 * limits say must be answered in one synchronous step, and a slot that comes free goes to the next queued job in the very
 * step that frees it. So nobody ever waits for a slot but the jobs in the queue. What takes time is waiting for a limit:
 * that is done by the lane's own fiber, at most one in each lane, however many jobs are queued.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Queue from "effect/Queue"
import { PeakEwma } from "../../domain/dispatch/PeakEwma.ts"
import type { Candidate } from "../../domain/dispatch/Selection.ts"
import type { Handler, RateLimits, WorkerMetrics } from "../../services/Dispatcher.ts"
import type { Job } from "./Job.ts"
import { LaneLimits } from "./LaneLimits.ts"
import type { LaneSettings } from "./Options.ts"
import type { InLine, SharedThrottle } from "./SharedThrottle.ts"
import { type ActualUnits, monotonicMs, pause, Throttle, UnitThrottle } from "./Throttle.ts"

/** What a lane tells the pool; called synchronously, right after the change. */
export interface LaneListener<Request> {
  /** Load or room of the lane are not what they were. */
  readonly onChange: (lane: number) => void
  /** The lane's fiber has given a turn: there may be room. */
  readonly onRoom: (lane: number) => void
  /** The job's turn has come: its submitter is to be woken. `wasDelayed`: a limit had held it up. */
  readonly onGrant: (job: Job<Request>, wasDelayed: boolean) => void
}

export interface LaneOptions<Request, Response, Error> {
  readonly index: number
  readonly settings: LaneSettings<Request, Response, Error>
  readonly handler: Handler<Request, Response, Error>
  /** The pool's limits. */
  readonly shared: SharedThrottle
  /** Whether selection goes by latency: then it is measured. */
  readonly measuresLatency: boolean
  /** Until when another may have used its limits, of the monotonic clock in milliseconds; `undefined`: nobody has. */
  readonly usedAt: number | undefined
}

/** Makes a lane; jobs that a limit delays get no turn until `keepLimits` runs, and `SharedThrottle.keep` for the pool's. */
export const makeLane = Effect.fnUntraced(function* <Request, Response, Error>(
  options: LaneOptions<Request, Response, Error>
) {
  // Twice the capacity: cancelled jobs stay in until `compact`.
  const queue = yield* Queue.bounded<Job<Request>>(2 * options.settings.queueCapacity + 2)
  return new Lane(options, queue, yield* Clock.Clock)
})

export class Lane<Request, Response, Error> implements Candidate, InLine {
  readonly index: number
  readonly name: string
  readonly weight: number
  readonly handler: Handler<Request, Response, Error>
  /** Set by the pool, which is made of lanes. */
  listener: LaneListener<Request> = { onChange: ignore, onRoom: ignore, onGrant: ignore }

  private readonly settings: LaneSettings<Request, Response, Error>
  private readonly clock: Clock.Clock
  private readonly queue: Queue.Queue<Job<Request>>
  private readonly shared: SharedThrottle
  private limits: LaneLimits<Request, Response, Error>
  private readonly units: UnitThrottle<Request, Response, Error> | undefined
  private readonly latency: PeakEwma | undefined
  /** Opened when the delay that the lane's fiber sleeps for may be another now, or nobody's. */
  private readonly changed = Latch.makeUnsafe()
  /** Opened when the lane stands no more in the line for the pool's limits. */
  private readonly left = Latch.makeUnsafe()
  /** A latch resumes on its opener's stack, in the middle of a step of the pool: the fiber goes on after that. */
  private readonly whenChanged = Effect.andThen(this.changed.await, Effect.yieldNow)
  private readonly whenLeft = Effect.andThen(this.left.await, Effect.yieldNow)

  private isOpen = true
  private closedForLong = false
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
  /** Whether a limit delays the next job: then the lane's fiber gives the turns, and nobody else. */
  private delayed = false
  /** Opened when a limit delays a job. */
  private readonly wanted = Latch.makeUnsafe()
  /** Whether a turn takes no look at the clock. */
  private isTimeless: boolean

  constructor(options: LaneOptions<Request, Response, Error>, queue: Queue.Queue<Job<Request>>, clock: Clock.Clock) {
    const { settings } = options
    this.index = options.index
    this.name = settings.name
    this.weight = settings.weight
    this.handler = options.handler
    this.settings = settings
    this.clock = clock
    this.concurrency = settings.concurrency
    this.queue = queue
    this.shared = options.shared
    this.units = settings.unitLimits.length === 0 ? undefined : new UnitThrottle(settings.unitLimits, options.usedAt)
    this.limits = new LaneLimits(new Throttle(settings.limits, options.usedAt), this.shared, this.units, clock)
    this.latency = options.measuresLatency ? new PeakEwma() : undefined
    this.isTimeless = this.limits.isUnlimited && this.latency === undefined
  }

  /** In flight and queued: what load balancing goes by. */
  get load(): number {
    return this.inflight + this.queueLen
  }

  get latencyMs(): number {
    return this.latency === undefined ? 0 : this.latency.read(this.now())
  }

  /** How many jobs may wait for it to open. */
  get standbyCapacity(): number {
    return this.isOpen || this.closedForLong ? 0 : this.settings.queueCapacity
  }

  /** Whether it is closed for long: nobody who may go elsewhere is to wait for it. */
  get isClosedForLong(): boolean {
    return this.closedForLong
  }

  /** Whether a job could be queued here; an empty queue of capacity 0 takes one job while a slot is free. */
  get hasRoom(): boolean {
    return (
      this.isOpen &&
      (this.queueLen < this.settings.queueCapacity || (this.queueLen === 0 && this.inflight < this.concurrency))
    )
  }

  /** Whether a slot is free and nobody waits for it. */
  get isIdle(): boolean {
    return this.isOpen && this.queueLen === 0 && this.inflight < this.concurrency
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
   * Gives the job its turn if it need not wait: the queue is empty, a slot is free and the limits allow it.
   *
   * This is the fast way past queue and fiber; both ways pass the same tests. Its gain: `benchmarks/dispatch.ts`.
   */
  tryStart(job: Job<Request>): boolean {
    if (!this.isOpen || this.queueLen > 0 || this.inflight >= this.concurrency) return false
    if (!this.isTimeless) {
      const now = this.now()
      if (!this.limits.mayStart(now, job.request)) return false
      this.take(now, job)
    }
    this.inflight++
    job.lane = this.index
    job.state = "granted"
    this.listener.onChange(this.index)
    return true
  }

  /** Queues a job; its turn may come at once. Only when `hasRoom`. */
  enqueue(job: Job<Request>): void {
    this.queueLen++
    job.state = "queued"
    job.lane = this.index
    Queue.offerUnsafe(this.queue, job)
    this.giveTurns()
    this.listener.onChange(this.index)
  }

  /** Takes a queued job out of the queue: its turn will not come. */
  dequeue(job: Job<Request>): void {
    job.state = "ended"
    this.queueLen--
    this.tombstones++
    if (job === this.held) this.changed.openUnsafe()
    if (this.queueLen === 0 || this.tombstones > this.settings.queueCapacity) this.compact()
    this.listener.onChange(this.index)
  }

  /** The work of a job that has its turn begins. */
  start(job: Job<Request>): void {
    if (this.settings.limitsCount === "start") job.sent()
  }

  /** Gives back the slot of a job that ended, to the next in the queue if there is one; counts it when it ran. */
  release(
    job: Job<Request>,
    exit: Exit.Exit<unknown, unknown> | undefined,
    actual: ActualUnits<Request, Response, Error>
  ): void {
    this.inflight--
    job.end()
    if (exit !== undefined) this.count(exit)
    if (this.units !== undefined && job.reservations !== undefined) {
      this.units.settle(this.now(), job.reservations, actual)
      this.changed.openUnsafe()
    }
    // A failure may be quick: taken for good news, it would draw more.
    if (this.latency !== undefined && exit?._tag === "Success") {
      const now = this.now()
      this.latency.observe(now - job.startedAt, now)
    }
    this.giveTurns()
    this.listener.onChange(this.index)
  }

  /** All queued jobs, in order. They stay where they are. */
  queued(): ReadonlyArray<Job<Request>> {
    const jobs = this.compact()
    return this.held?.state === "queued" ? [this.held, ...jobs] : jobs
  }

  /** Takes no more jobs until `open`; gives those that were queued as `recall` does. */
  close(forLong: boolean): ReadonlyArray<Job<Request>> {
    this.isOpen = false
    this.closedForLong = forLong
    return this.recall()
  }

  /** Empties the queue; gives the jobs, in order, as waiting again. */
  recall(): ReadonlyArray<Job<Request>> {
    const jobs = this.queued()
    while (this.poll() !== undefined) {}
    for (const job of jobs) job.state = "waiting"
    this.held = undefined
    this.queueLen = 0
    this.tombstones = 0
    this.changed.openUnsafe()
    this.listener.onChange(this.index)
    return jobs
  }

  open(): void {
    this.isOpen = true
    this.closedForLong = false
    this.listener.onChange(this.index)
  }

  /** Sets the most jobs in flight, between 1 and the lane's own `concurrency`; running ones go on. */
  setConcurrency(limit: number): void {
    this.concurrency = Math.min(Math.max(1, Math.floor(limit)), this.settings.concurrency)
    this.changed.openUnsafe()
    this.giveTurns()
    this.listener.onChange(this.index)
  }

  /** Replaces the limits; what has run may have used the new ones fully. */
  setLimits(limits: RateLimits): void {
    const hasRun = this.inflight + this.completed + this.errors + this.interrupted > 0
    const throttle = new Throttle(limits, hasRun ? this.now() : undefined)
    this.limits = new LaneLimits(throttle, this.shared, this.units, this.clock)
    this.isTimeless = this.limits.isUnlimited && this.latency === undefined
    this.changed.openUnsafe()
  }

  /** Gives turns to the jobs that a limit delays, for ever. */
  get keepLimits(): Effect.Effect<never> {
    const next = Effect.andThen(
      this.wanted.await,
      Effect.suspend(() => this.grantDelayed())
    )
    return Effect.forever(next, { disableYield: true })
  }

  private now(): number {
    return monotonicMs(this.clock)
  }

  private take(now: number, job: Job<Request>): void {
    this.limits.take(now, job)
    // Only then: a time with a fraction is an object of its own.
    if (this.latency !== undefined) job.startedAt = now
  }

  /** Gives queued jobs their turn while a slot is free and the limits allow it; after that it is up to the fiber. */
  private giveTurns(): void {
    while (!this.delayed) {
      const job = this.next()
      if (job === undefined) return
      const now = this.isTimeless ? 0 : this.now()
      if (this.isTimeless || this.limits.mayStart(now, job.request)) {
        this.grant(job, now, false)
      } else {
        this.delayed = true
        this.wanted.openUnsafe()
      }
    }
  }

  private grant(job: Job<Request>, now: number, wasDelayed: boolean): void {
    this.held = undefined
    this.queueLen--
    this.inflight++
    if (!this.isTimeless) this.take(now, job)
    job.state = "granted"
    this.listener.onGrant(job, wasDelayed)
  }

  /**
   * Waits for the lane's own limits, then in line for the pool's, until no job waits for a limit any more. Nothing is
   * taken before the step that gives the turn, so whatever is cancelled or moved while waiting costs nobody a token.
   */
  private readonly grantDelayed = Effect.fnUntraced(function* (this: Lane<Request, Response, Error>) {
    for (let job = this.next(); job !== undefined; job = this.next()) {
      const now = this.now()
      const delay = this.limits.ownDelay(now, job.request)
      if (delay > 0) yield* this.sleep(delay)
      else if (this.limits.mayStart(now, job.request)) this.grantByFiber(job, now)
      else yield* this.standInLine
    }
    this.delayed = false
    this.wanted.closeUnsafe()
  })

  /** Waits in line for the pool's limits while the lane has jobs that nothing else holds up. */
  private readonly standInLine: Effect.Effect<void> = Effect.suspend(() => {
    this.left.closeUnsafe()
    this.shared.join(this)
    return this.whenLeft
  })

  /** The next job's turn has come in the line for the pool's limits, unless the lane's own limits say no by now. */
  grantNext(now: number): boolean {
    const job = this.next()
    if (job === undefined || this.limits.ownDelay(now, job.request) > 0) return false
    this.grantByFiber(job, now)
    return true
  }

  onLeft(): void {
    this.left.openUnsafe()
  }

  private grantByFiber(job: Job<Request>, now: number): void {
    this.grant(job, now, true)
    this.listener.onChange(this.index)
    this.listener.onRoom(this.index)
  }

  /** Until the delay is over or may be another: a job that waited for it is gone, a limit is lifted, units came back. */
  private sleep(delay: number): Effect.Effect<void> {
    this.changed.closeUnsafe()
    return Effect.raceFirst(Number.isFinite(delay) ? pause(delay) : Effect.never, this.whenChanged)
  }

  /** The queued job whose turn is next; `undefined` when there is none, or no slot for it. */
  private next(): Job<Request> | undefined {
    if (this.queueLen === 0 || this.inflight >= this.concurrency) return undefined
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

const ignore = (): void => {}
