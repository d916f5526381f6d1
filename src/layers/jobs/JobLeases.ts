/** Keeps the claims of what runs here, and takes back what others have let go. */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Semaphore from "effect/Semaphore"
import type { JobStore, JobStoreError } from "../../services/JobStore.ts"
import type { RunningJobs } from "./RunningJobs.ts"

/** How long a claim holds unless it is renewed: so long after a crash others take the jobs over. */
export const LEASE_MS = 15_000
const RENEW = "5 seconds"

export interface JobLeasesOptions {
  readonly store: JobStore["Service"]
  readonly clock: Clock.Clock
  readonly running: RunningJobs
  /** Held while jobs are claimed: those are not among what runs yet. */
  readonly claiming: Semaphore.Semaphore
  /** Some came back: there is something to do. */
  readonly onBack: () => void
}

/** Works until it is interrupted. */
export const keep = ({ claiming, clock, onBack, running, store }: JobLeasesOptions): Effect.Effect<void> => {
  const renew: Effect.Effect<void, JobStoreError> = Effect.suspend(() => {
    const claims = running.claims
    if (claims.length === 0) return Effect.void
    return Effect.map(store.renew(claims, clock.currentTimeMillisUnsafe() + LEASE_MS), (ids) => {
      const lost = new Set(ids)
      running.loseClaims(claims.filter(({ id }) => lost.has(id)))
    })
  })

  const renewals = renew.pipe(
    // What cannot be renewed now may be later; if it is taken over meanwhile, its end does not count.
    Effect.catch((error) => Effect.logWarning(`Jobs cannot be kept: ${error.message}`)),
    Effect.delay(RENEW),
    Effect.forever
  )

  // What runs here is kept first: its leases have ended too after an outage of the store, or when the clock was put forward, and
  // its requests would be sent again.
  const recoveries = claiming
    .withPermit(
      Effect.andThen(
        renew,
        Effect.suspend(() => store.recover({ nowMs: clock.currentTimeMillisUnsafe(), own: false }))
      )
    )
    .pipe(
      Effect.tap((jobs) => (jobs > 0 ? Effect.sync(onBack) : Effect.void)),
      Effect.catch((error) => Effect.logWarning(`Jobs of other instances cannot be taken over: ${error.message}`)),
      Effect.delay(LEASE_MS),
      Effect.forever
    )

  return Effect.all([renewals, recoveries], { concurrency: "unbounded", discard: true })
}
