/** Rate limits over pacers: when the next job may start. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Pacer } from "../../domain/dispatch/Pacer.ts"
import { type Reservation, UnitPacer } from "../../domain/dispatch/UnitPacer.ts"
import type { RateLimits, UnitLimit } from "../../services/Dispatcher.ts"

const SECOND = 1_000
const MINUTE = 60_000

/** Timers are no finer than a millisecond, and a rest that rounds to nothing would be waited for in a busy loop. */
export const pause = (delayMs: number): Effect.Effect<void> => Effect.sleep(Duration.millis(Math.ceil(delayMs)))

/** Milliseconds of the monotonic clock. */
export const monotonicMs = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

/** Limits in jobs. They are taken together or not at all. */
export class Throttle {
  private readonly pacers: ReadonlyArray<Pacer>

  /** `usedAt`: until when another may have used them, of the monotonic clock in milliseconds. */
  constructor(limits: RateLimits | undefined, usedAt?: number) {
    const { requestsPerSecond, requestsPerMinute } = limits ?? {}
    this.pacers = [
      ...(requestsPerSecond === undefined ? [] : [new Pacer(requestsPerSecond, SECOND, usedAt)]),
      ...(requestsPerMinute === undefined ? [] : [new Pacer(requestsPerMinute, MINUTE, usedAt)])
    ]
  }

  get isUnlimited(): boolean {
    return this.pacers.length === 0
  }

  /** Milliseconds until a start is allowed; 0 when it is. */
  delay(now: number): number {
    let delay = 0
    for (const pacer of this.pacers) delay = Math.max(delay, pacer.delay(now))
    return delay
  }

  /** A job has its turn. */
  take(now: number): void {
    for (const pacer of this.pacers) pacer.take(now)
  }

  /** A job that has had its turn starts. */
  started(now: number): void {
    for (const pacer of this.pacers) pacer.happened(now)
  }

  /** A job that has had its turn ends without a start. */
  withdrawn(): void {
    for (const pacer of this.pacers) pacer.withdraw()
  }
}

/** What a job has reserved of each unit limit, in their order. */
export type Reservations = ReadonlyArray<Reservation>

/** What a job took of a unit limit; `undefined` when nobody knows: then the estimate stands. */
export type ActualUnits<Request, Response, Error> = (
  limit: UnitLimit<Request, Response, Error>,
  index: number
) => number | undefined

/**
 * Limits in units that are known only when a job has ended.
 *
 * Counting is somebody else's code, called in the middle of a lane's step: what goes wrong in it must not break that off.
 */
export class UnitThrottle<Request, Response, Error> {
  private readonly limits: ReadonlyArray<{
    readonly limit: UnitLimit<Request, Response, Error>
    readonly pacer: UnitPacer
  }>

  constructor(limits: ReadonlyArray<UnitLimit<Request, Response, Error>>, usedAt?: number) {
    this.limits = limits.map((limit) => ({ limit, pacer: new UnitPacer(limit.perMinute, MINUTE, usedAt) }))
  }

  delay(now: number, request: Request): number {
    let delay = 0
    for (const { limit, pacer } of this.limits) delay = Math.max(delay, pacer.delay(now, estimateOf(limit, request)))
    return delay
  }

  reserve(now: number, request: Request): Reservations {
    return this.limits.map(({ limit, pacer }) => pacer.reserve(now, estimateOf(limit, request)))
  }

  settle(now: number, reservations: Reservations, actual: ActualUnits<Request, Response, Error>): void {
    for (const [index, { limit, pacer }] of this.limits.entries()) {
      const reservation = reservations[index]!
      pacer.settle(now, reservation, unitsOf(() => actual(limit, index)) ?? reservation.units)
    }
  }
}

/** A request that cannot be estimated is for the handler to refuse, in its own words. */
const estimateOf = <Request>(limit: UnitLimit<Request, never, never>, request: Request): number =>
  unitsOf(() => limit.estimate(request)) ?? 0

const unitsOf = (count: () => number | undefined): number | undefined => {
  try {
    const units = count()
    return units !== undefined && Number.isFinite(units) && units >= 0 ? units : undefined
  } catch {
    return undefined
  }
}
