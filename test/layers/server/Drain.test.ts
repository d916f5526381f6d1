import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { ask, rawChat, rawConnection, start } from "./harness.ts"

const streamed = JSON.stringify(ask("Hello", { stream: true }))

describe("a service that drains", () => {
  it.live("refuses new work, is not ready, lets what runs finish, and then listens no more", () =>
    Effect.gen(function* () {
      const { port, records, sandbox, send, service, until } = yield* start({ chunkDelay: "20ms", streamChunks: 150 })
      const running = yield* rawConnection(port)
      yield* running.send(rawChat(streamed))
      yield* running.until(/data: /)
      const other = yield* rawConnection(port)
      yield* other.send("GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
      yield* other.until(/^HTTP\/1\.1 200 /)
      const draining = yield* Effect.forkChild(service.drain(60_000), { startImmediately: true })
      yield* other.closed
      const ready = yield* send("/health/ready")
      assert.strictEqual(ready.status, 503)
      const refused = yield* send("/v1/chat/completions", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(ask("Hello"))
      })
      assert.strictEqual(refused.status, 503)
      assert.strictEqual(refused.headers["connection"], "close")
      assert.strictEqual((yield* send("/health/live")).status, 200)
      assert.match(yield* running.closed, /\[DONE\]/)
      yield* Fiber.join(draining)
      assert.strictEqual((yield* sandbox.stats).aborted, 0)
      assert.strictEqual((yield* sandbox.stats).received, 1)
      yield* until(service.inflight, (inflight) => inflight === 0)
      assert.isTrue(records.every(({ isAborted }) => !isAborted))
      const exit = yield* Effect.exit(Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}/health/live`)))
      assert.strictEqual(exit._tag, "Failure")
    })
  )

  it.live("aborts what still runs after the grace time, and says so in the client's format", () =>
    Effect.gen(function* () {
      const { client, port, records, sandbox, service } = yield* start({ chunkDelay: "20ms", streamChunks: 10_000 })
      const stream = yield* rawConnection(port)
      yield* stream.send(rawChat(streamed))
      yield* stream.until(/data: /)
      yield* service.drain(50)
      const text = yield* stream.closed
      assert.match(text, /shutting down/)
      assert.notMatch(text, /\[DONE\]/)
      assert.deepInclude((yield* client.stats)[0], { inflight: 0, aborted: 1 })
      assert.strictEqual((yield* sandbox.stats).aborted, 1)
      assert.deepInclude(records[0], { problem: "Draining", isAborted: false })
    })
  )

  it.live("answers those that wait when the grace time ends", () =>
    Effect.gen(function* () {
      const { chat, sandbox, service, until } = yield* start({ latency: "fixed:60s" })
      const waiting = yield* Effect.forkChild(chat(ask("Hello")), { startImmediately: true })
      yield* until(sandbox.stats, (stats) => stats.inflight === 1)
      yield* service.drain(10)
      const answer = yield* Fiber.join(waiting)
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["connection"], "close")
      assert.strictEqual(yield* service.inflight, 0)
    })
  )

  it.live("answers those that wait on a route of its own too, and keeps their records", () =>
    Effect.gen(function* () {
      const { records, sandbox, send, service, until } = yield* start({ latency: "fixed:60s" })
      const submit = send("/submit", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input: "Hello" })
      })
      const waiting = yield* Effect.forkChild(submit, { startImmediately: true })
      yield* until(sandbox.stats, (stats) => stats.inflight === 1)
      yield* service.drain(10)
      const answer = yield* Fiber.join(waiting)
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.headers["connection"], "close")
      assert.strictEqual(answer.headers["content-type"], "application/problem+json")
      assert.include(answer.body, '"code":"Draining"')
      yield* until(sandbox.stats, (stats) => stats.aborted === 1)
      assert.deepInclude(records[0], { route: "submit", status: 503, problem: "Draining", isAborted: false })
      assert.strictEqual(yield* service.inflight, 0)
    })
  )

  it.live("answers those whose body is still on its way when the grace time ends", () =>
    Effect.gen(function* () {
      const { port, records, service, until } = yield* start()
      const answers: Array<string> = []
      for (const path of ["/v1/chat/completions", "/submit"]) {
        const slow = yield* rawConnection(port)
        yield* slow.send(
          `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{`
        )
        yield* Effect.forkScoped(
          Effect.map(slow.closed, (text) => {
            answers.push(text)
          })
        )
      }
      yield* until(service.inflight, (inflight) => inflight === 2)
      yield* service.drain(10)
      yield* until(
        Effect.sync(() => answers.length),
        (count) => count === 2
      )
      for (const answer of answers)
        assert.match(answer, /^HTTP\/1\.1 503 [\s\S]*connection: close\r\n[\s\S]*shutting down/)
      assert.deepStrictEqual(
        records.map(({ isAborted, problem, status }) => [status, problem, isAborted]),
        [
          [503, "Draining", false],
          [503, "Draining", false]
        ]
      )
    })
  )
})
