/**
 * What a store of jobs says to Postgres.
 *
 * Rows are locked in the order of their ids, or passed over when they are locked, and the number of pending jobs after
 * them: no two instances wait for each other.
 */
import { JobStatus } from "../../domain/jobs/Job.ts"
import { COLUMNS, MOST_BYTES } from "./JobRow.ts"

const JOB = [
  ...["id", "owner", "idempotency_key", "request_hash", ...COLUMNS].map((name) => `jobs.${name}`),
  "coalesce(jobs.about, jobs.spec) AS about"
].join(", ")
const SELECT = `SELECT ${JOB} FROM genai_jobs AS jobs`

/** The claims of $1 (ids) and $2 (runs) that still hold. */
const HELD = `held AS (
  SELECT jobs.id FROM genai_jobs AS jobs
  JOIN unnest($1::text[], $2::int4[]) AS claim (id, run) ON jobs.id = claim.id AND jobs.runs = claim.run
  WHERE jobs.status = 'Running' ORDER BY jobs.id FOR UPDATE OF jobs
)`

const FEWER = `fewer AS (
  UPDATE genai_jobs_pending SET pending = pending - (SELECT count(*) FROM done)::int4 WHERE EXISTS (SELECT 1 FROM done)
)`

const GIVE_BACK = "status = 'Pending', instance = NULL, lease_until = NULL, started_at = NULL"

const webhookFrom = (time: string): string =>
  `webhook_next_at = CASE WHEN webhook_status IS NULL THEN NULL ELSE ${time} END`

/** The latest jobs of an owner in one status: $1 before which, $2 how many, $3 the owner. */
const latest = (status: string): string =>
  `(${SELECT} WHERE jobs.owner = $3 AND jobs.status = ${status} AND jobs.id < $1 ORDER BY jobs.id DESC LIMIT $2)`

export const get = `${SELECT} WHERE jobs.id = $1`

export const known = `${SELECT} WHERE jobs.id = ANY ($1::text[])
  UNION ALL
  ${SELECT} JOIN unnest($2::text[], $3::text[]) AS asked (owner, key)
    ON jobs.owner = asked.owner AND jobs.idempotency_key = asked.key`

export const pending = "SELECT pending FROM genai_jobs_pending FOR UPDATE"

export const insert = `WITH made AS (
    INSERT INTO genai_jobs
      (id, owner, idempotency_key, request_hash, spec, status, webhook_status, webhook_next_at, about)
    SELECT * FROM unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[],
      $9::text[]
    )
    RETURNING 1
  )
  UPDATE genai_jobs_pending SET pending = pending + (SELECT count(*) FROM made)::int4`

export const list = `${SELECT} WHERE jobs.id < $1 AND ($3::text IS NULL OR jobs.status = $3)
  ORDER BY jobs.id DESC LIMIT $2`

/** The index of owners has the status before the id: the latest of all are the latest of the latest of each. */
export const listOwner = `${JobStatus.literals.map((status) => latest(`'${status}'`)).join(" UNION ALL ")}
  ORDER BY id DESC LIMIT $2`

export const listOwnerStatus = latest("$4")

export const count = "SELECT status, count(*)::int4 AS jobs FROM genai_jobs GROUP BY status"

export const claim = `WITH next AS (
    SELECT id, octet_length(spec) AS size FROM genai_jobs
    WHERE status = 'Pending' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
  ), short AS (
    SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY id) - size AS bytes FROM next) AS sums WHERE bytes < ${MOST_BYTES}
  )
  UPDATE genai_jobs AS jobs
  SET status = 'Running', runs = runs + 1, instance = $2, lease_until = $3, started_at = $4
  FROM short WHERE jobs.id = short.id RETURNING ${JOB}, jobs.spec`

export const renew = `WITH ${HELD}
  UPDATE genai_jobs AS jobs SET lease_until = $3 FROM held WHERE jobs.id = held.id RETURNING jobs.id, jobs.runs`

export const end = `WITH ${HELD}, done AS (
    UPDATE genai_jobs AS jobs
    SET status = ends.status, outcome = ends.outcome, ended_at = ends.ended_at, ${webhookFrom("ends.ended_at")}
    FROM held JOIN unnest($1::text[], $2::int4[], $3::text[], $4::text[], $5::float8[])
      AS ends (id, run, status, outcome, ended_at) ON held.id = ends.id
    WHERE jobs.id = held.id AND jobs.runs = ends.run RETURNING jobs.id, jobs.runs
  ), ${FEWER}
  SELECT id, runs FROM done`

/** Ends jobs that cannot be read: $1 ids, $2 outcome, $3 when. */
export const giveUp = `WITH done AS (
    UPDATE genai_jobs SET status = 'Failed', outcome = $2, ended_at = $3, ${webhookFrom("$3")}
    WHERE id = ANY ($1::text[]) AND status = 'Running' RETURNING id
  ), ${FEWER}
  SELECT id FROM done`

export const giveUpWebhooks = "UPDATE genai_jobs SET webhook_status = 'failed' WHERE id = ANY ($1::text[])"

export const cancel = `WITH done AS (
    UPDATE genai_jobs AS jobs SET status = 'Cancelled', ended_at = $2, ${webhookFrom("$2")}
    WHERE jobs.id = $1 AND jobs.status IN ('Pending', 'Running') RETURNING ${JOB}
  ), ${FEWER}
  SELECT * FROM done`

export const release = `WITH ${HELD}
  UPDATE genai_jobs AS jobs SET ${GIVE_BACK} FROM held WHERE jobs.id = held.id`

export const recover = `WITH lost AS (
    SELECT id FROM genai_jobs WHERE status = 'Running' AND (lease_until <= $1 OR ($2::bool AND instance = $3))
    ORDER BY id FOR UPDATE SKIP LOCKED
  )
  UPDATE genai_jobs AS jobs SET ${GIVE_BACK} FROM lost WHERE jobs.id = lost.id RETURNING jobs.id`

export const purge = `DELETE FROM genai_jobs WHERE id IN (
    SELECT id FROM genai_jobs
    WHERE ended_at IS NOT NULL AND webhook_status IS DISTINCT FROM 'pending' AND ended_at < $1
    LIMIT $2 FOR UPDATE SKIP LOCKED
  ) RETURNING id`

export const due = `WITH due AS (
    SELECT id, webhook_next_at AS due_at FROM genai_jobs
    WHERE ended_at IS NOT NULL AND webhook_status = 'pending' AND webhook_next_at <= $1
    ORDER BY webhook_next_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  UPDATE genai_jobs AS jobs SET webhook_next_at = $3 FROM due WHERE jobs.id = due.id RETURNING ${JOB}, due.due_at`

export const check = "UPDATE genai_jobs_pending SET pending = pending"

export const setWebhook = `UPDATE genai_jobs SET webhook_status = $2, webhook_attempts = $3, webhook_next_at = $4
  WHERE id = $1 AND webhook_status IS NOT NULL`
