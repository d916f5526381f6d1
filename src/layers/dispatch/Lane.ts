/**
 * One worker at run time: a bounded queue, a semaphore of slots, the limits, the counters, and one fiber that gives the
 * queued jobs their turn.
 *
 * A job runs in its submitter's own fiber; the lane only says when. So the caller's interruption, context and spans
 * reach the handler with nothing in between, and a job costs no fork. At most one fiber per lane, its own, ever waits
 * for a slot or a limit: waiting is O(lanes), however many jobs are queued.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import type { Candidate } from "../../domain/dispatch/Selection.ts"
import type { Handler, WorkerMetrics } from "../../services/Dispatcher.ts"
import type { Job } from "./Job.ts"
import type { LaneSettings } from "./Options.ts"
import type { Throttle } from "./Throttle.ts"

/** What a lane tells the pool; called synchronously, right after the change. */
export interface LaneListener {
  /** A place in the queue, or a slot of an empty one, has come free. */
  readonly onRoom: () => void
  /** The job's turn has come: its fiber is to be woken. */
  readonly onGrant: (job: Job) => void
}

/** Makes a lane; its jobs get no turn until `grantTurns` runs. */
export const makeLane = <Request, Response, Error>(
  index: number,
  settings: LaneSettings,
  handler: Handler<Request, Response, Error>,
  own: Throttle | undefined,
  shared: Throttle | undefined
): Effect.Effect<Lane<Request, Response, Error>> =>
  // Twice the capacity: cancelled jobs stay in until `compact`.
  Effect.map(
    Queue.bounded<Job>(2 * settings.queueCapacity + 2),
    (queue) => new Lane(index, settings, handler, queue, own, shared)
  )

export class Lane<Request, Response, Error> implements Candidate {
  readonly index: number
  readonly name: string
  readonly weight: number
  readonly handler: Handler<Request, Response, Error>
  /** Jobs pinned to this lane that wait for room in its queue, oldest first. */
  readonly waiting = new Set<Job>()

  private readonly settings: LaneSettings
  private readonly own: Throttle | undefined
  private readonly shared: Throttle | undefined
  private readonly slots: Semaphore.Semaphore
  private readonly queue: Queue.Queue<Job>

  private inflight = 0
  private queueLen = 0
  private errors = 0
  private completed = 0
  private interrupted = 0
  /** Cancelled jobs that are still in `queue` or `held`; at most `queueCapacity` + 1. */
  private tombstones = 0
  /** The job that the lane's fiber has taken from the queue; it counts as queued until its turn comes. */
  private held: Job | undefined = undefined

  constructor(
    index: number,
    settings: LaneSettings,
    handler: Handler<Request, Response, Error>,
    queue: Queue.Queue<Job>,
    own: Throttle | undefined,
    shared: Throttle | undefined
  ) {
    this.index = index
    this.name = settings.name
    this.weight = settings.weight
    this.handler = handler
    this.settings = settings
    this.slots = Semaphore.makeUnsafe(settings.concurrency)
    this.queue = queue
    this.own = own
    this.shared = shared
  }

  /** In flight and queued: what load balancing goes by. */
  get load(): number {
    return this.inflight + this.queueLen
  }

  /** Whether a job could be queued here; an empty queue of capacity 0 takes one job while a slot is free. */
  get hasRoom(): boolean {
    return (
      this.queueLen < this.settings.queueCapacity || (this.queueLen === 0 && this.inflight < this.settings.concurrency)
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
      interrupted: this.interrupted
    }
  }

  /**
   * Takes a slot for a job that need not wait: the queue is empty, a slot is free and the limits allow it. True when
   * the slot is taken; then `claimSlot` must follow.
   *
   * This is the fast way past queue and fiber; both ways pass the same tests. Its gain: `benchmarks/dispatch.ts`.
   */
  tryStart(): boolean {
    if (this.held !== undefined || this.queueLen > 0 || this.inflight >= this.settings.concurrency) return false
    const { own, shared } = this
    if (own !== undefined || shared !== undefined) {
      const now = (own ?? shared)!.now()
      if (own !== undefined && !own.isFree(now)) return false
      if (shared !== undefined && !shared.isFree(now)) return false
      own?.take(now)
      shared?.take(now)
    }
    this.inflight++
    return true
  }

