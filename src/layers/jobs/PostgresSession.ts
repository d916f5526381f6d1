/** How long is waited for Postgres: not without end, whatever it does not answer to. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { JobStoreError } from "../../services/JobStore.ts"
import { storeError, tooSlow } from "./PostgresErrors.ts"

/** What comes after a call that was given up; the driver waits 5 s more for what it has cancelled, then drops the connection. */
const ROLLBACK_MS = 1_000

/** Fails what takes longer, as transient. */
export const within =
  (timeoutMs: number, toError: (error: SqlError | JobStoreError) => JobStoreError = storeError) =>
  <A, R>(work: Effect.Effect<A, SqlError | JobStoreError, R>): Effect.Effect<A, JobStoreError, R> =>
    work.pipe(
      Effect.timeoutOrElse({ duration: timeoutMs, orElse: () => Effect.fail(tooSlow(timeoutMs / 1000)) }),
      Effect.mapError(toError)
    )

/**
 * All or nothing. Unlike the driver's own transactions it can be interrupted while it waits for `BEGIN` or `COMMIT`: a server that is
 * gone without a word, or a proxy before it, answers neither. Whether a `COMMIT` that was given up counts is not known.
 */
export const transaction = <A, E, R>(sql: SqlClient, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* sql.reserve
      const say = (statement: string) => connection.execute(statement, [], undefined)
      let isOpen = true
      // Before the connection goes back; one that does not answer to this either is dropped by the driver.
      yield* Effect.addFinalizer(() =>
        isOpen ? Effect.ignore(Effect.timeoutOption(Effect.interruptible(say("ROLLBACK")), ROLLBACK_MS)) : Effect.void
      )
      yield* say("BEGIN")
      const result = yield* Effect.provideService(work, sql.transactionService, [connection, 0])
      yield* say("COMMIT")
      isOpen = false
      return result
    })
  )
