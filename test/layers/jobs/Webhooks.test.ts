import { createHmac } from "node:crypto"
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, Result, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { type Job, JobId, type JobSpec } from "../../../src/domain/jobs/Job.ts"
import { jobResult } from "../../../src/domain/jobs/JobAnswers.ts"
import { isPublicAddress } from "../../../src/domain/jobs/PublicAddress.ts"
import { webhookTarget } from "../../../src/domain/jobs/WebhookTarget.ts"
import * as MemoryJobStore from "../../../src/layers/jobs/MemoryJobStore.ts"
import * as Webhooks from "../../../src/layers/jobs/Webhooks.ts"
import { JobStore } from "../../../src/services/JobStore.ts"
import { answer, request } from "./JobsHarness.ts"

interface Call {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver on this machine that answers as it is told. */
const receiver = (
  answerTo: (call: number) => Parameters<RequestListener>[1] extends infer R ? (response: R) => void : never
) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly calls: Array<Call>; readonly close: () => void }>((resume) => {
      const calls: Array<Call> = []
      const server = createServer((incoming, response) => {
        let body = ""
        incoming.setEncoding("utf8").on("data", (chunk: string) => {
          body += chunk
        })
        incoming.on("end", () => {
          calls.push({ headers: incoming.headers, body })
          answerTo(calls.length)(response)
        })
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            port: (server.address() as AddressInfo).port,
            calls,
            close: () => {
              server.closeAllConnections()
              server.close()
            }
          })
        )
      )
    }),
    ({ close }) => Effect.sync(close)
  )

const id = JobId.make("019e0000-0000-7000-8000-000000000001")
const secret = `whsec_${Buffer.from("a secret of some length").toString("base64")}`

/** Makes a job that has ended, and whose webhook is due. */
const endJob = Effect.fnUntraced(function* (store: JobStore["Service"], id: JobId, webhookUrl: string) {
  const spec: JobSpec = {
    id,
    owner: "",
    request: request("x"),
    stream: false,
    requestHash: "",
    webhookUrl,
    createdAtMs: 0
  }
  yield* store.create([spec], { maxPending: 10 })
  const [claim] = yield* store.claim({ limit: 1, nowMs: 0, leaseUntilMs: 1 })
  const outcome = { status: "Completed", result: jobResult(answer("hello")) } as const
  yield* store.end([{ id, run: claim!.run, outcome, nowMs: 0 }])
})

const storeWith = Effect.fnUntraced(function* (webhookUrl: string) {
  const store = MemoryJobStore.make("one")
  yield* endJob(store, id, webhookUrl)
  return store
})

const start = (store: JobStore["Service"], options: { allowPrivate?: boolean; resolve?: Webhooks.Resolve } = {}) =>
  Webhooks.make(
    { secret: Redacted.make(secret), allowPrivate: options.allowPrivate ?? true, maxAttempts: 3 },
    options.resolve
  ).pipe(Effect.provideService(JobStore, store))

/** The job's webhook, once it has been tried so often. */
const tried = (store: JobStore["Service"], attempts: number, of = id) =>
  Effect.map(store.get(of), (job) => Option.getOrThrow(job)).pipe(
    Effect.filterOrFail((job: Job) => (job.webhook?.attempts ?? 0) >= attempts),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.map(({ webhook }) => webhook!),
    TestClock.withLive
  )

