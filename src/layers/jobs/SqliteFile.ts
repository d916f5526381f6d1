/** A file of SQLite, opened for jobs: its tables, its lock, and what goes wrong with it in plain words. */
import { mkdirSync } from "node:fs"
import { hostname } from "node:os"
import { dirname } from "node:path"
import type { DatabaseSync } from "node:sqlite"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Scope } from "effect/Scope"
import { JobStoreError } from "../../services/JobStore.ts"
import * as SqliteAccess from "./SqliteAccess.ts"

export interface SqliteFileOptions {
  readonly file: string
  /**
   * Whether the file is this process's alone: another one that opens it is refused. `false` for processes that share it.
   * Default: true.
   */
  readonly lock?: boolean | undefined
  /**
   * What is safe once a call returns. `normal`: the end of the process, `kill -9` included; a power cut may lose the last
   * moments. `full`: a power cut too, at the price of a wait for the disk in each transaction. Default: `normal`.
   */
  readonly durability?: "normal" | "full" | undefined
}

/** How long a call waits for another process that writes. */
const BUSY_TIMEOUT_MS = 5000

/** SQLite's own waiting would stop this process with all that it does: it is asked again instead. */
const busyWaits = Schedule.min([Schedule.exponential("1 millis"), Schedule.spaced("20 millis")]).pipe(
  Schedule.jittered,
  Schedule.upTo({ duration: BUSY_TIMEOUT_MS })
)

/** Changes of the tables, oldest first; `user_version` says how many a file has had. Never change one that was released. */
const MIGRATIONS: ReadonlyArray<string> = [
  `
  -- What is asked stands apart: it does not change, so the steps of a job do not write it anew.
  CREATE TABLE requests (seq INTEGER PRIMARY KEY, spec TEXT NOT NULL);
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    idempotency_key TEXT,
    request_hash TEXT NOT NULL,
    status TEXT NOT NULL,
    runs INTEGER NOT NULL DEFAULT 0,
    instance TEXT,
    lease_until REAL,
    started_at REAL,
    ended_at REAL,
    outcome TEXT,
    webhook_status TEXT,
    webhook_attempts INTEGER NOT NULL DEFAULT 0,
    webhook_next_at REAL
  );
  CREATE UNIQUE INDEX jobs_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_owner ON jobs (owner, status, id);
  CREATE INDEX jobs_pending ON jobs (id) WHERE status = 'Pending';
  CREATE INDEX jobs_running ON jobs (id) WHERE status = 'Running';
  CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL AND webhook_status IS NOT 'pending';
  CREATE INDEX jobs_webhook ON jobs (webhook_next_at, id) WHERE ended_at IS NOT NULL AND webhook_status = 'pending';

  CREATE TABLE counts (status TEXT PRIMARY KEY, jobs INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO counts VALUES ('Pending', 0), ('Running', 0), ('Completed', 0), ('Failed', 0), ('Cancelled', 0);
  CREATE TRIGGER jobs_added AFTER INSERT ON jobs BEGIN
    UPDATE counts SET jobs = jobs + 1 WHERE status = new.status;
  END;
  CREATE TRIGGER jobs_moved AFTER UPDATE OF status ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status;
    UPDATE counts SET jobs = jobs + 1 WHERE status = new.status;
  END;
  CREATE TRIGGER jobs_gone AFTER DELETE ON jobs BEGIN
    UPDATE counts SET jobs = jobs - 1 WHERE status = old.status;
    DELETE FROM requests WHERE seq = old.seq;
  END;

  -- Who has the file for itself, for the message to others.
  CREATE TABLE holder (one INTEGER PRIMARY KEY CHECK (one = 1), pid INTEGER NOT NULL, host TEXT NOT NULL);
  `,
  // Null in jobs of before: then it is part of what their requests keep.
  "ALTER TABLE jobs ADD COLUMN about TEXT"
]

/** Opens the file, made if there is none, until the scope closes. */
export const open = (options: SqliteFileOptions): Effect.Effect<DatabaseSync, JobStoreError, Scope> =>
  Effect.gen(function* () {
    const { file } = options
    const { DatabaseSync } = yield* attempt(file, loadSqlite)
    yield* attempt(file, () => mkdirSync(dirname(file), { recursive: true }))
    const refusal = yield* attempt(file, () => SqliteAccess.refusal(file))
    if (refusal !== undefined) return yield* failure(file, refusal, true)
    const connect = (path: string) =>
      Effect.acquireRelease(
        attempt(file, () => new DatabaseSync(path, { timeout: 0 })),
        (database) => Effect.sync(() => database.close())
      )
    const exclusive = options.lock ?? true
    const holdsIt = exclusive ? yield* take(file, yield* connect(`${file}.lock`)) : true
    const database = yield* connect(file)
    if (!holdsIt) return yield* heldBy(file, database)
    yield* attempt(file, () => prepare(database, options.durability ?? "normal"))
    yield* migrate(file, database)
    if (exclusive) {
      yield* attempt(file, () =>
        database.prepare("INSERT OR REPLACE INTO holder VALUES (1, ?, ?)").run(process.pid, hostname())
      )
    }
    return database
  })

