/**
 * Hands jobs to workers: bounded queues, concurrency and rate limits, load balancing, session affinity.
 *
 * Generic in request, response and error; knows nothing of GenAI or HTTP. An app declares a dispatcher of its own as
 * any Effect service, `class Resize extends Context.Service<Resize, Dispatcher<Image, Thumbnail, ResizeError>>()("app/Resize") {}`,
 * and gets its layer from `layer` in `layers/dispatch/Dispatcher.ts`.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { DispatchError } from "../domain/dispatch/DispatchError.ts"
import type { OnUnavailable, Policy } from "../domain/dispatch/Policy.ts"

/** Rate limits: every job that is started counts, from the time that `LaneOptions.limitsCount` says. Absent means unlimited. */
export interface RateLimits {
  /** Evenly spaced; no second, wherever it starts, holds more. */
  readonly requestsPerSecond?: number | undefined
  /** Evenly spaced; no minute, wherever it starts, holds more. */
  readonly requestsPerMinute?: number | undefined
}

/**
 * A limit in units (tokens, money) whose true count is known only when a job has ended.
 *
 * The estimate is reserved when the job starts and settled when it ends. While no actual count is above its estimate, no
 * minute holds more than `perMinute`; what is above delays the next jobs.
 */
export interface UnitLimit<in Request, in Response, in Error> {
  /** Above 0. */
  readonly perMinute: number
  /**
   * A number, at least 0. Cheap: asked again while a job waits. One that throws, or is no such number, counts as 0: what is
   * wrong with the request is for the handler to say.
   */
  readonly estimate: (request: Request) => number
  /**
   * The count of an ended job, at least 0; `undefined` when nobody knows: then the estimate stands. So it does when this
   * throws, or is no such number.
   */
  readonly actual: (exit: Exit.Exit<Response, Error>, request: Request) => number | undefined
}

/** What every worker has, one at a time or all alike. */
export interface LaneOptions {
  /** Share of the jobs relative to the other workers; above 0. Default: 1. */
  readonly weight?: number | undefined
  /** Most jobs in flight at once; a whole number, at least 1. Default: 256. */
  readonly concurrency?: number | undefined
  /** Most jobs waiting for this worker; a whole number, at least 0. Default: 1024. */
  readonly queueCapacity?: number | undefined
  /** Workers of the lowest number are chosen from while one of them has room; then those of the next. Default: 0. */
  readonly priority?: number | undefined
  /** Default: none. */
  readonly limits?: RateLimits | undefined
  /**
   * When a job counts against rate limits: when its work begins (`start`), or when the work says `Turn.sent` (`sent`), for
   * work that waits for something before what is limited happens, such as a request for its connection. A job that has not
   * said so yet counts at every moment, so that limits hold however long that takes; one that ends without has used none.
   * Default: `start`.
   */
  readonly limitsCount?: "start" | "sent" | undefined
}

/** A turn that has come. */
export interface Turn {
  /** What is limited happens now; see `LaneOptions.limitsCount`. Nothing when it has been said before. */
  sent(): void
}

/** What does the work. It runs in the fiber of the submit: interrupting the submit interrupts it. */
export type Handler<Request, Response, Error> = (request: Request, turn: Turn) => Effect.Effect<Response, Error>

/** One worker: a lane with its own queue, concurrency limit and rate limits. */
export interface WorkerOptions<Request, Response, Error> extends LaneOptions {
  /** Unique within the dispatcher. */
  readonly name: string
  readonly handler: Handler<Request, Response, Error>
  /** Default: none. */
  readonly unitLimits?: ReadonlyArray<UnitLimit<Request, Response, Error>> | undefined
}

/** Requests of one session go to one worker while the TTL lasts. */
export interface AffinityOptions {
  /** From the session's assignment, or from its last submit when `sliding`. */
  readonly ttl: Duration.Input
  /** Default: false. */
  readonly sliding?: boolean | undefined
  /** Most sessions remembered, the least recently used are forgotten first. Default: 100,000. */
  readonly capacity?: number | undefined
  /** When the session's worker is full: `wait` for it, or `spill` to the best other one and stay there. */
  readonly onUnavailable: OnUnavailable
}

