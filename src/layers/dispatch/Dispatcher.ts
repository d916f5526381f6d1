/** Makes dispatchers. */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { InvalidOptions } from "../../domain/dispatch/DispatchError.ts"
import { makeSelector } from "../../domain/dispatch/Selection.ts"
import type { Dispatcher, DispatcherOptions, Handler, LaneOptions, PoolOptions } from "../../services/Dispatcher.ts"
import { Affinity } from "./Affinity.ts"
import { makeLane } from "./Lane.ts"
import { LaneChoice } from "./LaneChoice.ts"
import { isCount, priorityGroups, settle } from "./Options.ts"
import { Pool } from "./Pool.ts"
import { SharedThrottle } from "./SharedThrottle.ts"
import { monotonicMs } from "./Throttle.ts"

export { DispatchError, InvalidOptions } from "../../domain/dispatch/DispatchError.ts"
export type * from "../../services/Dispatcher.ts"

/**
 * Makes a dispatcher that lives as long as the scope.
 *
 * When the scope closes, submits that wait or are queued fail with reason `Draining`; those that run belong to their
 * callers and go on.
 */
export const make = Effect.fnUntraced(function* <Request, Response, Error>(
  options: DispatcherOptions<Request, Response, Error>
): Effect.fn.Return<Dispatcher<Request, Response, Error>, InvalidOptions, Scope.Scope> {
  const settings = yield* settle(options)
  const random = yield* Random.Random
  const clock = yield* Clock.Clock
  const usedAt = settings.limitsUsed ? monotonicMs(clock) : undefined
  const shared = new SharedThrottle(settings.limits, clock, usedAt)
  const lanes = yield* Effect.forEach(settings.lanes, (lane, index) =>
    makeLane({
      index,
      settings: lane,
      handler: options.workers[index]!.handler,
      shared,
      measuresLatency: settings.policy === "p2c-ewma",
      usedAt
    })
  )
  const groups = priorityGroups(settings.lanes)
  const choice = new LaneChoice({
    lanes,
    selector: makeSelector(settings.policy, lanes, () => random.nextDoubleUnsafe(), groups),
    groups,
    affinity: settings.affinity && new Affinity(settings.affinity, clock),
    onUnavailable: settings.affinity?.onUnavailable
  })
  const pool = new Pool(settings, lanes, choice)
  yield* Effect.addFinalizer(() => Effect.sync(() => pool.close()))
  for (const lane of lanes) yield* Effect.forkScoped(lane.keepLimits, { startImmediately: true })
  yield* Effect.forkScoped(shared.keep, { startImmediately: true })
  return {
    submit: (request, submitOptions) => pool.submit(request, submitOptions),
    begin: (request, submitOptions) => pool.begin(request, submitOptions),
    lease: (request, submitOptions) => pool.lease(request, submitOptions),
    control: (name) => pool.control(name),
    metrics: Effect.sync(() => pool.metrics),
    hasIdleSlot: () => lanes.some((lane) => lane.isIdle),
    drain: (drainOptions) => pool.drain(drainOptions),
    awaitIdle: pool.awaitIdle
  }
})

/** Options for `size` equal workers with one handler. */
export interface EqualWorkersOptions<Request, Response, Error> extends LaneOptions, PoolOptions {
  /** A whole number, at least 1. */
  readonly size: number
  /** The workers are called `name-0`, `name-1`, ... Default: `worker`. */
  readonly name?: string | undefined
  readonly handler: Handler<Request, Response, Error>
  /** Limits of the pool as a whole, over all workers. */
  readonly limits?: PoolOptions["limits"]
}

/** Makes a dispatcher of `size` equal workers. */
export const makePool = <Request, Response, Error>(
  options: EqualWorkersOptions<Request, Response, Error>
): Effect.Effect<Dispatcher<Request, Response, Error>, InvalidOptions, Scope.Scope> => {
  const { size, name = "worker", handler, weight, concurrency, queueCapacity, priority, limitsCount, ...pool } = options
  if (!isCount(size, 1)) {
    return Effect.fail(new InvalidOptions({ problems: [`size is ${size}: it must be a whole number, at least 1`] }))
  }
  return make({
    ...pool,
    workers: Array.from({ length: size }, (_, index) => ({
      name: `${name}-${index}`,
      handler,
      weight,
      concurrency,
      queueCapacity,
      priority,
      limitsCount
    }))
  })
}

/** The layer of an app's own dispatcher service. `options` may be an effect, so that handlers can use other services. */
export const layer = <Self, Request, Response, Error, E = never, R = never>(
  service: Context.Key<Self, Dispatcher<Request, Response, Error>>,
  options:
    | DispatcherOptions<Request, Response, Error>
    | Effect.Effect<DispatcherOptions<Request, Response, Error>, E, R>
): Layer.Layer<Self, E | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Layer.effect(service, Effect.flatMap(Effect.isEffect(options) ? options : Effect.succeed(options), make))
