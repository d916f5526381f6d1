/**
 * Which lane a session belongs to, within a TTL and a bounded capacity, O(1) per submit.
 *
 * Not Effect's `Cache`, although it means the same: its `get` is an effect, so that admission would not be one synchronous
 * step, and with 100,000 sessions it took 5 us, more than all the rest of a submit. `benchmarks/affinity.ts` has both.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import { SessionTable } from "../../domain/dispatch/SessionTable.ts"
import { SteadyTime } from "../../domain/SteadyTime.ts"
import type { AffinitySettings } from "./Options.ts"

export class Affinity {
  private readonly sessions: SessionTable
  private readonly time: SteadyTime
  private readonly ttlMs: number
  private readonly sliding: boolean

  constructor(settings: AffinitySettings, clock: Clock.Clock) {
    // Not `Random`, which may be one that others can foretell: it is a secret.
    const [key0 = 0, key1 = 0] = crypto.getRandomValues(new Uint32Array(2))
    this.sessions = new SessionTable(settings.capacity, [key0, key1])
    this.time = new SteadyTime(clock)
    this.ttlMs = Duration.toMillis(settings.ttl)
    this.sliding = settings.sliding
  }

  /** The session's lane; assigns the one that `assign` gives when it has none, or its TTL is over. */
  laneOf(session: string, assign: () => number): number {
    const now = this.time.now()
    const known = this.sessions.get(session, now, this.sliding ? now + this.ttlMs : undefined)
    if (known !== -1) return known
    const lane = assign()
    this.sessions.set(session, lane, now + this.ttlMs)
    return lane
  }

  /** Moves the session to another lane; its TTL starts anew. */
  rebind(session: string, lane: number): void {
    this.sessions.set(session, lane, this.time.now() + this.ttlMs)
  }
}
