/** Drives one endpoint's health: hears of every send, works the valves of its worker, and says what has changed. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { Ticket } from "../../domain/genai/health/CircuitBreaker.ts"
import { EndpointHealth, type HealthState } from "../../domain/genai/health/EndpointHealth.ts"
import { LearnedLimit } from "../../domain/genai/health/LearnedLimit.ts"
import { type Disabling, verdictOf } from "../../domain/genai/health/Verdict.ts"
import type { ProviderFailure } from "../../domain/providers/Provider.ts"
import * as RateLimitHeaders from "../../domain/providers/RateLimitHeaders.ts"
import type { SteadyTime } from "../../domain/SteadyTime.ts"
import type { RateLimits, WorkerControl } from "../../services/Dispatcher.ts"
import type { ConcurrencyBound } from "./ConcurrencyBounds.ts"

/** Coolings shorter than this are part of everyday life with rate limits: they are said at debug level. */
const SAID_FROM_MS = 10_000

/** Codes of connections that came to no server at all: a wrong port, host or network. */
const NOBODY_THERE = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])

/** Timers do not go on for ever: longer waits are looked at again. */
const LONGEST_SLEEP_MS = 3_600_000

/** For limits that the user has set: what the headers say of them is not news. */
const NOT_LOOKED_AT: RateLimitHeaders.LimitStatus = { limit: undefined, remaining: undefined, resetMs: undefined }

/** What the monitors of one client have in common. */
export interface HealthWatcher {
  /** How many processes send to the endpoints: each has its share of what an endpoint takes. */
  readonly processes: number
  /** The endpoint has just been disabled. */
  readonly onDisabled: Effect.Effect<void>
  /** It is disabled no more, and is about to take requests. */
  readonly onEnabled: Effect.Effect<void>
  /** It takes more or fewer requests at once than before, or none. */
  readonly onCapacity: () => void
  /** Whether another endpoint than this one may well take the requests. */
  readonly hasOther: (monitor: HealthMonitor) => boolean
  /** A request is sent. */
  readonly onSend: () => void
  /** A send has ended, in whatever way. */
  readonly onEnd: () => void
}

/**
 * Each `sent` is followed by exactly one `answered`, `failed` or `aborted`; these only take note, and `allows` knows at
 * once. The worker is told a moment later by the monitor's fiber, or sooner by `apply`.
 *
 * All times are those of `now`, so that nothing lasts longer or shorter because somebody sets the wall clock. Times of day
 * that a provider tells are made durations when they are read.
 */
export class HealthMonitor {
  readonly name: string
  private readonly endpoint: EndpointConfig
  private readonly time: SteadyTime
  private readonly health: EndpointHealth
  private readonly watcher: HealthWatcher
  private control: WorkerControl | undefined = undefined
  /** What the worker was told last. */
  private isOpen = true
  private isOut = false
  private told: number
  private toldRequestsPerMinute: number | undefined = undefined
  /** What was said last. */
  private said: HealthState = "up"
  private lastFailure: ProviderFailure | undefined = undefined
  /** What the endpoint itself told, unless the user has said what its limit is. */
  private readonly learned = new LearnedLimit()
  private isFlushing = false
  private readonly bound: ConcurrencyBound
  private isBoundSaid = false
  /** Whether it has ever been reached. */
  private isKnown = false
  private isMissingSaid = false
  /** Open while the worker is to be told something. */
  private readonly changed = Latch.makeUnsafe()

  constructor(endpoint: EndpointConfig, time: SteadyTime, watcher: HealthWatcher, bound: ConcurrencyBound) {
    this.name = endpoint.name
    this.endpoint = endpoint
    this.time = time
    this.watcher = watcher
    this.bound = bound
    this.health = new EndpointHealth({ ...endpoint, concurrency: bound.concurrency })
    this.told = endpoint.concurrency
  }

  /** The time that all of its times are of, in milliseconds; all endpoints of a client have the same one. */
  now(): number {
    return this.time.now()
  }

  get state(): HealthState {
    return this.health.state(this.now())
  }

  get isDisabled(): boolean {
    return this.health.disabled !== undefined
  }

  /** Whether nothing speaks against it now: it takes requests, and has been reached or not been tried. */
  mayServe(nowMs: number): boolean {
    return this.allows(nowMs) && (this.isKnown || this.lastFailure === undefined)
  }

  /** The failure that its state comes from; `undefined` when it has not failed yet. */
  get failure(): ProviderFailure | undefined {
    return this.lastFailure
  }

  /** Most requests at once, now, when it takes requests. */
  get concurrency(): number {
    return this.told
  }

  /** Most requests at once, now; 0 while it takes none. */
  get capacity(): number {
    return this.isOpen ? this.told : 0
  }

