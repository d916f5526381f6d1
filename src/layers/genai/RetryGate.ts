/** Where retries wait for their budget: first come, first served, and only one of them looks at the clock. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { RetryBudget } from "../../domain/genai/health/RetryBudget.ts"
import { monotonicMs } from "../dispatch/Throttle.ts"

/** New requests add to the budget at any moment, so it is looked at at least this often. */
const LOOK_MS = 100

/** What is always allowed at once, however little is in flight. */
const LEAST_BURST = 100

export class RetryGate {
  private readonly budget: RetryBudget
  private readonly clock: Clock.Clock
  private readonly turn = Semaphore.makeUnsafe(1)
  private waiting = 0

  /** One outage can fail all that is in flight: so much may be retried at once. */
  constructor(config: DispatcherConfig, clock: Clock.Clock) {
    const inflight = config.endpoints.reduce((sum, endpoint) => sum + endpoint.concurrency, 0)
    this.clock = clock
    this.budget = new RetryBudget(config.retryBudget, Math.max(LEAST_BURST, inflight), this.now())
  }

  /** Counts a request that is sent for the first time. */
  onRequest(): void {
    this.budget.onRequest()
  }

  /** Waits until the budget allows a retry, and takes it. */
  get retry(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.waiting === 0 && this.budget.tryTake(this.now())) return Effect.void
      this.waiting++
      return Effect.onExit(this.turn.withPermit(this.whenAllowed), () => Effect.sync(() => this.waiting--))
    })
  }

  private readonly whenAllowed: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.now()
    if (this.budget.tryTake(now)) return Effect.void
    const delayMs = Math.min(this.budget.delayMs(now), LOOK_MS)
    return Effect.andThen(Effect.sleep(Duration.millis(Math.max(1, delayMs))), this.whenAllowed)
  })

  private now(): number {
    return monotonicMs(this.clock)
  }
}
