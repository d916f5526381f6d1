/**
 * Many small writes as few transactions: what comes while one is under way goes together into the next one.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { JobStoreError } from "../../services/JobStore.ts"

/** Most writes in one transaction: a longer one would keep others waiting, and some stores block meanwhile. */
const MOST_AT_ONCE = 500

/** Most writes that wait, each with a request or an answer in memory. */
const MOST_WAITING = 10_000

interface Waiting<A, B> {
  readonly item: A
  readonly done: Deferred.Deferred<B, JobStoreError>
}

/**
 * Gives the way to write one: it returns when the transaction with it is done. Interrupting it does not undo the write.
 * `write` gives an answer for each, in their order, and may be given the same items again. A transient failure is that of all
 * that were to be written together, and so is asked once only: whoever waits learns at once that the store is away. It is one too
 * when too many wait already.
 */
export const make = Effect.fnUntraced(function* <A, B>(
  write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, JobStoreError>
): Effect.fn.Return<(item: A) => Effect.Effect<B, JobStoreError>, never, Scope.Scope> {
  const queue = yield* Effect.acquireRelease(Queue.unbounded<Waiting<A, B>>(), (queue) =>
    Effect.flatMap(Queue.clear(queue), (left) => answer(left, Exit.interrupt()))
  )

  const commit = (group: ReadonlyArray<Waiting<A, B>>): Effect.Effect<void> =>
    Effect.flatMap(Effect.exit(Effect.suspend(() => write(group.map(({ item }) => item)))), (exit) => {
      if (Exit.isSuccess(exit)) {
        return Effect.sync(() => {
          for (const [at, { done }] of group.entries()) Deferred.doneUnsafe(done, Exit.succeed(exit.value[at]!))
        })
      }
      if (group.length === 1 || isAway(exit.cause)) return answer(group, Exit.failCause(exit.cause))
      // One that cannot be written must not keep the others from it.
      const half = Math.ceil(group.length / 2)
      return Effect.andThen(commit(group.slice(0, half)), commit(group.slice(half)))
    })

  yield* Queue.takeBetween(queue, 1, MOST_AT_ONCE).pipe(
    Effect.flatMap((group) => Effect.onInterrupt(commit(group), () => answer(group, Exit.interrupt()))),
    Effect.forever,
    Effect.forkScoped
  )

  return (item) =>
    Effect.suspend(() => {
      if (Queue.sizeUnsafe(queue) >= MOST_WAITING) return Effect.fail(tooMany)
      const done = Deferred.makeUnsafe<B, JobStoreError>()
      return Queue.offerUnsafe(queue, { item, done }) ? Deferred.await(done) : Effect.interrupt
    })
})

const isAway = (cause: Cause.Cause<JobStoreError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ isTransient }) => isTransient)

const tooMany = new JobStoreError({
  message: `The store of jobs is too slow: ${MOST_WAITING} writes wait for it.`,
  isTransient: true
})

const answer = <A, B>(
  group: ReadonlyArray<Waiting<A, B>>,
  exit: Exit.Exit<never, JobStoreError>
): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const { done } of group) Deferred.doneUnsafe(done, exit)
  })
