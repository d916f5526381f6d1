/** For how long the wall clock is believed that this much time has passed, in milliseconds. */
const BELIEVED_MS = 1_000

/** Where the time comes from: Effect's `Clock`. */
export interface Clocks {
  currentTimeMillisUnsafe(): number
  monotonicTimeNanosUnsafe(): bigint
}

/**
 * The time to measure durations by: it goes on as ever when somebody sets the wall clock, and never goes back.
 *
 * Its times are those of the monotonic clock in whole milliseconds, one or two of which they may be off. A look costs little
 * more than one at the wall clock; at the monotonic clock, which is a `bigint`, it would cost two to six times as much. So
 * that is asked once a second at most: in between the wall clock tells how much time has passed since, unless it went back.
 * A step of the wall clock is seen at the next look when it is longer than a second, and what a shorter one makes wrong is
 * right again a second later.
 *
 * **Gotchas**
 *
 * Compare its times with each other only. The monotonic clock may stand still while the machine is suspended, as timers do:
 * what takes a minute takes a minute of the machine being awake.
 */
export class SteadyTime {
  private readonly clocks: Clocks
  /** When the monotonic clock was asked last, by the wall clock and by itself. */
  private askedWallMs = Number.NaN
  private askedMs = 0
  private lastMs = 0

  constructor(clocks: Clocks) {
    this.clocks = clocks
  }

  /** In milliseconds; never less than it was before. */
  now(): number {
    const wallMs = this.clocks.currentTimeMillisUnsafe()
    const passedMs = wallMs - this.askedWallMs
    // The first time it is not a number.
    if (passedMs >= 0 && passedMs < BELIEVED_MS) return this.reach(this.askedMs + passedMs)
    this.askedWallMs = wallMs
    this.askedMs = Math.floor(Number(this.clocks.monotonicTimeNanosUnsafe()) / 1e6)
    return this.reach(this.askedMs)
  }

  /** What the wall clock shows (Unix milliseconds) when `now` is `timeMs`, as it was set at the last look. */
  wallOf(timeMs: number): number {
    return this.askedWallMs + (timeMs - this.askedMs)
  }

  private reach(nowMs: number): number {
    if (nowMs > this.lastMs) this.lastMs = nowMs
    return this.lastMs
  }
}
