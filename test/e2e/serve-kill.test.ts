/** Jobs that were accepted end, whatever happens to the process: kill -9, SIGTERM, and one of two that share a database. */
import { DatabaseSync } from "node:sqlite"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import { type PostgresServer, startPostgres } from "../layers/jobs/Postgres.ts"
import {
  type Running,
  sandboxStats,
  send,
  serviceBefore,
  startSandbox,
  startService,
  until
} from "../support/Service.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** How often to kill; `KILLS=20 npx vitest run test/e2e/serve-kill.test.ts` for more. */
const KILLS = Number(process.env["KILLS"] ?? 2)
const JOBS = 500
const CONCURRENCY = 32
/** About 50 ms each, so that there is a middle to be killed in. */
const SANDBOX = ["--latency", "uniform:20ms-80ms"]

interface Listed {
  readonly job_id: string
  readonly status: string
  readonly result?: { readonly text: string }
}

/** All jobs, page by page. */
const list = Effect.fnUntraced(function* (url: string) {
  const all: Array<Listed> = []
  for (let before = ""; ; ) {
    const { body } = yield* send(`${url}/jobs?limit=70${before === "" ? "" : `&before=${before}`}`)
    const page: { readonly jobs: ReadonlyArray<Listed>; readonly next?: string } = JSON.parse(body)
    all.push(...page.jobs)
    if (page.next === undefined) return all
    before = page.next
  }
})

