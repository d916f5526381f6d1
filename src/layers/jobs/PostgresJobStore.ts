/**
 * Jobs in Postgres, for several instances on several machines.
 *
 * A lost connection fails the call that used it; the next one makes a new connection. A `create` whose answer was lost may be
 * sent again: what was kept is then there already.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schema from "effect/Schema"
import type { Scope } from "effect/Scope"
import { type Job, type JobId, type JobSpec, JobStatus } from "../../domain/jobs/Job.ts"
import { accepted, isSame } from "../../domain/jobs/JobSteps.ts"
import { type Created, JobStore, type JobStoreError } from "../../services/JobStore.ts"
import * as JobRow from "./JobRow.ts"
import { openError } from "./PostgresErrors.ts"
import * as PostgresInstance from "./PostgresInstance.ts"
import * as PostgresSession from "./PostgresSession.ts"
import * as Statements from "./PostgresStatements.ts"
import { migrate } from "./PostgresTables.ts"

export interface PostgresJobStoreOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: Redacted.Redacted<string>
  /** The name under which this process holds jobs; unique among those that share the database. */
  readonly instance: string
  /** Beside the one that holds the name. Default: 5. */
  readonly maxConnections?: number | undefined
  /** Longest a call takes: a server that is gone without a word would be waited for without end. Default: 30 s. */
  readonly timeoutMs?: number | undefined
}

/** A request may have many megabytes; the driver's own limit of 16 MiB would make a long one unreadable. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024

const TIMEOUT_MS = 30_000

const PURGED_AT_ONCE = 1000

/** Sorts after every id. */
const AFTER_ALL = "~"

type Row = Readonly<Record<string, unknown>>
type Held = { readonly id: JobId; readonly run: number }

/** The table has one row. */
const decodePending = Schema.decodeUnknownEffect(Schema.Tuple([Schema.Struct({ pending: Schema.Int })]))

