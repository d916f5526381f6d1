/**
 * Jobs in a file of SQLite.
 *
 * What was accepted survives the process, however it ends; `durability` says what a power cut may take. Every call
 * blocks the event loop while it runs, so each is one short transaction.
 */
import type { SQLInputValue, StatementSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Scope } from "effect/Scope"
import { type JobSpec, JobStatus } from "../../domain/jobs/Job.ts"
import { accepted, isSame } from "../../domain/jobs/JobSteps.ts"
import { type Created, JobStore, type JobStoreError } from "../../services/JobStore.ts"
import * as JobRow from "./JobRow.ts"
import * as SqliteAccess from "./SqliteAccess.ts"
import * as SqliteFile from "./SqliteFile.ts"
import { prepare } from "./SqliteStatements.ts"

export interface SqliteJobStoreOptions extends SqliteFile.SqliteFileOptions {
  /** The name under which this process holds jobs; unique among those that share the file. */
  readonly instance: string
}

/** Jobs forgotten in one transaction: more would block the event loop for long. */
const PURGED_AT_ONCE = 100

const GONE =
  "are no longer there: the file was removed or replaced while the service ran. Put it back, or start the service again."

/** Sorts after every id. */
const AFTER_ALL = "\uffff"

/** A job that is to be created, as text. */
const newRow = (spec: JobSpec) => ({ spec, about: JobRow.aboutText(spec), request: JobRow.requestText(spec) })
type NewRow = ReturnType<typeof newRow>

/** What was found of a job that is to be created. */
type Row = ReturnType<StatementSync["get"]>
type Made =
  | { readonly _tag: "Known"; readonly row: Row; readonly isSame: boolean }
  | Exclude<Created, { _tag: "Existing" | "Conflict" }>