/** Submits until it is accepted, under one key for all tries; `url` may change from one to the next. */
const submit = (url: () => string, index: number, accepted: Map<number, string>) =>
  Effect.tryPromise(async (signal) => {
    const response = await fetch(`${url()}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": `job-${index}` },
      body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: `Number ${index}` }] }] }),
      signal
    })
    assert.strictEqual(response.status, 202)
    const { job_id } = (await response.json()) as { readonly job_id: string }
    accepted.set(index, job_id)
  })

const submitAll = (url: () => string, accepted: Map<number, string>, times?: number) =>
  Effect.forEach(
    Array.from({ length: JOBS }).keys(),
    (index) =>
      Effect.retry(submit(url, index, accepted), {
        schedule: Schedule.spaced("50 millis"),
        ...(times === undefined ? {} : { times })
      }),
    { concurrency: 32, discard: true }
  )

const endpoint = { concurrency: CONCURRENCY }

const allCompleted = (url: string) =>
  until(
    Effect.gen(function* () {
      const { body } = yield* send(`${url}/jobs?status=Completed&limit=1000`)
      const page: { readonly jobs: ReadonlyArray<Listed> } = JSON.parse(body)
      if (page.jobs.length >= JOBS) return true
      yield* Effect.sleep("200 millis")
      return false
    })
  )

/** Each accepted job is there once, with its answer, and there are no others. */
const assertAllOnce = Effect.fnUntraced(function* (url: string, accepted: ReadonlyMap<number, string>) {
  const jobs = yield* list(url)
  assert.strictEqual(accepted.size, JOBS)
  assert.deepStrictEqual(jobs.map(({ job_id }) => job_id).sort(), [...accepted.values()].sort())
  for (const { result, status } of jobs) {
    assert.strictEqual(status, "Completed")
    assert.isAbove(result?.text.length ?? 0, 0)
  }
})

const end = Effect.fnUntraced(function* (service: Running, signal: NodeJS.Signals) {
  service.child.kill(signal)
  return yield* service.finished
})

/** What is in the file, once nobody has it open. */
const inFile = (file: string) => {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return {
      jobs: database.prepare("SELECT id, status, outcome, instance, idempotency_key FROM jobs").all(),
      requests: database.prepare("SELECT count(*) AS requests FROM requests").get()?.["requests"],
      check: database.prepare("PRAGMA integrity_check").get()?.["integrity_check"]
    }
  } finally {
    database.close()
  }
}

const assertFile = (file: string) => {
  const { check, jobs, requests } = inFile(file)
  assert.strictEqual(check, "ok")
  assert.strictEqual(jobs.length, JOBS)
  assert.strictEqual(requests, JOBS)
  assert.strictEqual(new Set(jobs.map(({ idempotency_key }) => idempotency_key)).size, JOBS)
  for (const job of jobs) {
    assert.strictEqual(job["status"], "Completed")
    assert.isAbove(JSON.parse(String(job["outcome"])).result.text.length, 0)
  }
}

describe("a service that is killed with SIGKILL", () => {
  it.live.each(Array.from({ length: KILLS }, (_, index) => index + 1))(
    "in the middle of 500 accepted jobs ends them all after a restart, none twice (%d)",
    () =>
      Effect.gen(function* () {
        const { again, folder, sandbox, service: first } = yield* serviceBefore(SANDBOX, { endpoint })
        const accepted = new Map<number, string>()
        yield* submitAll(() => first.url, accepted)
        // Between where the endpoint is when the last one is accepted, and shortly before the end.
        const { received } = yield* sandboxStats(sandbox)
        const killAt = received + Math.floor(Math.random() * Math.max(0, JOBS - 50 - received))
        yield* until(Effect.map(sandboxStats(sandbox), (stats) => stats.received >= killAt))
        assert.strictEqual((yield* end(first, "SIGKILL")).signal, "SIGKILL", "it was still running")

        const second = yield* again
        yield* allCompleted(second.url)
        yield* assertAllOnce(second.url, accepted)
        const ended = yield* end(second, "SIGTERM")
        assert.strictEqual(ended.code, 0, ended.stderr)
        assertFile(folder("genai-dispatcher.db"))
        // Those whose answer was not yet kept: what ran, and what was just being written.
        const sentAgain = (yield* sandboxStats(sandbox)).received - JOBS
        assert.isAtLeast(sentAgain, 0)
        assert.isAtMost(sentAgain, 3 * CONCURRENCY, "only what was under way at the kill was sent again")
      }),
    120_000
  )

  it.live.each(Array.from({ length: KILLS }, (_, index) => index + 1))(
    "again and again while jobs come in: clients that ask again under their keys get each done once (%d)",
    () =>
      Effect.gen(function* () {
        const { again, folder, service: first } = yield* serviceBefore(SANDBOX, { endpoint })
        let service = first
        const accepted = new Map<number, string>()
        const submitted = yield* Effect.forkChild(submitAll(() => service.url, accepted))
        for (let kill = 1; kill <= 3; kill++) {
          const killAt = kill * 100 + Math.floor(Math.random() * 50)
          yield* until(Effect.sync(() => accepted.size >= killAt))
          assert.strictEqual((yield* end(service, "SIGKILL")).signal, "SIGKILL")
          service = yield* again
        }
        yield* until(Effect.sync(() => submitted.pollUnsafe() !== undefined))
        yield* allCompleted(service.url)
        yield* assertAllOnce(service.url, accepted)
        assert.strictEqual((yield* end(service, "SIGTERM")).code, 0)
        assertFile(folder("genai-dispatcher.db"))
      }),
    120_000
  )
})

describe("a service that is told to stop in the middle of 500 jobs", () => {
  it.live(
    "exits with 0, leaves the rest as Pending, and the next start completes them",
    () =>
      Effect.gen(function* () {
        const options = { endpoint, args: ["--grace", "100ms"] }
        const { again, folder, sandbox, service: first } = yield* serviceBefore(["--latency", "fixed:300ms"], options)
        const accepted = new Map<number, string>()
        yield* submitAll(() => first.url, accepted)
        yield* until(Effect.map(sandboxStats(sandbox), (stats) => stats.received >= 100 && stats.inflight > 0))
        const ended = yield* end(first, "SIGTERM")
        assert.strictEqual(ended.code, 0, ended.stderr)
        const { jobs } = inFile(folder("genai-dispatcher.db"))
        const count = (status: string) => jobs.filter((job) => job["status"] === status).length
        assert.strictEqual(count("Completed") + count("Pending"), JOBS)
        assert.isAbove(count("Pending"), 0)
        assert.isAbove(count("Completed"), 0)
        assert.include(ended.stdout, `${count("Pending")} jobs left in genai-dispatcher.db for the next start`)

        const second = yield* again
        yield* allCompleted(second.url)
        yield* assertAllOnce(second.url, accepted)
        assert.strictEqual((yield* end(second, "SIGTERM")).code, 0)
        assertFile(folder("genai-dispatcher.db"))
      }),
    120_000
  )
})

let postgres: PostgresServer | string = "not started"

describe("two services that share a database", () => {
  beforeAll(async () => {
    postgres = await startPostgres()
  }, 120_000)
  afterAll(async () => {
    if (typeof postgres !== "string") await postgres.close()
  })

  it.live(
    "and one of them is killed: the other ends all jobs, none twice",
    (context) =>
      Effect.gen(function* () {
        if (typeof postgres === "string") return context.skip(`no Postgres here: ${postgres}`)
        const { database } = postgres
        const folder = yield* temporaryFolder
        const sandbox = yield* startSandbox(SANDBOX)
        const env = { DATABASE_URL: yield* Effect.promise(database) }
        const service = (instance: string) =>
          startService({
            folder,
            sandbox: sandbox.url,
            endpoint,
            env,
            name: `${instance}.json`,
            config: { server: { jobs: { store: "postgres", urlEnv: "DATABASE_URL", instance } } }
          })
        const [one, two] = yield* Effect.all([service("one"), service("two")], { concurrency: 2 })
        const accepted = new Map<number, string>()
        let turn = 0
        yield* submitAll(() => (turn++ % 2 === 0 ? one : two).url, accepted)
        const { received } = yield* sandboxStats(sandbox)
        const killAt = received + Math.floor(Math.random() * Math.max(0, JOBS - 100 - received))
        yield* until(Effect.map(sandboxStats(sandbox), (stats) => stats.received >= killAt))
        assert.strictEqual((yield* end(one, "SIGKILL")).signal, "SIGKILL")

        yield* allCompleted(two.url)
        yield* assertAllOnce(two.url, accepted)
        const ended = yield* end(two, "SIGTERM")
        assert.strictEqual(ended.code, 0, ended.stderr)
        assert.isAtMost((yield* sandboxStats(sandbox)).received - JOBS, 3 * CONCURRENCY)
      }),
    180_000
  )
})