  /** Takes the permit that `tryStart` promised; never waits. */
  get claimSlot(): Effect.Effect<number> {
    return this.slots.take(1)
  }

  /** Queues a job. Only when `hasRoom`. */
  enqueue(job: Job): void {
    this.queueLen++
    job.state = "queued"
    Queue.offerUnsafe(this.queue, job)
  }

  /** Takes a queued job out of the queue: its turn will not come. */
  dequeue(job: Job): void {
    job.state = "ended"
    this.queueLen--
    this.tombstones++
    if (this.tombstones > this.settings.queueCapacity) this.compact()
  }

  /** Gives back the slot of a job that ended; counts it when it ran. */
  release(exit: Exit.Exit<unknown, unknown> | undefined): Effect.Effect<number> {
    this.inflight--
    if (exit !== undefined) this.count(exit)
    return this.slots.release(1)
  }

  /** All queued jobs, in order. They stay where they are. */
  queued(): ReadonlyArray<Job> {
    const jobs = this.compact()
    return this.held?.state === "queued" ? [this.held, ...jobs] : jobs
  }

  /** Gives queued jobs their turn, for ever. */
  grantTurns(listener: LaneListener): Effect.Effect<never> {
    const next = Effect.flatMap(Queue.take(this.queue), (job) => {
      if (job.state !== "queued") {
        this.tombstones--
        return Effect.void
      }
      this.held = job
      return Effect.flatMap(this.slots.take(1), () =>
        this.own === undefined && this.shared === undefined
          ? this.grantHeld(listener)
          : Effect.flatMap(this.whenAllowed, () => this.grantHeld(listener))
      )
    })
    return Effect.forever(next, { disableYield: true })
  }

  /** Waits for the lane's limits, then in line for the pool's, and counts the start in both in one step. */
  private get whenAllowed(): Effect.Effect<void> {
    const { own, shared } = this
    if (own === undefined) return shared!.whenAllowed((now) => shared!.take(now))
    // Nobody else takes from `own` in between, so what it allowed before the wait in line it allows after.
    if (shared !== undefined) {
      return Effect.andThen(
        own.whenAllowed(() => {}),
        shared.whenAllowed((now) => {
          own.take(now)
          shared.take(now)
        })
      )
    }
    return own.whenAllowed((now) => own.take(now))
  }

  /** The slot and the limits are taken: the first live job gets them; if all were cancelled meanwhile they go back. */
  private grantHeld(listener: LaneListener): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const job = this.nextLive()
      this.held = undefined
      if (job === undefined) {
        this.own?.refund()
        this.shared?.refund()
        return this.slots.release(1)
      }
      this.queueLen--
      this.inflight++
      job.state = "granted"
      listener.onGrant(job)
      listener.onRoom()
      return Effect.void
    })
  }

  private nextLive(): Job | undefined {
    let job = this.held
    while (job !== undefined && job.state !== "queued") {
      this.tombstones--
      job = this.poll()
    }
    return job
  }

  /** Drops the cancelled jobs from the queue, so that it stays within twice its capacity; gives the live ones. */
  private compact(): ReadonlyArray<Job> {
    const live: Array<Job> = []
    for (let taken = this.poll(); taken !== undefined; taken = this.poll()) {
      if (taken.state === "queued") live.push(taken)
    }
    for (const job of live) Queue.offerUnsafe(this.queue, job)
    this.tombstones = this.held !== undefined && this.held.state !== "queued" ? 1 : 0
    return live
  }

  private poll(): Job | undefined {
    const taken = Queue.takeUnsafe(this.queue)
    return taken?._tag === "Success" ? taken.value : undefined
  }

  private count(exit: Exit.Exit<unknown, unknown>): void {
    if (exit._tag === "Success") this.completed++
    else if (exit.cause.reasons.some((reason) => reason._tag !== "Interrupt")) this.errors++
    else this.interrupted++
  }
}
