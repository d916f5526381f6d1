import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { hashKey } from "../../../src/domain/server/KeyRing.ts"
import { ask, rawChat, rawConnection, start } from "./harness.ts"

const body = JSON.stringify(ask("Hello"))
const head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

/** Sends the bytes and gives all that comes back until the service closes the connection. */
const exchange = Effect.fnUntraced(function* (port: number, bytes: string | Buffer) {
  const connection = yield* rawConnection(port)
  yield* connection.send(bytes)
  return yield* connection.closed
}, Effect.scoped)

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])

describe("what is no proper request", () => {
  it.live("is answered with a client's error, and the connection is closed", () =>
    Effect.gen(function* () {
      const { chat, port, service } = yield* start()
      const cases: ReadonlyArray<readonly [status: number, bytes: string | Buffer]> = [
        [400, "GARBAGE\r\n\r\n"],
        [400, Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03])],
        [400, "GET /v1/models HTTP/1.1\r\n\r\n"],
        [400, `${head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
        [400, `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
        [400, `${head}content-length: -1\r\n\r\n`],
        [400, `${head}transfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n`],
        [400, `${head}bad header\r\n\r\n`],
        [400, `${head}x-nul: a\u0000b\r\n\r\n`],
        [431, `${head}x-long: ${"x".repeat(20_000)}\r\n\r\n`],
        [405, "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n"],
        [417, `${head}expect: the-moon\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`]
      ]
      for (const [status, bytes] of cases) {
        const answer = yield* exchange(port, bytes)
        assert.strictEqual(statusOf(answer), status, JSON.stringify(String(bytes).slice(0, 200)) + answer)
      }
      assert.strictEqual(yield* service.inflight, 0)
      assert.strictEqual((yield* chat(ask("Hello"))).status, 200)
    })
  )

  it.live("is told what is wrong with it, where there is nothing to tell it in a format of its own", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      const cases: ReadonlyArray<readonly [bytes: string, detail: string]> = [
        ["GARBAGE\r\n\r\n", "no request of HTTP/1.1"],
        [`${head}x-long: ${"x".repeat(20_000)}\r\n\r\n`, "longer than the 16384 bytes"],
        ["CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n", "no proxy"]
      ]
      for (const [bytes, detail] of cases) {
        const [, body = ""] = (yield* exchange(port, bytes)).split("\r\n\r\n")
        assert.strictEqual(JSON.parse(body).code, "malformed_request")
        assert.include(JSON.parse(body).detail, detail)
      }
    })
  )

  it.live("is refused in its route's format, and has its line in the log, without a host or with several", () =>
    Effect.gen(function* () {
      const { port, records } = yield* start()
      const rest = "connection: close\r\n\r\n"
      for (const hosts of ["", "host: a\r\nHost: b\r\n", "host: a\r\nhost: a\r\n"]) {
        const models = yield* exchange(port, `GET /v1/models HTTP/1.1\r\n${hosts}${rest}`)
        assert.strictEqual(statusOf(models), 400, hosts)
        assert.include(models, '"code":"invalid_host"')
        assert.include(models, '"error":{"message":"The request must have exactly one header host."')
        const health = yield* exchange(port, `GET /health/live HTTP/1.1\r\n${hosts}${rest}`)
        assert.strictEqual(statusOf(health), 400, hosts)
        assert.include(health, "application/problem+json")
      }
      assert.deepStrictEqual(new Set(records.map(({ problem }) => problem)), new Set(["invalid_host"]))
      assert.strictEqual(records.length, 6)
      // Load balancers ask like this for its health.
      assert.strictEqual(statusOf(yield* exchange(port, "GET /health/live HTTP/1.0\r\n\r\n")), 200)
    })
  )

  it.live("never makes the service fail, whatever the target", () =>
    Effect.gen(function* () {
      const { port, records, service } = yield* start()
      const targets = [
        "/%",
        "/%zz",
        "/v1/models/%E0%A4%A",
        "/v1beta/models/%ff:generateContent",
        "/v1beta/models/:generateContent",
        "/v1beta/models//:generateContent?key=%",
        "/v1/models/__proto__",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/jobs/%00",
        "/jobs/%",
        "//",
        "//evil.example/v1/models",
        "/../../etc/passwd",
        "/?%",
        "/docs/%c0%ae",
        `/${"a".repeat(8_000)}`,
        "http://%/v1/models",
        "http://evil.example",
        "*"
      ]
      for (const target of targets) {
        for (const method of ["GET", "POST", "OPTIONS", "PATCH"]) {
          const answer = yield* exchange(
            port,
            `${method} ${target} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`
          )
          assert.isAtLeast(statusOf(answer), 200, `${method} ${target}: ${answer}`)
          assert.isBelow(statusOf(answer), 500, `${method} ${target}: ${answer}`)
        }
      }
      assert.strictEqual(yield* service.inflight, 0)
      assert.isTrue(records.every(({ problem }) => problem !== "Internal"))
    })
  )
})

