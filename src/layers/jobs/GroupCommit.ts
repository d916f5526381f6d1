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
const MOST_AT_ONCE = 100

/** Most bytes in one transaction, unless one write alone has more: for the same reason. */
const MOST_BYTES = 1024 * 1024

/** Most writes that wait, each with a request or an answer in memory. */
const MOST_WAITING = 10_000

type Away = Exit.Exit<never, JobStoreError>

interface Waiting<A, B> {
  readonly item: A
  readonly done: Deferred.Deferred<B, JobStoreError>
}

/**
 * Gives the way to write one: it returns when the transaction with it is done. Interrupting it does not undo the write.
 * `write` gives an answer for each, in their order, and may be given the same items again. A transient failure is that of all
 * that were to be written together, and so is asked once only: whoever waits learns at once that the store is away. It is one too
 * when too many wait already. `sizeOf` is about how many bytes a write has.
 */
export const make = Effect.fnUntraced(function* <A, B>(
  write: (items: ReadonlyArray<A>) => Effect.Effect<ReadonlyArray<B>, JobStoreError>,
  sizeOf: (item: A) => number
): Effect.fn.Return<(item: A) => Effect.Effect<B, JobStoreError>, never, Scope.Scope> {
  const queue = yield* Effect.acquireRelease(Queue.unbounded<Waiting<A, B>>(), (queue) =>
    Effect.flatMap(Queue.clear(queue), (left) => answer(left, Exit.interrupt()))
  )

  /** Answers all of them; gives why, when the store is away. */
  const commit = (group: ReadonlyArray<Waiting<A, B>>): Effect.Effect<Away | undefined> =>
    Effect.flatMap(Effect.exit(Effect.suspend(() => write(group.map(({ item }) => item)))), (exit) => {
      if (Exit.isSuccess(exit)) {
        return Effect.sync(() => {
          for (const [at, { done }] of group.entries()) Deferred.doneUnsafe(done, Exit.succeed(exit.value[at]!))
          return undefined
        })
      }
      const away = isAway(exit.cause) ? Exit.failCause(exit.cause) : undefined
      if (group.length === 1 || away !== undefined) return Effect.as(answer(group, Exit.failCause(exit.cause)), away)
      // One that cannot be written must not keep the others from it.
      const half = Math.ceil(group.length / 2)
      return commitAll([group.slice(0, half), group.slice(half)])
    })

  const commitAll = Effect.fnUntraced(function* (
    groups: ReadonlyArray<ReadonlyArray<Waiting<A, B>>>
  ): Effect.fn.Return<Away | undefined> {
    let away: Away | undefined
    for (const group of groups) {
      if (away === undefined) away = yield* commit(group)
      else yield* answer(group, away)
      // What else this process does has its turn between two transactions.
      yield* Effect.yieldNow
    }
    return away
  })

  yield* Queue.takeBetween(queue, 1, MOST_AT_ONCE).pipe(
    Effect.flatMap((group) =>
      Effect.onInterrupt(commitAll(parts(group, sizeOf)), () => answer(group, Exit.interrupt()))
    ),
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

/** In their order, each of at most `MOST_BYTES`. */
const parts = <A, B>(
  group: ReadonlyArray<Waiting<A, B>>,
  sizeOf: (item: A) => number
): ReadonlyArray<ReadonlyArray<Waiting<A, B>>> => {
  const all: Array<Array<Waiting<A, B>>> = []
  let bytes = Number.POSITIVE_INFINITY
  for (const waiting of group) {
    const size = sizeOf(waiting.item)
    bytes += size
    if (bytes > MOST_BYTES) {
      all.push([])
      bytes = size
    }
    all.at(-1)!.push(waiting)
  }
  return all
}

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