/** What a dispatcher has as a whole. */
export interface PoolOptions {
  /** Default: `least-loaded`. */
  readonly policy?: Policy | undefined
  /** Default: none; then `session` has no effect. */
  readonly affinity?: AffinityOptions | undefined
  /** What a submit does when every queue is full. Default: `wait`, first come, first served. */
  readonly onFull?: "wait" | "fail" | undefined
  /** Over all workers. Default: none. */
  readonly limits?: RateLimits | undefined
  /**
   * Whether another dispatcher may have used all limits up to now, those in units too, such as that of a process in whose
   * place this one is: then this one goes on at their pace, with nothing to make up for. What the other has spent in one go
   * may then count twice within a window. Default: false.
   */
  readonly limitsUsed?: boolean | undefined
}

/** All that a dispatcher is made of. */
export interface DispatcherOptions<Request, Response, Error> extends PoolOptions {
  /** At least one. */
  readonly workers: ReadonlyArray<WorkerOptions<Request, Response, Error>>
}

/** How one request is to be treated. */
export interface SubmitOptions {
  /** The session that the request belongs to. Default: none. */
  readonly session?: string | undefined
  /** From submit to answer, queued or running; then the job is dropped or interrupted. Default: none. */
  readonly deadline?: Duration.Input | undefined
  /** Names of workers to be used only when no other has room, such as the one that just failed. */
  readonly avoid?: ReadonlySet<string> | undefined
  /** Names of workers not to be used at all. */
  readonly exclude?: ReadonlySet<string> | undefined
  /**
   * What this submit does when every queue is full. A closed worker is full when as many wait for it to open as its queue
   * holds. Default: the pool's `onFull`.
   */
  readonly onFull?: "wait" | "fail" | undefined
}

/** How a dispatcher comes to its end. */
export interface DrainOptions {
  /** How long to wait for what is there. */
  readonly timeout: Duration.Input
  /** `finish` runs what is queued, `discard` fails it with reason `Draining`. Default: `finish`. */
  readonly queued?: "finish" | "discard" | undefined
}

/** One worker's figures, now. */
export interface WorkerMetrics {
  /** Position in the options, from 0. */
  readonly worker_id: number
  readonly name: string
  /** Jobs running. */
  readonly inflight: number
  /** Jobs waiting for this worker. */
  readonly queue_len: number
  /** Most jobs that may wait. */
  readonly capacity: number
  /** Jobs that failed or died, ever. */
  readonly errors: number
  /** Jobs that succeeded, ever. */
  readonly completed: number
  /** Running jobs that were interrupted, ever. */
  readonly interrupted: number
  /** Whether it takes jobs; see `WorkerControl.setOpen`. */
  readonly open: boolean
  /** Most jobs in flight at once, now; see `WorkerControl.setConcurrency`. */
  readonly concurrency: number
}

/** The pool's figures, now. */
export interface DispatcherMetrics {
  readonly workers: ReadonlyArray<WorkerMetrics>
  /** Sums over the workers. */
  readonly inflight: number
  readonly queue_len: number
  readonly capacity: number
  readonly errors: number
  readonly completed: number
  readonly interrupted: number
  /** Submits that wait for room in a queue. */
  readonly waiting: number
}

/** Told of the turn of a job that was begun. */
export interface TurnListener {
  /** The turn has come and is to be taken; or, with a refusal, never will. */
  onTurn(refusal: DispatchError | undefined): void
}

