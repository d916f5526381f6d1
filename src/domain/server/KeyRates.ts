/** The requests that API keys have made in the last minute. */
import { SlidingWindow } from "../SlidingWindow.ts"

const MINUTE_MS = 60_000

export class KeyRates {
  /** Of each key that has a limit. */
  private readonly windows = new Map<string, SlidingWindow>()

  /**
   * Counts a request of a key, if no minute, wherever it starts, holds more than its limit then; otherwise tells the
   * milliseconds until it may come again. `now` never goes back.
   */
  take(key: string, requestsPerMinute: number, now: number): number | undefined {
    let window = this.windows.get(key)
    if (window === undefined) {
      window = new SlidingWindow(MINUTE_MS)
      this.windows.set(key, window)
    }
    if (window.count(now) >= requestsPerMinute) return window.untilOldestLeaves(now)
    window.add(now)
    return undefined
  }
}