describe("webhooks", () => {
  it.effect("are told the job, signed so that the receiver can check it", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver(() => (response) => response.writeHead(204).end())
      const store = yield* storeWith(`http://127.0.0.1:${port}/hook?a=b`)
      yield* start(store)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* tried(store, 1)).status, "delivered")
      const { body, headers } = calls[0]!
      const told = JSON.parse(body)
      assert.strictEqual(told.job_id, id)
      assert.strictEqual(told.status, "Completed")
      assert.strictEqual(told.result.text, "hello")
      const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`
      const key = Buffer.from(secret.slice("whsec_".length), "base64")
      assert.strictEqual(
        headers["webhook-signature"],
        `v1,${createHmac("sha256", key).update(signed).digest("base64")}`
      )
    })
  )

  it.effect("do not wait for each other: a receiver that does not answer holds up only its own", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver((call) => (response) => {
        if (call > 1) response.writeHead(204).end()
      })
      const url = `http://127.0.0.1:${port}/`
      const store = yield* storeWith(url)
      yield* start(store)
      yield* TestClock.adjust("1 second")
      yield* TestClock.withLive(
        Effect.repeat(
          Effect.sync(() => calls.length),
          { until: (count) => count === 1, schedule: Schedule.spaced("5 millis") }
        )
      )
      const other = JobId.make("019e0000-0000-7000-8000-000000000002")
      yield* endJob(store, other, url)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* tried(store, 1, other)).status, "delivered")
      assert.strictEqual((yield* Effect.map(store.get(id), Option.getOrThrow)).webhook?.attempts, 0)
    })
  )

  it.effect("are tried again with longer and longer pauses, with the same id, until they are given up", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver(() => (response) => response.writeHead(500).end("x".repeat(100_000)))
      const store = yield* storeWith(`http://127.0.0.1:${port}/`)
      yield* start(store)
      yield* TestClock.adjust("1 second")
      const first = yield* tried(store, 1)
      assert.strictEqual(first.status, "pending")
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(calls.length, 1)
      yield* TestClock.adjust("3 seconds")
      const second = yield* tried(store, 2)
      assert.isAtLeast(second.nextAtMs - first.nextAtMs, 30_000)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual((yield* tried(store, 3)).status, "failed")
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(calls.length, 3)
      assert.strictEqual(new Set(calls.map(({ headers }) => headers["webhook-id"])).size, 1)
    })
  )

  it.effect("follow no redirects, and stop when the receiver is gone", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver((call) => (response) => {
        if (call === 1) response.writeHead(302, { location: "/elsewhere" }).end()
        else response.writeHead(410).end()
      })
      const store = yield* storeWith(`http://127.0.0.1:${port}/`)
      yield* start(store)
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* tried(store, 1)).status, "pending")
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual((yield* tried(store, 2)).status, "failed")
      assert.strictEqual(calls.length, 2)
    })
  )

  it.effect("reach those who answer while one receiver is silent, and that one by few at a time", () =>
    Effect.gen(function* () {
      const silent = yield* receiver(() => () => {})
      const good = yield* receiver(() => (response) => response.writeHead(204).end())
      const store = MemoryJobStore.make("one")
      const idOf = (index: number) => JobId.make(`019e0000-0000-7000-8000-${String(index).padStart(12, "0")}`)
      for (let index = 0; index < 400; index++) yield* endJob(store, idOf(index), `http://127.0.0.1:${silent.port}/`)
      for (let index = 400; index < 420; index++) yield* endJob(store, idOf(index), `http://127.0.0.1:${good.port}/`)
      // The clock stands still: nothing times out.
      yield* start(store)
      for (let index = 400; index < 420; index++) {
        assert.strictEqual((yield* tried(store, 1, idOf(index))).status, "delivered")
      }
      assert.isAtMost(silent.calls.length, 8)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* tried(store, 1, idOf(0))).status, "pending")
      assert.strictEqual(good.calls.length, 20)
    })
  )

  it.effect("reach a receiver all, that is told of many", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver(() => (response) => response.writeHead(204).end())
      const store = MemoryJobStore.make("one")
      const idOf = (index: number) => JobId.make(`019e0000-0000-7000-8000-${String(index).padStart(12, "0")}`)
      for (let index = 0; index < 200; index++) yield* endJob(store, idOf(index), `http://127.0.0.1:${port}/`)
      yield* start(store)
      for (let index = 0; index < 200; index++) {
        assert.strictEqual((yield* tried(store, 1, idOf(index))).status, "delivered")
      }
      assert.strictEqual(calls.length, 200)
    })
  )

  it.effect("are not sent to a name that leads to this machine when the connection is made", () =>
    Effect.gen(function* () {
      const { calls, port } = yield* receiver(() => (response) => response.writeHead(204).end())
      const store = yield* storeWith(`http://hook.example:${port}/`)
      const asked: Array<string> = []
      yield* start(store, {
        allowPrivate: false,
        resolve: (hostname, _options, done) => {
          asked.push(hostname)
          done(null, [
            { address: "127.0.0.1", family: 4 },
            { address: "::1", family: 6 }
          ])
        }
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* tried(store, 1)).status, "pending")
      assert.deepStrictEqual(asked, ["hook.example"])
      assert.strictEqual(calls.length, 0)
    })
  )

  it("are refused where the address is private, however it is written", () => {
    const config = { secret: Redacted.make("x"), allowPrivate: false }
    for (const host of [
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f000001",
      "017700000001",
      "0.0.0.0",
      "10.1.2.3",
      "172.31.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.100.100.200",
      "168.63.129.16",
      "224.0.0.1",
      "255.255.255.255",
      "localhost",
      "localhost.",
      "a.localhost",
      "[::1]",
      "[::]",
      "[fe80::1]",
      "[fd00:ec2::254]",
      "[ff02::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:8.8.8.8]",
      "[64:ff9b::7f00:1]",
      "[2002:7f00:1::]"
    ]) {
      assert.isTrue(Result.isFailure(webhookTarget(`http://${host}/x`, config)), host)
    }
    for (const text of ["ftp://example.com/", "http://a:b@example.com/", "example.com", "", "http://"]) {
      assert.isTrue(Result.isFailure(webhookTarget(text, config)), text)
    }
    for (const text of ["https://example.com/hook", "http://8.8.8.8/", "http://[2606:4700::1111]/"]) {
      assert.isTrue(Result.isSuccess(webhookTarget(text, config)), text)
    }
    assert.isTrue(Result.isSuccess(webhookTarget("http://127.0.0.1/", { ...config, allowPrivate: true })))
    assert.isTrue(Result.isFailure(webhookTarget("http://8.8.8.8/", { allowPrivate: true, secret: undefined })))
    assert.isFalse(isPublicAddress("no address"))
  })
})
