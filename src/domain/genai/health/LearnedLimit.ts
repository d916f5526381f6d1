/** The request limit of an endpoint, learned from what its answers tell. Pure: time is passed in, in milliseconds. */

/** For how long a limit is held to that no answer tells any more: the period that it is for. */
const HELD_MS = 60_000

/**
 * The lowest limit that was told in the last minute.
 *
 * Answers may tell different ones, as for several models at one endpoint. Going by the last answer would mean a new limit
 * with each, and a limit that is new holds for nothing that went before.
 */
export class LearnedLimit {
  private limit: number | undefined = undefined
  private toldAtMs = 0

  /** Requests per minute; `undefined` as long as nothing is known. */
  get requestsPerMinute(): number | undefined {
    return this.limit
  }

  /** An answer tells of that many requests per minute. Gives whether the limit is another one now. */
  learn(requestsPerMinute: number, nowMs: number): boolean {
    if (this.limit !== undefined && requestsPerMinute > this.limit && nowMs - this.toldAtMs < HELD_MS) return false
    const isNews = requestsPerMinute !== this.limit
    this.limit = requestsPerMinute
    this.toldAtMs = nowMs
    return isNews
  }
}
