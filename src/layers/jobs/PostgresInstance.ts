/**
 * Keeps two services from using one instance's name: the second to start would take the jobs that the first one runs for those of
 * its own earlier run. The name is locked by a session of Postgres, so that it is free when its process is gone, however
 * that ended.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import type { Scope } from "effect/Scope"
import { JobStoreError } from "../../services/JobStore.ts"
import * as PostgresSession from "./PostgresSession.ts"

/** How often the session is used, so that nothing on the way takes it for dead, and its end is seen. */
const PING = "5 seconds"

/** How long a name may be held at the start: the session of a process that was killed may be there for a while. */
const PATIENCE = "5 seconds"

/** The server looks so soon whether a silent client is still there: its own default is two hours. */
const KEEP_ALIVE = { tcp_keepalives_idle: "10", tcp_keepalives_interval: "5", tcp_keepalives_count: "3" }

/** Of the schema too: each has its own jobs. */
const LOCK =
  "SELECT pg_try_advisory_lock(hashtextextended('genai-dispatcher ' || current_schema() || ' ' || $1::text, 0)) AS held"

export interface PostgresInstanceOptions {
  readonly connection: PgClient.PgClientConfig
  readonly instance: string
  readonly timeoutMs: number
}

/** Returns when the name is this process's. Holds it until the scope closes; a session that is lost is made anew. */
export const hold = ({
  connection,
  instance,
  timeoutMs
}: PostgresInstanceOptions): Effect.Effect<void, JobStoreError, Scope> =>
  Effect.gen(function* () {
    const within = PostgresSession.within(timeoutMs)
    const taken = nameTaken(instance)
    const held = yield* Deferred.make<void, JobStoreError>()

    /** One session, from its beginning to its loss. */
    const session = Effect.gen(function* () {
      const sql = yield* within(
        Effect.provideServiceEffect(
          PgClient.makeClient({ ...connection, startupParameters: KEEP_ALIVE }),
          Reactivity.Reactivity,
          Reactivity.make
        )
      )
      const [row] = yield* within(sql.unsafe<{ readonly held: boolean }>(LOCK, [instance]))
      if (row?.held !== true) return yield* taken
      yield* Deferred.succeed(held, undefined)
      return yield* Effect.forever(Effect.delay(within(sql`SELECT 1`), PING))
    }).pipe(Effect.scoped)

    const lost = ({ message }: JobStoreError) =>
      Effect.logWarning(`The name of this instance is not held now: ${message}`)
    const again = session.pipe(Effect.tapError(lost), Effect.retry(Schedule.spaced(PING)), Effect.orDie)
    yield* session.pipe(
      Effect.retry({
        // Another reason does not go away by itself, or is told at once.
        while: (error) => error === taken,
        schedule: Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: PATIENCE }))
      }),
      Effect.catch((error) =>
        Effect.flatMap(Deferred.fail(held, error), (isFirst) =>
          isFirst ? Effect.void : Effect.andThen(lost(error), again)
        )
      ),
      Effect.forkScoped
    )
    yield* Deferred.await(held)
  })

const nameTaken = (instance: string): JobStoreError =>
  new JobStoreError({
    message:
      `Another service that shares the database of jobs has the instance's name ${instance}: end that one first, or give this one ` +
      "a name of its own (server.jobs.instance).",
    isTransient: false
  })