  /** When it takes requests again, by the time of `now`; 0 when it does now, infinite when nobody knows. */
  availableAtMs(nowMs: number): number {
    return this.health.availableAtMs(nowMs)
  }

  /** In how many milliseconds it takes requests again; 0 when it does now, infinite when nobody knows. */
  get opensInMs(): number {
    const now = this.now()
    return Math.max(0, this.availableAtMs(now) - now)
  }

  /** Whether a request may be sent now. */
  allows(nowMs: number): boolean {
    return this.health.allows(nowMs)
  }

  /** A request is sent. */
  sent(): Ticket {
    this.watcher.onSend()
    if (this.health.isRecovering) this.changed.openUnsafe()
    return this.health.sent()
  }

  /** An answer came, with these headers. */
  answered(ticket: Ticket, sentAtMs: number, nowMs: number, headers: Readonly<Record<string, string>>): void {
    this.watcher.onEnd()
    this.isKnown = true
    if (this.health.answered(ticket, sentAtMs, nowMs)) this.changed.openUnsafe()
    const limits = RateLimitHeaders.read(headers, this.time.wallOf(nowMs))
    if (limits !== undefined) this.learn(limits, nowMs)
  }

  /**
   * The send failed. `disables`: what the endpoint refuses is its own, so that it would refuse others too. Default: true.
   */
  failed(ticket: Ticket, failure: ProviderFailure, sentAtMs: number, disables = true): void {
    this.watcher.onEnd()
    const now = this.now()
    const { disable, ...verdict } = verdictOf(failure.reason, this.time.wallOf(now))
    if (!this.isDisabled) this.lastFailure = failure
    const isNews = this.isMissing(failure)
    // Nothing tells of an outage that will pass; and pauses help nobody when there is nothing else to send to.
    const sign = isNews && !this.watcher.hasOther(this) ? "neutral" : verdict.sign
    const whole = {
      ...verdict,
      sign,
      ...(disable !== undefined && disables ? { disable: this.steady(disable, now) } : {})
    }
    if (this.health.failed(ticket, whole, sentAtMs, now) || (isNews && !this.isMissingSaid)) this.changed.openUnsafe()
  }

  /** The send was given up by its caller. */
  aborted(ticket: Ticket): void {
    this.watcher.onEnd()
    if (this.health.aborted(ticket)) this.changed.openUnsafe()
  }