export const make = (options: PostgresJobStoreOptions): Effect.Effect<JobStore["Service"], JobStoreError, Scope> =>
  Effect.gen(function* () {
    const { instance, timeoutMs = TIMEOUT_MS } = options
    const connection = {
      url: options.url,
      maxMessageSize: MAX_MESSAGE_BYTES,
      connectTimeout: "5 seconds",
      keepAlive: "10 seconds",
      applicationName: "genai-dispatcher"
    } as const
    const sql = yield* PgClient.make({ ...connection, maxConnections: options.maxConnections ?? 5 }).pipe(
      Effect.provideServiceEffect(Reactivity.Reactivity, Reactivity.make),
      Effect.mapError(openError(options.url))
    )
    const within = PostgresSession.within(timeoutMs)
    const say = (statement: string, ...values: ReadonlyArray<unknown>) => sql.unsafe<Row>(statement, values)
    const rows = (statement: string, ...values: ReadonlyArray<unknown>) => within(say(statement, ...values))

    yield* PostgresSession.within(timeoutMs, openError(options.url))(migrate(sql))
    yield* PostgresInstance.hold({ connection, instance, timeoutMs })

    const create = (specs: ReadonlyArray<JobSpec>, maxPending: number) =>
      Effect.gen(function* () {
        const [{ pending }] = yield* Effect.orDie(decodePending(yield* say(Statements.pending)))
        const keyed = specs.filter((spec) => spec.idempotencyKey !== undefined)
        const known = yield* say(
          Statements.known,
          texts(specs.map(({ id }) => id)),
          texts(keyed.map(({ owner }) => owner)),
          texts(keyed.map(JobRow.keyText))
        )
        const { answers, made } = decide(specs, yield* JobRow.decodeAll(known), pending, maxPending)
        if (made.length > 0) {
          const jobs = made.map(accepted)
          yield* say(
            Statements.insert,
            texts(made.map(({ id }) => id)),
            texts(made.map(({ owner }) => owner)),
            texts(made.map(JobRow.keyText)),
            texts(made.map(({ requestHash }) => requestHash)),
            texts(made.map(JobRow.requestText)),
            texts(jobs.map(({ status }) => status)),
            texts(jobs.map(({ webhook }) => webhook?.status ?? null)),
            times(jobs.map(({ webhook }) => webhook?.nextAtMs ?? null)),
            texts(made.map(JobRow.aboutText))
          )
        }
        return answers
      })

    return {
      create: (specs, { maxPending }) =>
        specs.length === 0 ? Effect.succeed([]) : within(PostgresSession.transaction(sql, create(specs, maxPending))),

      get: (id) => Effect.flatMap(rows(Statements.get, id), readFirst),

      list: ({ before = AFTER_ALL, limit, owner, status }) =>
        Effect.flatMap(
          owner === undefined
            ? rows(Statements.list, before, limit, status ?? null)
            : status === undefined
              ? rows(Statements.listOwner, before, limit, owner)
              : rows(Statements.listOwnerStatus, before, limit, owner, status),
          readable
        ),

      count: Effect.map(rows(Statements.count), (counted) => {
        const counts: Record<JobStatus, number> = { Pending: 0, Running: 0, Completed: 0, Failed: 0, Cancelled: 0 }
        for (const row of counted) {
          const status = JobStatus.literals.find((name) => name === row["status"])
          if (status !== undefined) counts[status] = Number(row["jobs"])
        }
        return counts
      }),

      claim: ({ leaseUntilMs, limit, nowMs }) =>
        rows(Statements.claim, limit, instance, time(leaseUntilMs), time(nowMs)).pipe(
          // Outside of its transaction, which most claims do not need: until it is done, the lease holds what cannot be read.
          Effect.flatMap((claimed) =>
            readableOr((ids) => rows(Statements.giveUp, ids, JobRow.unreadableOutcome(), time(nowMs)))(
              JobRow.claims([...claimed].sort(byId))
            )
          )
        ),

      renew: (claims, leaseUntilMs) =>
        claims.length === 0
          ? Effect.succeed([])
          : Effect.map(rows(Statements.renew, ...columnsOf(claims), time(leaseUntilMs)), (kept) => {
              const held = new Set(kept.map((row) => `${row["id"]} ${row["runs"]}`))
              return claims.filter(({ id, run }) => !held.has(`${id} ${run}`)).map(({ id }) => id)
            }),

      end: (ends) => {
        if (ends.length === 0) return Effect.succeed([])
        // One claim may be named twice; only the first can end its job.
        const first = [...new Map([...ends].reverse().map((each) => [`${each.id} ${each.run}`, each])).values()]
        return Effect.map(
          rows(
            Statements.end,
            ...columnsOf(first),
            texts(first.map(({ outcome }) => outcome.status)),
            texts(first.map(({ outcome }) => JobRow.outcomeText(outcome))),
            times(first.map(({ nowMs }) => nowMs))
          ),
          (done) => {
            const ended = new Map(done.map((row) => [String(row["id"]), row["runs"]]))
            return ends.map(({ id, run }) => {
              const isEnd = ended.get(id) === run
              if (isEnd) ended.delete(id)
              return isEnd
            })
          }
        )
      },

      release: (claims) =>
        claims.length === 0 ? Effect.void : Effect.asVoid(rows(Statements.release, ...columnsOf(claims))),

      cancel: (id, nowMs) =>
        Effect.gen(function* () {
          const cancelled = yield* Effect.flatMap(rows(Statements.cancel, id, time(nowMs)), readFirst)
          if (Option.isSome(cancelled)) return Option.some({ job: cancelled.value, cancelled: true })
          const job = yield* Effect.flatMap(rows(Statements.get, id), readFirst)
          return Option.map(job, (job) => ({ job, cancelled: false }))
        }),

      recover: ({ nowMs, own }) =>
        Effect.map(rows(Statements.recover, time(nowMs), own, instance), (back) => back.length),

      purge: (endedBeforeMs) =>
        Effect.gen(function* () {
          let total = 0
          while (true) {
            const { length } = yield* rows(Statements.purge, time(endedBeforeMs), PURGED_AT_ONCE)
            total += length
            if (length < PURGED_AT_ONCE) return total
          }
        }),

      dueWebhooks: ({ limit, nowMs, retryAtMs }) =>
        Effect.flatMap(rows(Statements.due, time(nowMs), limit, time(retryAtMs)), (due) =>
          readableOr((ids) => rows(Statements.giveUpWebhooks, ids))(
            JobRow.jobs([...due].sort((a, b) => Number(a["due_at"]) - Number(b["due_at"]) || byId(a, b)))
          )
        ),

      check: Effect.asVoid(rows(Statements.check)),

      setWebhook: (id, { attempts, nextAtMs, status }) =>
        Effect.asVoid(rows(Statements.setWebhook, id, status, attempts, time(nextAtMs)))
    }
  })

