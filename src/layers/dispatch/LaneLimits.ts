/** All that decides when a lane may start a job: its own limits and its share of the pool's. */
import type * as Clock from "effect/Clock"
import type { Job, TakenLimits } from "./Job.ts"
import type { SharedThrottle } from "./SharedThrottle.ts"
import { monotonicMs, type Throttle, type UnitThrottle } from "./Throttle.ts"

export class LaneLimits<Request, Response, Error> implements TakenLimits {
  private readonly own: Throttle
  private readonly shared: SharedThrottle
  private readonly units: UnitThrottle<Request, Response, Error> | undefined
  private readonly clock: Clock.Clock
  private readonly hasRates: boolean

  constructor(
    own: Throttle,
    shared: SharedThrottle,
    units: UnitThrottle<Request, Response, Error> | undefined,
    clock: Clock.Clock
  ) {
    this.own = own
    this.shared = shared
    this.units = units
    this.clock = clock
    this.hasRates = !this.own.isUnlimited || !shared.isUnlimited
  }

  get isUnlimited(): boolean {
    return !this.hasRates && this.units === undefined
  }

  /** The lane's own limits: milliseconds until the job may start. */
  ownDelay(now: number, request: Request): number {
    const delay = this.own.delay(now)
    return this.units === undefined ? delay : Math.max(delay, this.units.delay(now, request))
  }

  /** Whether all limits allow the job now, and no lane waits for the pool's. */
  mayStart(now: number, request: Request): boolean {
    return this.ownDelay(now, request) === 0 && !this.shared.hasLine && this.shared.delay(now) === 0
  }

  /** Takes what the job needs of all limits; its start is still to come. */
  take(now: number, job: Job<Request>): void {
    if (this.hasRates) {
      this.own.take(now)
      this.shared.take(now)
      job.limits = this
    }
    job.reservations = this.units?.reserve(now, job.request)
  }

  started(): void {
    const now = monotonicMs(this.clock)
    this.own.started(now)
    this.shared.started(now)
  }

  withdrawn(): void {
    this.own.withdrawn()
    this.shared.withdrawn()
  }
}
