/** What a store of jobs says to SQLite. Each statement has an index that serves it. */
import type { DatabaseSync, StatementSync } from "node:sqlite"
import { JobStatus } from "../../domain/jobs/Job.ts"
import { COLUMNS, MOST_BYTES } from "./JobRow.ts"

const SPEC = "(SELECT spec FROM requests WHERE requests.seq = jobs.seq)"
const COLUMNS_OF_JOBS = `id, owner, request_hash, coalesce(about, ${SPEC}) AS about, ${COLUMNS.join(", ")}`
const JOBS = `SELECT ${COLUMNS_OF_JOBS} FROM jobs`

/** The latest jobs of an owner in one status: ?1 before which, ?2 how many, ?3 the owner. */
const latest = (status: string): string =>
  `SELECT * FROM (
    SELECT seq, id FROM jobs WHERE owner = ?3 AND status = ${status} AND id < ?1 ORDER BY id DESC LIMIT ?2
  )`

/** The index of owners has the status before the id: the latest of all are the latest of the latest of each. */
const listOwner = (statuses: ReadonlyArray<string>): string =>
  `${JOBS} WHERE seq IN (
    SELECT seq FROM (${statuses.map(latest).join(" UNION ALL ")}) ORDER BY id DESC LIMIT ?2
  ) ORDER BY jobs.id DESC`

/**
 * Those of some jobs, in this order, that stand before so many bytes of requests, and at least the first: a call must not block for
 * long. The lengths are read without the requests.
 */
const short = (jobs: string): string =>
  `SELECT seq FROM (
    SELECT seq, sum(octet_length(spec)) OVER (ROWS UNBOUNDED PRECEDING) - octet_length(spec) AS bytes
    FROM (${jobs}) JOIN requests USING (seq)
  ) WHERE bytes < ${MOST_BYTES}`

export const prepare = (database: DatabaseSync) => {
  const sql = (text: string): StatementSync => database.prepare(text)
  return {
    get: sql(`${JOBS} WHERE jobs.id = ?`),
    getByKey: sql(`${JOBS} WHERE jobs.owner = ? AND jobs.idempotency_key = ?`),
    getWithRequest: sql(`SELECT ${COLUMNS_OF_JOBS}, ${SPEC} AS spec FROM jobs WHERE id = ?`),
    insertRequest: sql("INSERT INTO requests (spec) VALUES (?)"),
    insert: sql(`
      INSERT INTO jobs (seq, id, owner, idempotency_key, request_hash, status, webhook_status, webhook_next_at, about)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
    list: sql(`${JOBS} WHERE jobs.id < ?1 AND (?2 IS NULL OR status = ?2) ORDER BY jobs.id DESC LIMIT ?3`),
    listOwner: sql(listOwner(JobStatus.literals.map((status) => `'${status}'`))),
    listOwnerStatus: sql(listOwner(["?4"])),
    count: sql("SELECT status, jobs FROM counts"),
    countPending: sql("SELECT sum(jobs) AS jobs FROM counts WHERE status IN ('Pending', 'Running')"),
    anyPending: sql("SELECT 1 FROM jobs WHERE status = 'Pending' LIMIT 1"),
    claim: sql(`
      UPDATE jobs SET status = 'Running', runs = runs + 1, instance = ?, lease_until = ?, started_at = ?
      WHERE status = 'Pending' AND seq IN (${short("SELECT seq FROM jobs WHERE status = 'Pending' ORDER BY id LIMIT ?")})
      RETURNING id`),
    giveUp: sql(`
      UPDATE jobs SET status = 'Failed', outcome = ?1, ended_at = ?2,
        webhook_next_at = CASE WHEN webhook_status IS NULL THEN NULL ELSE ?2 END
      WHERE id = ?3 AND status = 'Running'`),
    renew: sql("UPDATE jobs SET lease_until = ? WHERE id = ? AND status = 'Running' AND runs = ?"),
    end: sql(`
      UPDATE jobs SET status = ?1, outcome = ?2, ended_at = ?3,
        webhook_next_at = CASE WHEN webhook_status IS NULL THEN NULL ELSE ?3 END
      WHERE id = ?4 AND status = 'Running' AND runs = ?5`),
    cancel: sql(`
      UPDATE jobs SET status = 'Cancelled', ended_at = ?1,
        webhook_next_at = CASE WHEN webhook_status IS NULL THEN NULL ELSE ?1 END
      WHERE id = ?2 AND status IN ('Pending', 'Running')`),
    release: sql(`
      UPDATE jobs SET status = 'Pending', instance = NULL, lease_until = NULL, started_at = NULL
      WHERE id = ? AND status = 'Running' AND runs = ?`),
    recover: sql(`
      UPDATE jobs SET status = 'Pending', instance = NULL, lease_until = NULL, started_at = NULL
      WHERE status = 'Running' AND (lease_until <= ?1 OR (?2 AND instance = ?3))`),
    purge: sql(`
      DELETE FROM jobs WHERE seq IN (${short(
        "SELECT seq FROM jobs WHERE ended_at IS NOT NULL AND webhook_status IS NOT 'pending' AND ended_at < ? LIMIT ?"
      )})`),
    due: sql(`
      SELECT id FROM jobs WHERE ended_at IS NOT NULL AND webhook_status = 'pending' AND webhook_next_at <= ?
      ORDER BY webhook_next_at, id LIMIT ?`),
    deferWebhook: sql("UPDATE jobs SET webhook_next_at = ? WHERE id = ?"),
    giveUpWebhook: sql("UPDATE jobs SET webhook_status = 'failed' WHERE id = ?"),
    // No job has this number. As long as a request may be: where the disk is full there is often room for a page or two.
    check: sql("INSERT OR REPLACE INTO requests (seq, spec) VALUES (0, zeroblob(262144))"),
    checked: sql("DELETE FROM requests WHERE seq = 0"),
    setWebhook: sql(`
      UPDATE jobs SET webhook_status = ?, webhook_attempts = ?, webhook_next_at = ?
      WHERE id = ? AND webhook_status IS NOT NULL`)
  }
}
