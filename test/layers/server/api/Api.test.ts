import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { hashKey } from "../../../../src/domain/server/KeyRing.ts"
import { startApi } from "./harness.ts"

const every = Schedule.spaced("5 millis")

describe("jobs over HTTP", () => {
  it.live("accepts a job, answers it, and shows it in the list", () =>
    Effect.gen(function* () {
      const { post, send } = yield* startApi()
      const accepted = yield* post(
        "/generate",
        { contents: [{ role: "user", parts: [{ text: "hello" }] }] },
        { "x-session-id": "s1" }
      )
      assert.strictEqual(accepted.status, 202)
      const { job_id } = accepted.json()
      assert.strictEqual(accepted.headers.get("location"), `/jobs/${job_id}`)
      const events = yield* send(`/jobs/${job_id}/events`)
      assert.strictEqual(events.headers.get("content-type"), "text/event-stream")
      assert.match(events.text, /event: text\ndata: \{"text":"/)
      const done = (yield* send(`/jobs/${job_id}`)).json()
      assert.strictEqual(done.status, "Completed")
      assert.strictEqual(done.session, "s1")
      assert.strictEqual(done.result.endpoint, "east")
      assert.hasAllKeys(done.result.usage, ["input_tokens", "output_tokens", "total_tokens"])
      const { jobs, next } = (yield* send("/jobs?status=Completed&limit=1")).json()
      assert.deepStrictEqual(jobs, [done])
      assert.deepStrictEqual((yield* send(`/jobs?before=${next}`)).json(), { jobs: [] })
    }).pipe(Effect.scoped)
  )

  it.live("streams the text of a job piece by piece", () =>
    Effect.gen(function* () {
      const { post, send } = yield* startApi({ streamChunks: 5, chunkDelay: "20ms" })
      const { job_id } = (yield* post("/generate", { input: "hello", stream: true })).json()
      const { text } = yield* send(`/jobs/${job_id}/events`)
      const events = text.split("\n\n").filter((event) => event !== "")
      const pieces = events.filter((event) => event.startsWith("event: text"))
      assert.isAbove(pieces.length, 1)
      const whole = pieces.map((event) => JSON.parse(event.slice(event.indexOf("data: ") + 6)).text).join("")
      const last = events.at(-1)!
      assert.strictEqual(JSON.parse(last.slice(last.indexOf("data: ") + 6)).result.text, whole)
    }).pipe(Effect.scoped)
  )

  it.live("notes when the events of a job began, not only when they ended", () =>
    Effect.gen(function* () {
      const { post, records, send } = yield* startApi({ latency: "fixed:200ms" })
      const { job_id } = (yield* post("/generate", { input: "hello" })).json()
      const { text } = yield* send(`/jobs/${job_id}/events`)
      assert.include(text, "Completed")
      const ended = Effect.sync(() => records.find(({ isStreamed }) => isStreamed))
      const record = yield* Effect.repeat(ended, { until: (record) => record !== undefined, schedule: every })
      assert.isBelow(record?.firstByteMs ?? Number.NaN, record?.durationMs ?? Number.NaN)
    }).pipe(Effect.scoped)
  )

  it.live("cancels a job, which aborts it at the endpoint", () =>
    Effect.gen(function* () {
      const { post, sandbox, send } = yield* startApi({ latency: "fixed:60s" })
      const { job_id } = (yield* post("/generate", { input: "hello" })).json()
      yield* Effect.repeat(sandbox.stats, { until: ({ inflight }) => inflight === 1, schedule: every })
      assert.strictEqual((yield* send(`/jobs/${job_id}`, { method: "DELETE" })).json().status, "Cancelled")
      yield* Effect.repeat(sandbox.stats, { until: ({ inflight }) => inflight === 0, schedule: every })
      assert.strictEqual((yield* send(`/jobs/${job_id}`)).json().status, "Cancelled")
      assert.strictEqual((yield* send("/jobs/none", { method: "DELETE" })).status, 404)
    }).pipe(Effect.scoped)
  )

  it.live("gives the same job for the same Idempotency-Key", () =>
    Effect.gen(function* () {
      const { post } = yield* startApi()
      const key = { "idempotency-key": "k" }
      const first = yield* post("/generate", { input: "a" }, key)
      const second = yield* post("/generate", { input: "a" }, key)
      assert.strictEqual(second.json().job_id, first.json().job_id)
      const other = yield* post("/generate", { input: "b" }, key)
      assert.strictEqual(other.status, 409)
      assert.strictEqual(other.json().code, "idempotency_key_reused")
    }).pipe(Effect.scoped)
  )
})

describe("POST /submit", () => {
  it.live("waits for the answer", () =>
    Effect.gen(function* () {
      const { post } = yield* startApi()
      const { json, status } = yield* post("/submit", { messages: [{ role: "user", content: "hello" }], maxTokens: 5 })
      assert.strictEqual(status, 200)
      assert.strictEqual(json().endpoint, "east")
      assert.isString(json().text)
      assert.hasAllKeys(json().usage, ["input_tokens", "output_tokens", "total_tokens"])
    }).pipe(Effect.scoped)
  )

  it.live("aborts the call when the client goes", () =>
    Effect.gen(function* () {
      const { post, sandbox } = yield* startApi({ latency: "fixed:60s" })
      const client = yield* Effect.forkChild(post("/submit", { input: "x" }))
      yield* Effect.repeat(sandbox.stats, { until: ({ inflight }) => inflight === 1, schedule: every })
      yield* Fiber.interrupt(client)
      yield* Effect.repeat(sandbox.stats, { until: ({ inflight }) => inflight === 0, schedule: every })
    }).pipe(Effect.scoped)
  )
})

describe("problems", () => {
  it.live("name what is wrong with a request", () =>
    Effect.gen(function* () {
      const { post, send } = yield* startApi({}, { maxBodyBytes: 1_000 })
      for (const [body, status, field] of [
        ["{", 400, undefined],
        ["null", 400, undefined],
        [{}, 400, "input"],
        [{ input: 3 }, 400, "input"],
        [{ inputs: "x" }, 400, "inputs"],
        [{ input: "x", messages: [{ role: "user", content: "x" }] }, 400, "messages"],
        [{ messages: [{ role: "nobody", content: "x" }] }, 400, "messages[0].role"],
        [{ contents: [] }, 400, "contents"],
        [{ contents: [{ parts: "x" }] }, 400, "contents[0].parts"],
        [{ input: "x", maxTokens: 0 }, 400, "maxTokens"],
        [{ input: "x", webhook: "https://example.com/" }, 400, "webhook"],
        [{ input: "\ud800" }, 400, "input"],
        ["[".repeat(900), 400, undefined],
        [{ input: "x".repeat(2_000) }, 413, undefined]
      ] as const) {
        const reply = yield* post("/generate", body)
        assert.strictEqual(reply.status, status, JSON.stringify(body))
        assert.strictEqual(reply.headers.get("content-type"), "application/problem+json")
        const problem = reply.json()
        assert.strictEqual(problem.status, status)
        assert.strictEqual(problem.field, field, reply.text)
      }
      const form = yield* post("/generate", "a=b", { "content-type": "application/x-www-form-urlencoded" })
      assert.strictEqual(form.status, 415)
      assert.strictEqual((yield* send("/jobs?limit=0")).json().field, "limit")
      assert.strictEqual((yield* send("/jobs?status=Done")).json().field, "status")
      assert.strictEqual((yield* send("/jobs/none")).json().code, "job_not_found")
      assert.strictEqual((yield* post("/submit", { input: "x", webhook: "https://a.example" })).json().field, "webhook")
      assert.strictEqual((yield* send("/generate")).status, 405)
    }).pipe(Effect.scoped)
  )

  it.live("keep out those without a key, and show each only its own jobs", () =>
    Effect.gen(function* () {
      const key = (name: string) => ({ name, sha256: hashKey(name), requestsPerMinute: undefined, models: undefined })
      const limited = { ...key("limited"), requestsPerMinute: 1, models: new Set(["test-model"]) }
      const restricted = { ...key("restricted"), models: new Set(["test-model"]) }
      const { post, send } = yield* startApi({}, { apiKeys: [key("ann"), key("bob"), limited, restricted] })
      const as = (name: string) => ({ authorization: `Bearer ${name}` })
      for (const path of ["/jobs", "/metrics", "/metrics/prometheus"]) {
        assert.strictEqual((yield* send(path)).status, 401)
        assert.strictEqual((yield* send(path, { headers: { "x-api-key": "ann" } })).status, 200)
        // What a proxy before the service asks for is no business of ours.
        const proxied = { authorization: "Basic cHJveHk6cHJveHk=", "x-api-key": "ann" }
        assert.strictEqual((yield* send(path, { headers: proxied })).status, 200)
      }
      for (const path of ["/health/live", "/health/ready", "/openapi.json", "/docs"]) {
        assert.strictEqual((yield* send(path)).status, 200)
      }
      assert.strictEqual((yield* post("/generate", { input: "x" })).status, 401)
      const { job_id } = (yield* post("/generate", { input: "x" }, as("ann"))).json()
      assert.strictEqual((yield* send(`/jobs/${job_id}`, { headers: as("bob") })).status, 404)
      assert.strictEqual((yield* send(`/jobs/${job_id}`, { headers: as("ann") })).status, 200)
      const other = yield* post("/generate", { input: "x", model: "other" }, as("limited"))
      assert.strictEqual(other.status, 403)
      for (const path of ["/submit", "/generate"]) {
        const raw = { body: { model: "other" }, model: "test-model" }
        assert.strictEqual((yield* post(path, raw, as("restricted"))).status, 403)
        const extra = { input: "x", model: "test-model", extra: { model: "other" } }
        assert.strictEqual((yield* post(path, extra, as("restricted"))).status, 400)
      }
      const often = yield* post("/generate", { input: "x", model: "test-model" }, as("limited"))
      assert.strictEqual(often.status, 429)
      assert.isAbove(Number(often.headers.get("retry-after")), 0)
    }).pipe(Effect.scoped)
  )
})

describe("the OpenAPI document", () => {
  it.live("names the ways in which each route takes an API key, and no other", () =>
    Effect.gen(function* () {
      const ann = { name: "ann", sha256: hashKey("ann"), requestsPerMinute: undefined, models: undefined }
      const { send } = yield* startApi({}, { apiKeys: [ann] })
      const { components, paths } = (yield* send("/openapi.json")).json()
      const schemes: Record<string, Record<string, string>> = components.securitySchemes
      for (const path of Object.keys(paths)) {
        for (const method of Object.keys(paths[path])) {
          const named = new Set(paths[path][method].security.flatMap((one: object) => Object.keys(one)))
          // With Gemini's header /v1/models is Gemini's: that is not described, as all of its v1.
          if (path.startsWith("/v1/models")) named.add("googleKey")
          for (const [name, { in: place, name: at = "" }] of Object.entries(schemes)) {
            const headers =
              place === "header" ? { [at]: "ann" } : place === "query" ? {} : { authorization: "Bearer ann" }
            const target = path.replace(/\{\w+\}/, "some") + (place === "query" ? `?${at}=ann` : "")
            const { status } = yield* send(target, { method: method.toUpperCase(), headers })
            const isOpen = path.startsWith("/health/")
            assert.strictEqual(status !== 401, isOpen || named.has(name), `${method} ${target} by ${name}: ${status}`)
          }
        }
      }
    }).pipe(Effect.scoped)
  )
})

describe("health and figures", () => {
  it.live("list the workers, or all metrics to those who ask for text", () =>
    Effect.gen(function* () {
      const { post, send } = yield* startApi()
      yield* post("/submit", { input: "x" })
      const [worker] = (yield* send("/metrics", { headers: { accept: "application/json, text/plain, */*" } })).json()
      assert.include(worker, { worker_id: 0, inflight: 0, queue_len: 0, errors: 0, name: "east", completed: 1 })
      assert.isAbove(worker.capacity, 0)
      const scrape = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
      for (const reply of [
        yield* send("/metrics", { headers: { accept: scrape } }),
        yield* send("/metrics/prometheus")
      ]) {
        assert.strictEqual(reply.text, "up 1\n")
        assert.match(reply.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/)
      }
    }).pipe(Effect.scoped)
  )

  it.live("are ready while an endpoint is usable", () =>
    Effect.gen(function* () {
      const { send } = yield* startApi()
      const { json, status } = yield* send("/health/ready")
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(json(), { status: "ready", endpoints: [{ name: "east", state: "up", usable: true }] })
      const docs = yield* send("/docs")
      assert.notMatch(docs.text, /<(script|link)[^>]+(src|href)="?https?:/)
    }).pipe(Effect.scoped)
  )
})
