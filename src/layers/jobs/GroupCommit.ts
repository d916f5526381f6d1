/**
 * Many small writes as few transactions: what comes while one is under way goes together into the next one.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

/** Most writes in one transaction: a longer one would keep others waiting, and some stores block meanwhile. */
const MOST_AT_ONCE = 500

interface Waiting<A, B, E> {
  readonly item: A
  readonly done: Deferred.Deferred<B, E>
}

/**
 * Gives the way to write one: it returns when the transaction with it is done. Interrupting it does not undo the write.
 * `write` gives an answer for each, in their order, and may be given the same items again.
 */
export const make = Effect.fnUntraced(function* <A, B, E>(
  write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, E>
): Effect.fn.Return<(item: A) => Effect.Effect<B, E>, never, Scope.Scope> {
  const queue = yield* Effect.acquireRelease(Queue.unbounded<Waiting<A, B, E>>(), (queue) =>
    Effect.flatMap(Queue.clear(queue), (left) => answer(left, Exit.interrupt()))
  )

  const commit = (group: ReadonlyArray<Waiting<A, B, E>>): Effect.Effect<void> =>
    Effect.flatMap(Effect.exit(write(group.map(({ item }) => item))), (exit) => {
      if (Exit.isSuccess(exit)) {
        return Effect.sync(() => {
          for (const [at, { done }] of group.entries()) Deferred.doneUnsafe(done, Exit.succeed(exit.value[at]!))
        })
      }
      // One that cannot be written must not keep the others from it.
      return group.length === 1
        ? answer(group, Exit.failCause(exit.cause))
        : Effect.forEach(group, (one) => commit([one]), { discard: true })
    })

  yield* Queue.takeBetween(queue, 1, MOST_AT_ONCE).pipe(
    Effect.flatMap((group) => Effect.onInterrupt(commit(group), () => answer(group, Exit.interrupt()))),
    Effect.forever,
    Effect.forkScoped
  )

  return (item) =>
    Effect.suspend(() => {
      const done = Deferred.makeUnsafe<B, E>()
      return Queue.offerUnsafe(queue, { item, done }) ? Deferred.await(done) : Effect.interrupt
    })
})

const answer = <A, B, E>(group: ReadonlyArray<Waiting<A, B, E>>, exit: Exit.Exit<never, E>): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const { done } of group) Deferred.doneUnsafe(done, exit)
  })