const prepare = (database: DatabaseSync, durability: "normal" | "full"): void => {
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = ${durability === "full" ? "FULL" : "NORMAL"};
    PRAGMA foreign_keys = OFF;
  `)
}

/**
 * Takes the file for this process alone, by a lock of the system's on an empty file beside it. Unlike a name written into
 * a file, it is gone when its process is, however that ended, also in another container with another name for this machine.
 */
const take = (file: string, database: DatabaseSync): Effect.Effect<boolean, JobStoreError> =>
  attempt(file, () => {
    try {
      database.exec("BEGIN EXCLUSIVE")
      return true
    } catch (error) {
      if (errorNumber(error) === BUSY) return false
      throw error
    }
  })

const heldBy = (file: string, database: DatabaseSync): Effect.Effect<never, JobStoreError> =>
  Effect.suspend(() => {
    const who = holder(database)
    return new JobStoreError({
      message: `The jobs in ${file} are in use by another process${who}: end that one first, or name another file.`,
      isTransient: false
    })
  })

/** Words for the process that has the file; none when it has not said yet. */
const holder = (database: DatabaseSync): string => {
  try {
    const row = database.prepare("SELECT pid, host FROM holder").get()
    return row === undefined ? "" : ` (pid ${row["pid"]}${row["host"] === hostname() ? "" : ` on ${row["host"]}`})`
  } catch {
    // The other process is making the file just now: there is no such table yet.
    return ""
  }
}

const migrate = (file: string, database: DatabaseSync): Effect.Effect<void, JobStoreError> =>
  Effect.flatMap(
    attempt(file, () =>
      inTransaction(database, () => {
        const had = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0)
        for (const migration of MIGRATIONS.slice(had)) database.exec(migration)
        if (had < MIGRATIONS.length) database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`)
        return had
      })
    ),
    (had) =>
      had > MIGRATIONS.length
        ? new JobStoreError({
            message: `The jobs in ${file} were written by a later version of the service: use that one, or name another file.`,
            isTransient: false
          })
        : Effect.void
  )

/** All or nothing. Takes the right to write at the start: to want it later may fail, when another process wrote meanwhile. */
export const inTransaction = <A>(database: DatabaseSync, work: () => A): A => {
  database.exec("BEGIN IMMEDIATE")
  try {
    const result = work()
    database.exec("COMMIT")
    return result
  } catch (error) {
    // A full disk has rolled back already.
    if (database.isTransaction) database.exec("ROLLBACK")
    throw error
  }
}

/** Done again while another process writes: what it has done by then is undone. */
export const attempt = <A>(file: string, work: () => A): Effect.Effect<A, JobStoreError> =>
  Effect.try({
    try: work,
    catch: (error) => ({ isBusy: errorNumber(error) === BUSY, error: storeError(file, error) })
  }).pipe(
    Effect.retry({ while: ({ isBusy }) => isBusy, schedule: busyWaits }),
    Effect.mapError(({ error }) => error)
  )

/** Loads SQLite without the warning with which older versions of Node announce it; every other warning passes. */
const loadSqlite = (): typeof import("node:sqlite") => {
  const emitWarning = process.emitWarning
  process.emitWarning = (...args: ReadonlyArray<unknown>) => {
    if (!String(args[0]).startsWith("SQLite is an experimental feature")) Reflect.apply(emitWarning, process, args)
  }
  try {
    return process.getBuiltinModule("node:sqlite")
  } finally {
    process.emitWarning = emitWarning
  }
}

// The primary result codes of https://www.sqlite.org/rescode.html, the low byte of what an error carries.
const BUSY = 5
const READONLY = 8
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

const errorNumber = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined

const storeError = (file: string, error: unknown): JobStoreError => failure(file, ...reasonOf(error))

/** `why` ends the sentence, and says the way out. */
export const failure = (file: string, why: string, isTransient: boolean): JobStoreError =>
  new JobStoreError({ message: `The jobs in ${file} ${why}`, isTransient })

const reasonOf = (error: unknown): readonly [why: string, isTransient: boolean] => {
  switch (errorNumber(error)) {
    case BUSY:
      return ["are being written by another process for too long: it will be tried again.", true]
    case FULL:
      return ["cannot be written: the disk is full. Make room.", true]
    case IO_ERROR:
      return ["cannot be read or written: look after the disk.", true]
    case READONLY:
      return ["may not be written by this user: change the permissions of the file and its folder.", true]
    case CANNOT_OPEN:
      return ["cannot be opened: check the folder and its permissions.", true]
    case CORRUPT:
      return ["are damaged: put back a copy of the file, or name another one.", false]
    case NOT_A_DATABASE:
      return ["cannot be read: the file is not one of SQLite. Name another one.", false]
    default: {
      const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : ""
      const text = error instanceof Error ? error.message : String(error)
      return [`cannot be used${code}: ${text}.`, false]
    }
  }
}
