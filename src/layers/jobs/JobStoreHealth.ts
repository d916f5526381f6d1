/** Knows whether jobs can be kept, for those who ask whether the service is ready, and says in the log why not. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { JobStore, JobStoreError } from "../../services/JobStore.ts"

type Store = JobStore["Service"]

export interface JobStoreHealth {
  /** The store; its failures are noticed. */
  readonly store: Store
  /**
   * False from when a call has failed and nothing can be written, until something can again; and while no jobs can be taken up, of a
   * store that is damaged. Then none is accepted either: it would wait in vain.
   */
  readonly isUsable: Effect.Effect<boolean>
  /** Logs a failure that a client met; not each of many. */
  readonly tell: (error: JobStoreError) => Effect.Effect<void>
}

/** How often a store that cannot be used is tried again. */
const AGAIN = "1 second"

/** One failure is told so often. */
const TELL_MS = 10_000

export const watch = Effect.fnUntraced(function* (store: Store): Effect.fn.Return<JobStoreHealth, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  let isUsable = true
  /** Why no jobs can be taken up, where that does not pass by itself. */
  let stuck: JobStoreError | undefined
  let told: { readonly message: string; readonly atMs: number } | undefined
  /** At most one word that something failed. */
  const bell = yield* Queue.sliding<void>(1)

  const noticed = <A>(work: Effect.Effect<A, JobStoreError>): Effect.Effect<A, JobStoreError> =>
    Effect.tapError(work, () => Effect.sync(() => Queue.offerUnsafe(bell, undefined)))

  const check: Effect.Effect<void> = Effect.matchEffect(store.check, {
    onFailure: ({ message }) => {
      const said = isUsable
        ? Effect.logError(`No jobs can be kept, so the service is not ready: ${message}`)
        : Effect.void
      isUsable = false
      return Effect.andThen(said, Effect.delay(check, AGAIN))
    },
    onSuccess: () => {
      const said = isUsable ? Effect.void : Effect.logInfo("Jobs can be kept again.")
      isUsable = true
      return said
    }
  })
  const takenUp = <A>(claim: Effect.Effect<A, JobStoreError>): Effect.Effect<A, JobStoreError> =>
    claim.pipe(
      Effect.tap(() => {
        if (stuck === undefined) return Effect.void
        stuck = undefined
        return Effect.logInfo("Jobs can be taken up again.")
      }),
      Effect.tapError((error) => {
        if (error.isTransient || stuck !== undefined) return Effect.void
        stuck = error
        return Effect.logError(`No jobs can be taken up, so the service is not ready: ${error.message}`)
      })
    )

  yield* Queue.take(bell).pipe(Effect.andThen(check), Effect.forever, Effect.forkScoped)

  return {
    store: {
      create: (specs, options) =>
        noticed(Effect.suspend(() => (stuck === undefined ? store.create(specs, options) : Effect.fail(stuck)))),
      get: (id) => noticed(store.get(id)),
      list: (filter) => noticed(store.list(filter)),
      count: noticed(store.count),
      claim: (options) => noticed(takenUp(store.claim(options))),
      renew: (claims, leaseUntilMs) => noticed(store.renew(claims, leaseUntilMs)),
      end: (ends) => noticed(store.end(ends)),
      release: (claims) => noticed(store.release(claims)),
      cancel: (id, nowMs) => noticed(store.cancel(id, nowMs)),
      recover: (options) => noticed(store.recover(options)),
      purge: (endedBeforeMs) => noticed(store.purge(endedBeforeMs)),
      dueWebhooks: (options) => noticed(store.dueWebhooks(options)),
      setWebhook: (id, webhook) => noticed(store.setWebhook(id, webhook)),
      check: store.check
    },
    isUsable: Effect.sync(() => isUsable && stuck === undefined),
    tell: ({ message }) =>
      Effect.suspend(() => {
        const atMs = clock.currentTimeMillisUnsafe()
        if (told?.message === message && atMs - told.atMs < TELL_MS) return Effect.void
        told = { message, atMs }
        return Effect.logWarning(`A request failed at the store of jobs: ${message}`)
      })
  }
})
