/** The times of the events of the last so many milliseconds. Exact, O(1), memory for the events in the window only. */
export class SlidingWindow {
  /** A ring; its length is a power of two. */
  private times = new Float64Array(64)
  private head = 0
  private size = 0
  readonly windowMs: number

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  /** Number of events in (now - windowMs, now]: one that is exactly `windowMs` old has left. */
  count(now: number): number {
    while (this.size > 0 && this.times[this.head]! + this.windowMs <= now) {
      this.head = (this.head + 1) & (this.times.length - 1)
      this.size -= 1
    }
    return this.size
  }

  /** Adds an event at `now`, which is never before the last event. */
  add(now: number): void {
    if (this.size === this.times.length) this.grow()
    this.times[(this.head + this.size) & (this.times.length - 1)] = now
    this.size += 1
  }

  /** Milliseconds from `now` until the oldest event leaves; 0 when there is none. After `count(now)`. */
  untilOldestLeaves(now: number): number {
    return this.size === 0 ? 0 : this.times[this.head]! + this.windowMs - now
  }

  /** Milliseconds from `now` until the window is empty. After `count(now)`. */
  untilEmpty(now: number): number {
    if (this.size === 0) return 0
    return this.times[(this.head + this.size - 1) & (this.times.length - 1)]! + this.windowMs - now
  }

  private grow(): void {
    const larger = new Float64Array(this.times.length * 2)
    larger.set(this.times.subarray(this.head))
    larger.set(this.times.subarray(0, this.head), this.times.length - this.head)
    this.times = larger
    this.head = 0
  }
}
