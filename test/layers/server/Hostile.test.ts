import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import { ask, fakeClient, rawConnection, serve, start } from "./harness.ts"

/** Sends a request and breaks the connection with a reset at once. */
const sendAndReset = (port: number, bytes: string) =>
  Effect.callback<void>((resume) => {
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.once("connect", () => socket.write(bytes, () => socket.resetAndDestroy()))
    socket.once("close", () => resume(Effect.void))
  })

describe("nobody breaks the service", () => {
  it.live("clients that reset their connection after CONNECT or an upgrade are no uncaught exception", () =>
    Effect.gen(function* () {
      const uncaught: Array<unknown> = []
      const note = (error: unknown) => void uncaught.push(error)
      yield* Effect.acquireRelease(
        Effect.sync(() => process.on("uncaughtExceptionMonitor", note)),
        () => Effect.sync(() => process.off("uncaughtExceptionMonitor", note))
      )
      const { chat, port } = yield* start()
      for (const bytes of [
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        "GARBAGE\r\n\r\n"
      ]) {
        yield* Effect.forEach(Array.from({ length: 50 }), () => sendAndReset(port, bytes), { concurrency: "unbounded" })
      }
      assert.strictEqual((yield* chat(ask("Hello"))).status, 200)
      assert.deepEqual(uncaught, [])
    })
  )

  it.live("an endpoint may have any name: its header holds it percent-encoded", () =>
    Effect.gen(function* () {
      const { chat } = yield* start({}, { endpoint: { name: "東" } })
      for (const stream of [false, true]) {
        const answer = yield* chat(ask("Hello", { stream }))
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["x-endpoint"], "%E6%9D%B1")
      }
    })
  )

  it.live("an answer that cannot be told is a failure of its request, and of nothing else", () =>
    Effect.gen(function* () {
      const answer = { endpoint: "east", attempts: 1 } as GenAiAnswer
      Object.defineProperty(answer, "usage", {
        get: () => {
          throw new Error("SECRET")
        }
      })
      const { chat, records } = yield* serve(fakeClient({ generate: () => Effect.succeed(answer) }))
      for (let times = 0; times < 2; times++) {
        const told = yield* chat(ask("Hello"))
        assert.strictEqual(told.status, 500)
        assert.notInclude(told.body, "SECRET")
      }
      assert.deepEqual(
        records.map(({ problem }) => problem),
        ["Internal", "Internal"]
      )
    })
  )

  it.live("a model's name is no way out of the endpoint's path", () =>
    Effect.gen(function* () {
      const { chat, sandbox, send } = yield* start({}, { endpoint: { model: undefined } })
      for (const model of [
        "../../d1/database/ID/query",
        "a/./b",
        "a//b",
        "/a",
        "a/",
        "a\\b",
        "a?b",
        "a#b",
        "a%2e",
        "a\nb"
      ]) {
        assert.strictEqual((yield* chat({ ...ask("Hello"), model })).status, 400, model)
        const answer = yield* send("/submit", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ input: "Hello", model })
        })
        assert.strictEqual(answer.status, 400, model)
        const inPath = yield* send(`/v1beta/models/${encodeURIComponent(model)}:generateContent`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ contents: [{ parts: [{ text: "Hello" }] }] })
        })
        assert.strictEqual(inPath.status, 400, model)
      }
      assert.strictEqual((yield* sandbox.stats).received, 0)
    })
  )

  it.live("where no key is asked for, a request must name this machine as its host", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      const statusFor = Effect.fnUntraced(function* (host: string, path: string) {
        const connection = yield* rawConnection(port)
        yield* connection.send(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
        return Number(/^HTTP\/1\.1 (\d{3})/.exec(yield* connection.closed)?.[1])
      }, Effect.scoped)
      for (const path of ["/v1/models", "/metrics", "/jobs/x"]) {
        for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "", "localhost:x"]) {
          assert.strictEqual(yield* statusFor(host, path), 403, `${host} ${path}`)
        }
      }
      for (const host of ["localhost", "LOCALHOST:80", `127.0.0.1:${port}`, "127.1.2.3", "[::1]", "[::1]:8080"]) {
        assert.strictEqual(yield* statusFor(host, "/v1/models"), 200, host)
      }
      assert.strictEqual(yield* statusFor("evil.example", "/health/live"), 200)
    })
  )
})