describe("what is a proper request, if an unusual one", () => {
  it.live("an absolute target, a chunked body, HTTP/1.0, an ignored upgrade", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      const length = `content-length: ${body.length}\r\n`
      const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      const cases = [
        `${head.replace("/v1", "http://test/v1")}${length}connection: close\r\n\r\n${body}`,
        `${head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n${chunked}`,
        `${head.replace("1.1", "1.0")}${length}\r\n${body}`,
        `${head}${length}connection: upgrade, close\r\nupgrade: websocket\r\n\r\n${body}`
      ]
      for (const bytes of cases) {
        const answer = yield* exchange(port, bytes)
        assert.strictEqual(statusOf(answer), 200, bytes + answer)
      }
    })
  )

  it.live("a stream for HTTP/1.0 ends with the connection", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      const text = JSON.stringify(ask("Hello", { stream: true }))
      const answer = yield* exchange(port, `${head.replace("1.1", "1.0")}content-length: ${text.length}\r\n\r\n${text}`)
      assert.strictEqual(statusOf(answer), 200)
      assert.notMatch(answer, /transfer-encoding/i)
      assert.match(answer, /data: \[DONE\]\n\n$/)
    })
  )

  it.live("several at once on one connection are answered in their order", () =>
    Effect.gen(function* () {
      const { port, service, until } = yield* start()
      const connection = yield* rawConnection(port)
      yield* connection.send(
        rawChat(JSON.stringify(ask("one", { stream: true }))) +
          "GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n" +
          rawChat(body, ["connection: close"])
      )
      const answers = yield* connection.closed
      assert.match(answers, /chat\.completion\.chunk.*\[DONE\].*"object":"list".*"object":"chat\.completion"/s)
      yield* until(service.inflight, (inflight) => inflight === 0)
    })
  )

  it.live("a client that asks first is told to go on, or why not", () =>
    Effect.gen(function* () {
      const { port } = yield* start({}, { server: { maxBodyBytes: 1_000 } })
      const asks = (length: number) =>
        `${head}content-length: ${length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`
      const welcome = yield* rawConnection(port)
      yield* welcome.send(asks(body.length))
      yield* welcome.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
      yield* welcome.send(body)
      assert.match(yield* welcome.closed, /HTTP\/1\.1 200 OK/)
      assert.strictEqual(statusOf(yield* exchange(port, asks(1_000_000))), 413)
    })
  )

  it.live("a client that asks first is refused before it sends its body, on every route that takes one", () =>
    Effect.gen(function* () {
      const apiKeys = [{ name: "team", sha256: hashKey("secret"), requestsPerMinute: undefined, models: undefined }]
      const { port } = yield* start({}, { server: { apiKeys, maxBodyBytes: 1_000 } })
      const asks = (path: string, length: number, headers: string) =>
        `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\nexpect: 100-continue\r\n${headers}\r\n`
      const json = "content-type: application/json\r\n"
      const key = "authorization: Bearer secret\r\n"
      for (const path of ["/v1/chat/completions", "/v1/messages", "/submit", "/generate"]) {
        for (const [status, length, headers] of [
          [401, 10, json],
          [413, 2_000, json + key],
          [415, 10, key]
        ] as const) {
          const answer = yield* exchange(port, asks(path, length, headers))
          assert.strictEqual(statusOf(answer), status, `${path}: ${answer}`)
          assert.match(answer, /^connection: close\r$/im)
        }
        const welcome = yield* rawConnection(port)
        yield* welcome.send(asks(path, 2, `${json}${key}connection: close\r\n`))
        yield* welcome.until(/^HTTP\/1\.1 100 Continue\r\n\r\n/)
        yield* welcome.send("{}")
        assert.match(yield* welcome.closed, /HTTP\/1\.1 400 /)
      }
    })
  )

  it.live("OPTIONS is told the methods, without a body or a length of one", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      for (const path of ["/v1/models", "/v1/messages", "/jobs/1"]) {
        const answer = yield* exchange(port, `OPTIONS ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
        assert.strictEqual(statusOf(answer), 204)
        assert.match(answer, /^allow: \S/im)
        assert.notMatch(answer, /content-length|transfer-encoding/i)
      }
    })
  )

  it.live("a body that does not end is refused when it is too long, and its connection is closed", () =>
    Effect.gen(function* () {
      const { port, records } = yield* start({}, { server: { maxBodyBytes: 1_000 } })
      const chunk = `400\r\n${"x".repeat(1024)}\r\n`
      assert.strictEqual(
        statusOf(yield* exchange(port, `${head}transfer-encoding: chunked\r\n\r\n${chunk}${chunk}`)),
        413
      )
      assert.deepInclude(records[0], { status: 413, problem: "body_too_large" })
    })
  )

  it.live("one that comes too slowly is told so", () =>
    Effect.gen(function* () {
      const timeouts = { headersMs: 200, requestMs: 300, checkMs: 20 }
      const { port, service } = yield* start({}, { timeouts })
      assert.strictEqual(statusOf(yield* exchange(port, head)), 408)
      const slow = yield* exchange(port, rawChat(body).slice(0, -5))
      assert.strictEqual(statusOf(slow), 408)
      const { code, detail, status, title } = JSON.parse(slow.split("\r\n\r\n")[1] ?? "")
      assert.deepStrictEqual(
        { code, detail, status, title },
        {
          code: "malformed_request",
          detail: "The request did not come in time.",
          status: 408,
          title: "Request Timeout"
        }
      )
      assert.strictEqual(yield* service.inflight, 0)
    })
  )

  it.live("an answer may take longer than a request", () =>
    Effect.gen(function* () {
      const timeouts = { headersMs: 100, requestMs: 150, checkMs: 20 }
      const { chat } = yield* start({ chunkDelay: "60ms", streamChunks: 10 }, { timeouts })
      const answer = yield* chat(ask("Hello", { stream: true }))
      assert.match(answer.body, /\[DONE\]/)
    })
  )
})
