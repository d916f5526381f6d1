/** The sandbox's own rate limits: what a user's settings are tried against. */
import { SlidingWindow } from "../SlidingWindow.ts"

/** What a rate limit said to one request, with the facts that rate limit headers tell. */
export interface RateVerdict {
  readonly admitted: boolean
  /** The limit that refused, else the one that is closest to refusing: requests in each `windowMs`. */
  readonly limit: number
  readonly windowMs: number
  /** Requests of this limit that are left now. */
  readonly remaining: number
  /** Until the limit is whole again if no more requests come, in milliseconds. */
  readonly resetMs: number
  /** Until a request will be admitted, in milliseconds; 0 when this one was. */
  readonly retryAfterMs: number
}

export interface RateRules {
  readonly requestsPerSecond: number | undefined
  readonly requestsPerMinute: number | undefined
}

/**
 * Admits so many requests in any second and in any minute, wherever these start.
 *
 * Only admitted requests count, so that waiting `retryAfterMs` is always enough for one request. Mutable: one owner.
 * Times are in milliseconds of any one monotonic clock.
 */
export class RateLimit {
  private readonly windows: ReadonlyArray<{ readonly limit: number; readonly events: SlidingWindow }>

  private constructor(windows: RateLimit["windows"]) {
    this.windows = windows
  }

  /** `undefined` when there is nothing to limit. */
  static make(rules: RateRules): RateLimit | undefined {
    const windows: Array<RateLimit["windows"][number]> = []
    if (rules.requestsPerMinute !== undefined) {
      windows.push({ limit: rules.requestsPerMinute, events: new SlidingWindow(60_000) })
    }
    if (rules.requestsPerSecond !== undefined) {
      windows.push({ limit: rules.requestsPerSecond, events: new SlidingWindow(1000) })
    }
    return windows.length === 0 ? undefined : new RateLimit(windows)
  }

  /** Counts a request at `now`, or refuses it. */
  take(now: number): RateVerdict {
    let tightest = this.windows[0]!
    let remaining = Number.POSITIVE_INFINITY
    let retryAfterMs = 0
    for (const window of this.windows) {
      const left = window.limit - window.events.count(now)
      const wait = left > 0 ? 0 : window.events.untilOldestLeaves(now)
      if (wait > retryAfterMs || (retryAfterMs === 0 && left < remaining)) {
        tightest = window
        remaining = left
      }
      retryAfterMs = Math.max(retryAfterMs, wait)
    }
    const admitted = retryAfterMs === 0
    if (admitted) for (const window of this.windows) window.events.add(now)
    return {
      admitted,
      limit: tightest.limit,
      windowMs: tightest.events.windowMs,
      remaining: admitted ? remaining - 1 : 0,
      resetMs: tightest.events.untilEmpty(now),
      retryAfterMs
    }
  }
}
