/**
 * What finding a session's worker costs: `npm run bench -- affinity`.
 *
 * Sessions in no order, which is another than they came in, their names made anew for each look-up, as those of requests
 * are. Our table against Effect's `Cache` with the same meaning (time to live, bounded, least recently used first out) and
 * a bare `Map`, which forgets nothing.
 */
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Affinity } from "../src/layers/dispatch/Affinity.ts"
import type { Benchmark, Case } from "./support/Benchmark.ts"
import { measure } from "./support/Measure.ts"

/** The sessions as they come. */
const inTurn = (turn: number): string => `session-${turn}`

/** The session of a look-up: far from the one before it, and not the one that came after that. */
const nameOf = (turn: number, sessions: number): string => `session-${(turn * 7_919) % sessions}`

/** Looks up all sessions once, which assigns them, and then as often as is measured. */
const lookUps = (laneOf: (session: string) => number, quick: boolean, sessions: number) => {
  const run = (count: number, name: (turn: number, sessions: number) => string): number => {
    let sum = 0
    for (let turn = 0; turn < count; turn++) sum += laneOf(name(turn, sessions))
    if (sum < 0) throw new Error("a session without a worker")
    return count
  }
  run(sessions, inTurn)
  return measure(() => run(quick ? 10_000 : 1_000_000, nameOf))
}

const cases = (sessions: number): ReadonlyArray<Case> => {
  const group = `${sessions.toLocaleString("en-US")} sessions`
  return [
    {
      name: `Map, ${group}`,
      group,
      run: ({ quick }) => {
        const map = new Map<string, number>()
        const laneOf = (session: string): number => {
          const known = map.get(session)
          if (known === undefined) map.set(session, 1)
          return known ?? 1
        }
        return lookUps(laneOf, quick, sessions)
      }
    },
    {
      name: `Effect's Cache, ${group}`,
      group,
      isBaseline: true,
      run: async ({ quick }) => {
        const cache = await Effect.runPromise(
          Cache.makeWith((_session: string) => Effect.succeed(1), {
            capacity: 2_000_000,
            timeToLive: () => Duration.hours(1)
          })
        )
        const run = (count: number, name: (turn: number, sessions: number) => string): Promise<number> => {
          let turn = 0
          const loop = Effect.whileLoop({
            while: () => turn < count,
            body: () => Cache.get(cache, name(turn++, sessions)),
            step: () => {}
          })
          return Effect.runPromise(Effect.as(loop, count))
        }
        await run(sessions, inTurn)
        return measure(() => run(quick ? 10_000 : 1_000_000, nameOf))
      }
    },
    {
      name: `Affinity, ${group}`,
      group,
      run: async ({ quick }) => {
        const affinity = new Affinity(
          { capacity: 2_000_000, ttl: Duration.hours(1), sliding: false, onUnavailable: "wait" },
          await Effect.runPromise(Clock.Clock)
        )
        return lookUps((session) => affinity.laneOf(session, () => 1), quick, sessions)
      }
    }
  ]
}

export const benchmark: Benchmark = {
  name: "affinity",
  workload: "1,000,000 look-ups among 1,000, 100,000 or 1,000,000 live sessions, in no order",
  operation: "look-up",
  cases: [1_000, 100_000, 1_000_000].flatMap(cases),
  targets: [
    {
      claim: "quicker than Effect's Cache with 1,000,000 sessions",
      figure: (figures) => figures.ratio("Affinity, 1,000,000 sessions", "Effect's Cache, 1,000,000 sessions"),
      atLeast: 1
    }
  ]
}
