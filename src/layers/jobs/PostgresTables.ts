/** The tables of jobs in Postgres, made and brought up to date by whoever comes first. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { JobStoreError } from "../../services/JobStore.ts"
import { transaction } from "./PostgresSession.ts"

/** Changes of the tables, oldest first, each a list of statements. Never change one that was released. */
const MIGRATIONS: ReadonlyArray<ReadonlyArray<string>> = [
  [
    // Ids are compared byte by byte, whatever language the database was made for.
    `CREATE TABLE genai_jobs (
      id text COLLATE "C" PRIMARY KEY,
      owner text NOT NULL,
      idempotency_key text,
      request_hash text NOT NULL,
      spec text NOT NULL,
      status text NOT NULL,
      runs integer NOT NULL DEFAULT 0,
      instance text,
      lease_until double precision,
      started_at double precision,
      ended_at double precision,
      outcome text,
      webhook_status text,
      webhook_attempts integer NOT NULL DEFAULT 0,
      webhook_next_at double precision
    )`,
    "CREATE UNIQUE INDEX genai_jobs_key ON genai_jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL",
    "CREATE INDEX genai_jobs_owner ON genai_jobs (owner, status, id)",
    "CREATE INDEX genai_jobs_waiting ON genai_jobs (id) WHERE status = 'Pending'",
    "CREATE INDEX genai_jobs_running ON genai_jobs (lease_until) WHERE status = 'Running'",
    `CREATE INDEX genai_jobs_ended ON genai_jobs (ended_at)
      WHERE ended_at IS NOT NULL AND webhook_status IS DISTINCT FROM 'pending'`,
    `CREATE INDEX genai_jobs_webhook ON genai_jobs (webhook_next_at, id)
      WHERE ended_at IS NOT NULL AND webhook_status = 'pending'`,
    // How many jobs have not ended: to count them anew for each new one would take longer the more there are. Who changes
    // the number holds its row until the end of the transaction, which makes the limit exact among instances.
    "CREATE TABLE genai_jobs_pending (one boolean PRIMARY KEY DEFAULT true CHECK (one), pending integer NOT NULL)",
    "INSERT INTO genai_jobs_pending (pending) VALUES (0)"
  ],
  // Null in jobs of before: then it is part of `spec`, which now has the request alone.
  ["ALTER TABLE genai_jobs ADD COLUMN about text"]
]

/** Any number that no other program takes for its lock. */
const LOCK = 7_304_611_255

export const migrate = (sql: SqlClient): Effect.Effect<void, SqlError | JobStoreError> =>
  transaction(
    sql,
    Effect.gen(function* () {
      yield* sql`SELECT pg_advisory_xact_lock(${sql.literal(String(LOCK))})`
      yield* sql`CREATE TABLE IF NOT EXISTS genai_jobs_migrations (version integer PRIMARY KEY)`
      const rows = yield* sql<{
        version: number
      }>`SELECT version FROM genai_jobs_migrations ORDER BY version DESC LIMIT 1`
      const had = rows[0]?.version ?? 0
      if (had > MIGRATIONS.length) {
        return yield* new JobStoreError({
          message: "The jobs in the database were written by a later version of the service: use that one.",
          isTransient: false
        })
      }
      for (const [at, statements] of MIGRATIONS.entries()) {
        if (at < had) continue
        for (const statement of statements) yield* sql.unsafe(statement)
        yield* sql`INSERT INTO genai_jobs_migrations (version) VALUES (${at + 1})`
      }
    })
  )
