/**
 * Finds how many requests at once do best at an endpoint of which nothing is known. Pure: time is passed in.
 *
 * By Little's law, requests in flight = rate x latency: while more at once leave the latency as it is, they are more a
 * second. So it starts small and trebles with each round trip for as long as all of it is used and the answers do not take
 * much longer for it. From then on it is looked at once a round trip: it grows a little while the latency stays, and goes
 * down when answers take much longer than at best, or are refused for congestion.
 */

const START = 64
/** Growth with each answer while nothing speaks against it: 2 is three times as many after a round trip. */
const FAST = 2
/** A round that takes so much longer than the one before gains little: most of the new ones only wait in another place. */
const WORSE = 1.5
/** In the long run: this many times the best latency is too long. */
const TOO_LONG = 2
/** The best latency is forgotten by so much with each round, for what is asked for changes. */
const FORGET = 1.001
/** What is left after a refusal; and after answers that took too long: less than the inverse, to see the best latency again. */
const REFUSED = 0.7
const QUEUED = 0.45
/** The fewest answers that say what the latency is. */
const LEAST = 16

/** One endpoint's concurrency: always a whole number from 1 to its bound. */
export class AutoConcurrency {
  private readonly bound: number
  private exact: number
  private isFast = true
  /** What it was when the round began. */
  private before: number
  /** A round is over when enough of the requests that were sent in it are answered. */
  private roundBegan = Number.NEGATIVE_INFINITY
  private answers = 0
  private sumMs = 0
  private isUsed = false
  /** Mean latency of the last round, and of the best one. */
  private lastMs = Number.POSITIVE_INFINITY
  private bestMs = Number.POSITIVE_INFINITY
  private decreasedAt = Number.NEGATIVE_INFINITY

  /** `bound`: a whole number, at least 1. */
  constructor(bound: number) {
    this.bound = bound
    this.exact = Math.min(START, bound)
    this.before = this.exact
  }

  get concurrency(): number {
    return Math.floor(this.exact)
  }

  /** An answer came, with so many in flight when it did. True when `concurrency` has changed. */
  answered(sentAtMs: number, nowMs: number, inflight: number): boolean {
    const before = this.concurrency
    // Only what is used is known to be borne. Answers may come all at once: so it is the round that counts.
    if (inflight >= 0.9 * this.before) this.isUsed = true
    if (this.isUsed) this.grow(this.isFast ? FAST : 1 / Math.sqrt(this.exact))
    if (sentAtMs >= this.roundBegan) {
      this.answers++
      this.sumMs += nowMs - sentAtMs
      if (this.answers >= Math.max(LEAST, this.before)) this.endRound(nowMs)
    }
    return this.concurrency !== before
  }

  /** A send was refused for congestion, or timed out. True when `concurrency` has changed. */
  congested(sentAtMs: number, nowMs: number): boolean {
    // What was sent before the last decrease tells of the time before it.
    if (sentAtMs < this.decreasedAt) return false
    const before = this.concurrency
    this.shrink(this.exact * REFUSED, nowMs)
    return this.concurrency !== before
  }

  private endRound(nowMs: number): void {
    const meanMs = this.sumMs / this.answers
    const isWorse = this.isFast && meanMs > WORSE * this.lastMs
    const isTooLong = !this.isFast && meanMs > TOO_LONG * this.bestMs
    if (this.isUsed && (isWorse || isTooLong)) {
      this.shrink(isWorse ? this.before : this.exact * QUEUED, nowMs)
      return
    }
    if (this.isUsed) this.lastMs = meanMs
    this.bestMs = Math.min(this.bestMs * FORGET, meanMs)
    this.beginRound(nowMs)
  }

  private beginRound(nowMs: number): void {
    this.before = this.concurrency
    this.roundBegan = nowMs
    this.answers = 0
    this.sumMs = 0
    this.isUsed = false
  }

  private grow(by: number): void {
    this.exact = Math.min(this.bound, (1 + FAST) * this.before, this.exact + by)
  }

  private shrink(to: number, nowMs: number): void {
    this.exact = Math.max(1, Math.min(this.exact, to))
    this.isFast = false
    this.decreasedAt = nowMs
    this.beginRound(nowMs)
  }
}