  /**
   * Opens the worker of a disabled endpoint without limits, so that requests that wait for it come and are refused: for
   * when no endpoint is left that could serve them.
   */
  get flush(): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isFlushing = true
      return Effect.andThen(this.control?.setLimits({}) ?? Effect.void, this.apply)
    })
  }

  /** Ends `flush`; nothing when there was none. */
  get unflush(): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (!this.isFlushing) return Effect.void
      this.isFlushing = false
      return Effect.andThen(this.control?.setLimits(this.limits) ?? Effect.void, this.apply)
    })
  }

  /** Works the worker's valves, for ever. One fiber per endpoint; asleep while all is well. */
  watch(control: WorkerControl): Effect.Effect<never> {
    this.control = control
    const step = Effect.suspend(() => {
      const now = this.now()
      this.changed.closeUnsafe()
      const wasDisabled = this.isDisabled
      this.health.tick(now)
      const restored = wasDisabled && !this.isDisabled ? this.watcher.onEnabled : Effect.void
      const wake = this.health.availableAtMs(now)
      const wait =
        wake === 0 || wake === Number.POSITIVE_INFINITY
          ? this.changed.await
          : Effect.raceFirst(Effect.sleep(Duration.millis(Math.min(wake - now, LONGEST_SLEEP_MS))), this.changed.await)
      return Effect.andThen(restored, Effect.andThen(this.apply, wait))
    })
    return Effect.forever(step)
  }

  /** Tells the worker what has changed. Never cut short, so that worker and health always agree. */
  readonly apply: Effect.Effect<void> = Effect.uninterruptible(
    Effect.suspend(() => {
      const { control, health } = this
      if (control === undefined) return Effect.void
      const now = this.now()
      const steps: Array<Effect.Effect<void>> = []
      if (health.concurrency !== this.told) {
        this.told = health.concurrency
        steps.push(control.setConcurrency(this.told), this.sayBound)
      }
      const { requestsPerMinute } = this.learned
      if (requestsPerMinute !== this.toldRequestsPerMinute) {
        this.toldRequestsPerMinute = requestsPerMinute
        steps.push(control.setLimits(this.limits))
        steps.push(
          Effect.logDebug(
            `endpoint ${JSON.stringify(this.name)} tells its limit: ${requestsPerMinute} requests per minute`
          )
        )
      }
      if (!this.isKnown) steps.push(this.sayMissing)
      const isOpen = health.allows(now) || this.isFlushing
      const isOut = this.isDisabled && !isOpen
      if (isOpen !== this.isOpen || isOut !== this.isOut) {
        this.isOpen = isOpen
        this.isOut = isOut
        steps.push(control.setOpen(isOpen, { forLong: isOut }))
      }
      steps.push(Effect.sync(this.watcher.onCapacity))
      const state = health.state(now)
      if (state !== this.said) {
        if (state === "disabled") steps.push(this.watcher.onDisabled)
        steps.push(this.say(state, now))
      }
      return Effect.all(steps, { discard: true })
    })
  )

  /** Once, when it would grow further. */
  private get sayBound(): Effect.Effect<void> {
    const { concurrency, heldBy } = this.bound
    if (heldBy === undefined || this.isBoundSaid || this.told < concurrency) return Effect.void
    this.isBoundSaid = true
    return Effect.logWarning(
      `endpoint ${JSON.stringify(this.name)} is held at ${concurrency} requests at once: ${heldBy}`
    )
  }

  /** The limits that the user has set, else this process's share of those that the endpoint told. */
  private get limits(): RateLimits {
    const { requestsPerMinute } = this.learned
    if (requestsPerMinute === undefined) return this.endpoint.limits
    return { requestsPerMinute: requestsPerMinute / this.watcher.processes }
  }

  /** The provider has told the time of day. */
  private steady({ cause, untilMs }: Disabling, nowMs: number): Disabling {
    return untilMs === undefined ? { cause } : { cause, untilMs: nowMs + (untilMs - this.time.wallOf(nowMs)) }
  }

  /** Whether it has never been reached so far: a wrong address, rather than an outage. */
  private isMissing({ reason }: ProviderFailure): boolean {
    const isUnreached =
      reason._tag === "ConnectionFailed"
        ? NOBODY_THERE.has(reason.code)
        : reason._tag === "TimedOut" && reason.phase === "connect"
    if (!isUnreached) this.isKnown = true
    return !this.isKnown
  }

  private get sayMissing(): Effect.Effect<void> {
    if (this.isKnown || this.isMissingSaid || this.lastFailure === undefined) return Effect.void
    this.isMissingSaid = true
    return Effect.logWarning(
      `endpoint ${JSON.stringify(this.name)} has never been reached: ${this.lastFailure.message}`
    )
  }

  private learn(status: RateLimitHeaders.RateLimitStatus, nowMs: number): void {
    const { inputTokensPerMinute, outputTokensPerMinute, requestsPerMinute, requestsPerSecond, tokensPerMinute } =
      this.endpoint.limits
    const hasRequests = (requestsPerMinute ?? requestsPerSecond) !== undefined
    const hasTokens = (tokensPerMinute ?? inputTokensPerMinute ?? outputTokensPerMinute) !== undefined
    const spentForMs = RateLimitHeaders.spentForMs({
      requests: hasRequests ? NOT_LOOKED_AT : status.requests,
      tokens: hasTokens ? [] : status.tokens
    })
    if (spentForMs !== undefined && this.health.cool(nowMs + spentForMs, "rate limit headers"))
      this.changed.openUnsafe()
    const told = hasRequests ? undefined : RateLimitHeaders.requestsPerMinute(status)
    if (told !== undefined && this.learned.learn(told, nowMs)) this.changed.openUnsafe()
  }

  private say(state: HealthState, nowMs: number): Effect.Effect<void> {
    const before = this.said
    this.said = state
    const forMs = this.health.availableAtMs(nowMs) - nowMs
    const what = this.lastFailure?.message ?? ""
    const name = JSON.stringify(this.name)
    switch (state) {
      case "disabled":
        return Effect.logError(
          `endpoint ${name} gets no more requests ${untilText(this.time.wallOf(nowMs + forMs))}: ${what}`
        )
      case "open":
        return before === "recovering"
          ? Effect.logDebug(`endpoint ${name} still fails and rests for another ${lasting(forMs)}: ${what}`)
          : Effect.logWarning(`endpoint ${name} fails and rests for ${lasting(forMs)}: ${what}`)
      case "cooling": {
        const text = `endpoint ${name} asks for a pause of ${lasting(forMs)} (${this.health.hint})`
        return forMs < SAID_FROM_MS ? Effect.logDebug(text) : Effect.logInfo(text)
      }
      case "recovering":
        return Effect.logDebug(`endpoint ${name} is tried again`)
      case "up": {
        const text = `endpoint ${name} is back`
        return before === "cooling" ? Effect.logDebug(text) : Effect.logInfo(text)
      }
    }
  }
}

/** For people: tenths of a second are fine enough. */
const lasting = (ms: number): string => Duration.format(Duration.millis(Math.ceil(ms / 100) * 100))

const untilText = (wallMs: number): string =>
  Number.isFinite(wallMs) ? `until ${new Date(wallMs).toISOString()}` : "until the client is started anew"
