/** Which lane a session belongs to: a cache with a TTL and bounded capacity, O(1) per submit. */
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import type { AffinitySettings } from "./Options.ts"

export interface Affinity {
  /** The session's lane; assigns one by `assign` when it has none, or its TTL is over. */
  readonly laneOf: (session: string) => Effect.Effect<number>
  /** Moves the session to another lane; its TTL starts anew. */
  readonly rebind: (session: string, lane: number) => Effect.Effect<void>
}

/** `assign` gives the index of the lane for a new session. */
export const makeAffinity = Effect.fnUntraced(function* (settings: AffinitySettings, assign: () => number) {
  const lanes = yield* Cache.makeWith((_session: string) => Effect.sync(assign), {
    capacity: settings.capacity,
    timeToLive: () => settings.ttl
  })
  const rebind = (session: string, lane: number) => Cache.set(lanes, session, lane)
  const laneOf = (session: string) => Cache.get(lanes, session)
  const affinity: Affinity = {
    // Cache.get does not touch the TTL; setting the value again starts it anew.
    laneOf: settings.sliding ? (session) => Effect.tap(laneOf(session), (lane) => rebind(session, lane)) : laneOf,
    rebind
  }
  return affinity
})