/** A job that has been admitted, or refused, and is for the caller to go on with: `take`, `wait` or `rest`, and `end`. */
export interface Begun<Response, Error> extends Turn {
  /**
   * Takes the turn for work of the caller's own, if it has come already: the name of the worker whose slot it is.
   * `undefined` when the job has to wait, or is refused.
   */
  take(): string | undefined
  /** Tells when the turn has come, or why it never will; which may be at once, and not after `end`. To be asked once. */
  wait(listener: TurnListener): void
  /** What is left of the `submit`: waiting for the turn, the handler. To be run once; with it the job ends. */
  readonly rest: Effect.Effect<Response, Error | DispatchError>
  /** Ends the job, as the exit says if it had its turn; nothing when it has ended. */
  end(exit: Exit.Exit<Response, Error>): void
}

/** A turn that is held for as long as a scope: for work whose answer is a stream. */
export interface Lease extends Turn {
  /** Name of the worker whose slot it is. */
  readonly worker: string
  /** Says what the work took of the worker's `unitLimits`, in their order; unsaid, the estimates stand. */
  readonly report: (units: ReadonlyArray<number>) => void
}

/** How a worker is closed. */
export interface CloseOptions {
  /**
   * Whether it stays closed for long, if not for ever: then nobody who may go elsewhere waits for it. Its sessions move to
   * other workers, also those of jobs that wait and whatever `onUnavailable` says, and it has no places for submits with
   * `onFull: "fail"`. When it opens again, the queued jobs of the others are placed anew. Default: false.
   */
  readonly forLong?: boolean | undefined
}

/** The valves of one worker, for those who watch its health. */
export interface WorkerControl {
  /**
   * Closed, a worker is no candidate: its queued jobs go to others, jobs of its sessions wait or spill, running ones go
   * on. When all are closed, submits wait for the first that opens.
   */
  readonly setOpen: (open: boolean, options?: CloseOptions) => Effect.Effect<void>
  /** Sets the most jobs in flight, from 1 to the worker's own `concurrency`; what is beyond is taken for the nearest. */
  readonly setConcurrency: (limit: number) => Effect.Effect<void>
  /**
   * Replaces the worker's limits. A worker that has run jobs goes on at the new pace, as if it had used the new limits fully
   * so far; jobs that have their turn already are counted by the old ones.
   */
  readonly setLimits: (limits: RateLimits) => Effect.Effect<void>
}

/** Hands requests to workers, each with a queue, a concurrency limit and rate limits of its own. */
export interface Dispatcher<in Request, out Response, out Error> {
  /**
   * Runs the request on one of the workers.
   *
   * Fails with the handler's own error, as it is; a defect of the handler dies in this caller only. Interruption drops
   * the queued job, or interrupts the running one.
   */
  readonly submit: (request: Request, options?: SubmitOptions) => Effect.Effect<Response, Error | DispatchError>
  /**
   * The first step of `submit`, without a fiber, for a caller that can do the work without one. `end` must be called,
   * whatever happens. A deadline is for the caller to keep.
   */
  readonly begin: (request: Request, options?: Omit<SubmitOptions, "deadline">) => Begun<Response, Error>
  /**
   * Waits for a turn and holds it until the scope closes; the scope's exit counts as the job's. The caller does the work:
   * no handler runs. The deadline is for the wait only.
   */
  readonly lease: (request: Request, options?: SubmitOptions) => Effect.Effect<Lease, DispatchError, Scope.Scope>
  /** The valves of a worker; `undefined` when there is none of that name. */
  readonly control: (worker: string) => WorkerControl | undefined
  /** A snapshot. */
  readonly metrics: Effect.Effect<DispatcherMetrics>
  /** Whether a worker that is open has a free slot and nobody in its queue, who may have to wait for a limit. */
  readonly hasIdleSlot: () => boolean
  /**
   * Takes no new jobs from now on and waits for those that are there. True when all ended within the timeout; what
   * still runs then belongs to its callers and goes on.
   */
  readonly drain: (options: DrainOptions) => Effect.Effect<boolean>
  /** Waits until no job is waiting, queued or running. */
  readonly awaitIdle: Effect.Effect<void>
}