export const layer = (options: PostgresJobStoreOptions): Layer.Layer<JobStore, JobStoreError> =>
  Layer.effect(JobStore, make(options))

/** What becomes of each new job, given those that are kept; jobs of one batch see those before them. */
const decide = (specs: ReadonlyArray<JobSpec>, known: ReadonlyArray<Job>, pending: number, maxPending: number) => {
  const byIdOf = new Map<string, Job>()
  const byKey = new Map<string, Job>()
  const made: Array<JobSpec> = []
  const keep = (job: Job) => {
    byIdOf.set(job.id, job)
    const key = keyOf(job)
    if (key !== undefined) byKey.set(key, job)
  }
  for (const job of known) keep(job)
  const answers = specs.map((spec): Created => {
    const key = keyOf(spec)
    const job = byIdOf.get(spec.id) ?? (key === undefined ? undefined : byKey.get(key))
    if (job !== undefined) return { _tag: isSame(job, spec) ? "Existing" : "Conflict", job }
    if (pending + made.length >= maxPending) return { _tag: "Full", pending: pending + made.length }
    made.push(spec)
    const created = accepted(spec)
    keep(created)
    return { _tag: "Created", job: created }
  })
  return { answers, made }
}

const keyOf = (spec: Pick<JobSpec, "idempotencyKey" | "owner">): string | undefined =>
  spec.idempotencyKey === undefined ? undefined : JSON.stringify([spec.owner, spec.idempotencyKey])

const readFirst = (rows: ReadonlyArray<Row>): Effect.Effect<Option.Option<Job>, JobStoreError> =>
  rows.length === 0 ? Effect.succeedNone : Effect.asSome(JobRow.decode(rows[0]))

/** What can be read. The rest is given up; when that fails it comes again, and what can be read goes on meanwhile. */
const readableOr =
  (giveUp: (ids: PgTypes.Parameter) => Effect.Effect<unknown, JobStoreError>) =>
  <A>({ bad, good }: JobRow.Partition<A, Row>): Effect.Effect<ReadonlyArray<A>> => {
    if (bad.length === 0) return Effect.succeed(good)
    const ids = bad.map((row) => String(row["id"]))
    return giveUp(texts(ids)).pipe(
      Effect.catch((error) => Effect.logWarning(`Jobs that cannot be read are not failed yet: ${error.message}`)),
      Effect.andThen(JobRow.tellOf(ids)),
      Effect.as(good)
    )
  }

/** One that cannot be read must not hide the others. */
const readable = (rows: ReadonlyArray<Row>) => readableOr(() => Effect.void)(JobRow.jobs(rows))

const columnsOf = (claims: ReadonlyArray<Held>) =>
  [
    texts(claims.map(({ id }) => id)),
    list(
      PgTypes.OID.int4Array,
      claims.map(({ run }) => run)
    )
  ] as const

// With their types: the driver guesses them from the values, and cannot when all are null, or some are whole numbers.
const list = (oid: number, value: ReadonlyArray<string | number | null>): PgTypes.Parameter => ({
  [PgTypes.ParameterTypeId]: PgTypes.ParameterTypeId,
  oid,
  value
})
const texts = (values: ReadonlyArray<string | null>) => list(PgTypes.OID.textArray, values)
const times = (values: ReadonlyArray<number | null>) => list(PgTypes.OID.float8Array, values)
const time = PgTypes.float8

const byId = (a: { readonly id?: unknown }, b: { readonly id?: unknown }): number =>
  String(a.id) < String(b.id) ? -1 : 1
