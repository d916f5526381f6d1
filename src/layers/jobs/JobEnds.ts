/** Puts what became of jobs into the store. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { JobOutcome } from "../../domain/jobs/Job.ts"
import type { JobStore } from "../../services/JobStore.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { type Held, held, type Running } from "./RunningJobs.ts"

interface End extends Held {
  readonly outcome: JobOutcome
  readonly nowMs: number
}

export interface JobEnds {
  /**
   * Ends a job; `told` learns when it did, or that the claim was lost. Tried until the store has it: an answer is not lost because
   * the store is away for a while. Each try is made to its end, so that a shutdown does not throw away an answer that is there.
   */
  readonly end: (
    running: Running,
    outcome: JobOutcome,
    told: (endedAtMs: number | undefined) => void
  ) => Effect.Effect<void>
  /** Gives jobs back, all in one transaction; where that fails, their leases end. */
  readonly release: (runs: ReadonlyArray<Running>) => Effect.Effect<void>
}

/** How long is waited for a store that fails. */
export const storeIsBack = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

const sizeOf = ({ outcome }: End): number => (outcome.status === "Completed" ? outcome.result.text.length : 0)

export const make = Effect.fnUntraced(function* (
  store: JobStore["Service"]
): Effect.fn.Return<JobEnds, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const commit = yield* GroupCommit.make((ends: ReadonlyArray<End>) => store.end(ends), sizeOf)
  return {
    end: ({ claim }, outcome, told) =>
      Effect.suspend(() => {
        let isLogged = false
        const tried = Effect.suspend(() => {
          const nowMs = clock.currentTimeMillisUnsafe()
          const kept = commit({ ...held(claim), outcome, nowMs })
          return Effect.uninterruptible(Effect.map(kept, (isEnd) => told(isEnd ? nowMs : undefined)))
        })
        return tried.pipe(
          Effect.tapError((error) => {
            if (isLogged) return Effect.void
            isLogged = true
            return Effect.logWarning(`The end of job ${claim.job.id} cannot be kept yet: ${error.message}`)
          }),
          Effect.retry(storeIsBack),
          Effect.orDie
        )
      }),

    release: (runs) =>
      store.release(runs.map(({ claim }) => held(claim))).pipe(
        Effect.catch((error) => {
          const ids = runs.map(({ claim }) => claim.job.id).join(", ")
          return Effect.logWarning(`Jobs that are not given back before their leases end: ${error.message} (${ids})`)
        })
      )
  }
})