export const make = (options: SqliteJobStoreOptions): Effect.Effect<JobStore["Service"], JobStoreError, Scope> =>
  Effect.gen(function* () {
    const { file, instance } = options
    const database = yield* SqliteFile.open(options)
    const attempt = <A>(work: () => A) => SqliteFile.attempt(file, work)
    const atomically = <A>(work: () => A) => attempt(() => SqliteFile.inTransaction(database, work))
    const statements = yield* attempt(() => prepare(database))
    const isThere = yield* attempt(() => SqliteAccess.watch(file))
    /** What is written into a file without a name is lost with the process, so nothing more is accepted. */
    const inPlace = Effect.suspend(() => (isThere() ? Effect.void : Effect.fail(SqliteFile.failure(file, GONE, true))))
    const isHeld = (statement: StatementSync, ...values: ReadonlyArray<SQLInputValue>): boolean =>
      statement.run(...values).changes === 1

    const createOne = ({ about, request, spec }: NewRow, pending: number, maxPending: number): Made => {
      const key = JobRow.keyText(spec)
      const row = statements.get.get(spec.id) ?? (key === null ? undefined : statements.getByKey.get(spec.owner, key))
      if (row !== undefined) {
        const kept = { owner: String(row["owner"]), requestHash: String(row["request_hash"]) }
        return { _tag: "Known", row, isSame: isSame(kept, spec) }
      }
      if (pending >= maxPending) return { _tag: "Full", pending }
      const job = accepted(spec)
      const { lastInsertRowid } = statements.insertRequest.run(request)
      statements.insert.run(
        lastInsertRowid,
        spec.id,
        spec.owner,
        key,
        spec.requestHash,
        job.status,
        job.webhook?.status ?? null,
        job.webhook?.nextAtMs ?? null,
        about
      )
      return { _tag: "Created", job }
    }

    const readMade = (made: Made): Effect.Effect<Created, JobStoreError> =>
      made._tag === "Known"
        ? Effect.map(JobRow.decode(made.row), (job) => ({ _tag: made.isSame ? "Existing" : "Conflict", job }) as const)
        : Effect.succeed(made)

    const purgeSome = (endedBeforeMs: number) =>
      attempt(() => Number(statements.purge.run(endedBeforeMs, PURGED_AT_ONCE).changes))

    return {
      create: (specs, { maxPending }) =>
        Effect.suspend(() => {
          // Before the right to write is taken: others wait for it.
          const rows = specs.map(newRow)
          const made = atomically(() => {
            let pending = Number(statements.countPending.get()?.["jobs"])
            return rows.map((row) => {
              const made = createOne(row, pending, maxPending)
              if (made._tag === "Created") pending++
              return made
            })
          })
          return Effect.flatMap(Effect.andThen(inPlace, made), (made) => Effect.forEach(made, readMade))
        }),

      get: (id) =>
        Effect.flatMap(
          attempt(() => statements.get.get(id)),
          (row) => (row === undefined ? Effect.succeedNone : Effect.asSome(JobRow.decode(row)))
        ),

      list: ({ before = AFTER_ALL, limit, owner, status }) =>
        Effect.flatMap(
          attempt(() =>
            owner === undefined
              ? statements.list.all(before, status ?? null, limit)
              : status === undefined
                ? statements.listOwner.all(before, limit, owner)
                : statements.listOwnerStatus.all(before, limit, owner, status)
          ),
          readable
        ),

      count: attempt(() => {
        const counts: Record<JobStatus, number> = { Pending: 0, Running: 0, Completed: 0, Failed: 0, Cancelled: 0 }
        for (const row of statements.count.all()) {
          const status = JobStatus.literals.find((name) => name === row["status"])
          if (status !== undefined) counts[status] = Number(row["jobs"])
        }
        return counts
      }),

      claim: ({ leaseUntilMs, limit, nowMs }) =>
        attempt(() => {
          // Looking is cheap, and there is often nothing; to claim takes the right to write.
          if (statements.anyPending.get() === undefined) return { good: [], bad: [] }
          return SqliteFile.inTransaction(database, () => {
            const claimed = statements.claim.all(instance, leaseUntilMs, nowMs, limit)
            // What an UPDATE returns has no order.
            const rows = claimed.map((row) => statements.getWithRequest.get(String(row["id"]))).sort(byId)
            const read = JobRow.claims(rows)
            for (const row of read.bad) statements.giveUp.run(JobRow.unreadableOutcome(), nowMs, String(row?.["id"]))
            return read
          })
        }).pipe(
          Effect.tap(({ bad }) => tellOf(bad)),
          Effect.map(({ good }) => good)
        ),

      renew: (claims, leaseUntilMs) =>
        claims.length === 0
          ? Effect.succeed([])
          : atomically(() =>
              claims.filter(({ id, run }) => !isHeld(statements.renew, leaseUntilMs, id, run)).map(({ id }) => id)
            ),

      end: (ends) =>
        atomically(() =>
          ends.map(({ id, nowMs, outcome, run }) =>
            isHeld(statements.end, outcome.status, JobRow.outcomeText(outcome), nowMs, id, run)
          )
        ),

      release: (claims) =>
        atomically(() => {
          for (const { id, run } of claims) statements.release.run(id, run)
        }),

      cancel: (id, nowMs) =>
        Effect.flatMap(
          atomically(() => {
            const cancelled = isHeld(statements.cancel, nowMs, id)
            return { cancelled, row: statements.get.get(id) }
          }),
          ({ cancelled, row }) =>
            row === undefined
              ? Effect.succeedNone
              : Effect.map(JobRow.decode(row), (job) => Option.some({ job, cancelled }))
        ),

      recover: ({ nowMs, own }) => attempt(() => Number(statements.recover.run(nowMs, own ? 1 : 0, instance).changes)),

      purge: (endedBeforeMs) =>
        Effect.gen(function* () {
          let total = 0
          while (true) {
            const purged = yield* purgeSome(endedBeforeMs)
            total += purged
            if (purged === 0) return total
            yield* Effect.yieldNow
          }
        }),

      dueWebhooks: ({ limit, nowMs, retryAtMs }) =>
        attempt(() => {
          if (statements.due.get(nowMs, 1) === undefined) return { good: [], bad: [] }
          return SqliteFile.inTransaction(database, () => {
            const rows = statements.due.all(nowMs, limit).map((row) => {
              const id = String(row["id"])
              statements.deferWebhook.run(retryAtMs, id)
              return statements.get.get(id)
            })
            const read = JobRow.jobs(rows)
            // There is nothing to tell of them.
            for (const row of read.bad) statements.giveUpWebhook.run(String(row?.["id"]))
            return read
          })
        }).pipe(
          Effect.tap(({ bad }) => tellOf(bad)),
          Effect.map(({ good }) => good)
        ),

      check: Effect.andThen(
        inPlace,
        attempt(() => {
          statements.check.run()
          statements.checked.run()
        })
      ),

      setWebhook: (id, { attempts, nextAtMs, status }) =>
        Effect.asVoid(attempt(() => statements.setWebhook.run(status, attempts, nextAtMs, id)))
    }
  })

export const layer = (options: SqliteJobStoreOptions): Layer.Layer<JobStore, JobStoreError> =>
  Layer.effect(JobStore, make(options))

/** Those that can be read: one that cannot must not hide the others. */
const readable = (rows: ReadonlyArray<Row>) => {
  const { bad, good } = JobRow.jobs(rows)
  return Effect.as(tellOf(bad), good)
}

const tellOf = (bad: ReadonlyArray<Row>): Effect.Effect<void> => JobRow.tellOf(bad.map((row) => String(row?.["id"])))

const byId = (a: Row, b: Row): number => (String(a?.["id"]) < String(b?.["id"]) ? -1 : 1)
