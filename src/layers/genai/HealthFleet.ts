/** The health of all endpoints of a client together: which of them a request may still hope for. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { SteadyTime } from "../../domain/SteadyTime.ts"
import { concurrencyBounds } from "./ConcurrencyBounds.ts"
import { HealthMonitor } from "./HealthMonitor.ts"
import { systemLimits } from "./SystemLimits.ts"

const NONE: ReadonlySet<string> = new Set()

export class HealthFleet {
  /** In the order of the config. */
  readonly monitors: ReadonlyArray<HealthMonitor>
  /** What all that the endpoints' health is made of is measured by. */
  readonly time: SteadyTime
  private readonly deadlineMs: number
  private underWay = 0
  private slots = 0
  /** Called when more can be sent at once than before. */
  onCapacity: () => void = () => {}
  /** Called with every send. */
  onSent: () => void = () => {}
  /** Called when an endpoint has been disabled: requests that may not use the others may wait in vain. */
  onLoss: () => void = () => {}

  constructor(config: DispatcherConfig, clock: Clock.Clock) {
    this.time = new SteadyTime(clock)
    this.deadlineMs = config.deadlineMs
    const watcher = {
      processes: config.processes ?? 1,
      onDisabled: this.onDisabled,
      onEnabled: this.onEnabled,
      onCapacity: () => this.countSlots(),
      hasOther: (monitor: HealthMonitor) => {
        const now = this.time.now()
        return this.monitors.some((other) => other !== monitor && other.mayServe(now))
      },
      onSend: () => {
        this.underWay++
        this.onSent()
      },
      onEnd: () => {
        this.underWay--
      }
    }
    const bounds = concurrencyBounds(config.endpoints, systemLimits, config.processes)
    this.monitors = config.endpoints.map((endpoint, i) => new HealthMonitor(endpoint, this.time, watcher, bounds[i]!))
    this.countSlots()
  }

  /** Whether one of the endpoints that are not excluded takes requests before that time, which is one of `time`. */
  isAvailableBefore(timeMs: number, exclude: ReadonlySet<string>): boolean {
    const now = this.time.now()
    // Asked for each request: no closure.
    for (const monitor of this.monitors) {
      if (!exclude.has(monitor.name) && monitor.availableAtMs(now) < timeMs) return true
    }
    return false
  }

  /** The endpoint that a request may be told of when none of those that it may use takes it: a disabled one if there is one. */
  culprit(exclude: ReadonlySet<string>): HealthMonitor | undefined {
    const failed = this.monitors.filter(({ failure, name }) => failure !== undefined && !exclude.has(name))
    return failed.find((monitor) => monitor.isDisabled) ?? failed[0]
  }

  /** Lets an endpoint's worker know at once what its health has become. */
  apply(endpoint: string): Effect.Effect<void> {
    return this.monitors.find((monitor) => monitor.name === endpoint)?.apply ?? Effect.void
  }

  /** Sends under way, over all endpoints. */
  get sending(): number {
    return this.underWay
  }

  /** Most sends at once, over the endpoints that take requests now; over all when none does. */
  get capacity(): number {
    return this.slots
  }

  private countSlots(): void {
    const open = this.monitors.reduce((sum, monitor) => sum + monitor.capacity, 0)
    this.slots = open > 0 ? open : this.monitors.reduce((sum, monitor) => sum + monitor.concurrency, 0)
    this.onCapacity()
  }

  /** When the last one goes and none comes back in time, those that wait are told so instead of waiting on. */
  private get onDisabled(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isLost =
        this.monitors.every((monitor) => monitor.isDisabled) &&
        !this.isAvailableBefore(this.time.now() + this.deadlineMs, NONE)
      this.onLoss()
      return isLost ? Effect.forEach(this.monitors, (monitor) => monitor.flush, { discard: true }) : Effect.void
    })
  }

  /** One is back: the others are to refuse nothing more that it could take. */
  private get onEnabled(): Effect.Effect<void> {
    return Effect.suspend(() => Effect.forEach(this.monitors, (monitor) => monitor.unflush, { discard: true }))
  }
}
