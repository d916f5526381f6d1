/** What every transport promises, tried against real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Layer, type Scope } from "effect"
import type { WireRequest, WireTimeouts } from "../../../src/domain/providers/Wire.ts"
import { type SendListener, Transport, type TransportError } from "../../../src/services/Transport.ts"
import { deadOrigin, httpServer, readBody, tcpServer } from "./servers.ts"

export interface Traits {
  readonly layer: Layer.Layer<Transport>
  /** The same transport with a limit of 1,000 bytes for bodies. */
  readonly smallBodies: Layer.Layer<Transport>
  /** The phase that a connection which does not come to stand is counted in. */
  readonly connecting: TransportError["phase"]
  /** Whether it also closes a connection at once that does not stand yet. */
  readonly abortsConnecting: boolean
}

const patient: WireTimeouts = { connectMs: 10_000, firstByteMs: 10_000, idleMs: 10_000, totalMs: 20_000 }

/** A request with limits that no healthy test comes near. */
export const request = (
  origin: string,
  options: Partial<Omit<WireRequest, "timeouts">> & { readonly timeouts?: Partial<WireTimeouts> } = {}
): WireRequest => ({
  method: "POST",
  origin,
  path: "/v1/chat",
  headers: ["content-type", "application/json"],
  body: `{"input":"hi"}`,
  ...options,
  timeouts: { ...patient, ...options.timeouts }
})

export const send = (wire: WireRequest, listener?: SendListener) =>
  Effect.flatMap(Transport, (transport) => transport.send(wire, listener))

/** Counts how often it is told of a send. */
export const countSends = () => {
  let sends = 0
  const listener: SendListener = { sent: () => void sends++ }
  return { listener, sends: () => sends }
}

export const conformance = (name: string, { layer, smallBodies, connecting, abortsConnecting }: Traits) => {
  const live = (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) =>
    it.live(sentence, () => Effect.provide(test, layer))

  describe(`${name} as a transport`, () => {
    live(
      "says once that the request is sent, before it comes, also on a connection that stood already",
      Effect.gen(function* () {
        const { listener, sends } = countSends()
        const seen: Array<number> = []
        const server = yield* httpServer((_, response) => {
          seen.push(sends())
          response.end("ok")
        })
        yield* send(request(server.origin), listener)
        yield* send(request(server.origin), listener)
        assert.deepStrictEqual([...seen, sends()], [1, 2, 2])
      })
    )

    live(
      "says that a request is sent only when there is a connection, if it knows",
      Effect.gen(function* () {
        const { listener, sends } = countSends()
        yield* Effect.flip(send(request(yield* deadOrigin), listener))
        assert.strictEqual(sends(), connecting === "connect" ? 0 : 1)
      })
    )

    live(
      "sends the request as it is and gives back status, headers in lower case and body",
      Effect.gen(function* () {
        const server = yield* httpServer(async (received, response) => {
          const { method, url, headers } = received
          response.writeHead(201, { "X-Request-Id": "r1", "Content-Type": "application/json" })
          response.end(JSON.stringify({ method, url, key: headers["x-key"], body: await readBody(received) }))
        })
        const answer = yield* send(
          request(server.origin, {
            path: "/a/b?c=d%20e",
            headers: ["content-type", "application/json", "X-Key", "k"],
            body: `{"input":"żółw 🐢"}`
          })
        )
        assert.strictEqual(answer.status, 201)
        assert.strictEqual(answer.headers["x-request-id"], "r1")
        assert.strictEqual(answer.headers["content-type"], "application/json")
        assert.deepStrictEqual(JSON.parse(answer.body), {
          method: "POST",
          url: "/a/b?c=d%20e",
          key: "k",
          body: `{"input":"żółw 🐢"}`
        })
      })
    )

    live(
      "takes every status for an answer",
      Effect.gen(function* () {
        const server = yield* httpServer((received, response) => {
          response.writeHead(Number(received.url?.slice(1))).end(`status ${received.url}`)
        })
        for (const status of [200, 302, 400, 429, 500, 529]) {
          const answer = yield* send(request(server.origin, { path: `/${status}` }))
          assert.deepStrictEqual([answer.status, answer.body], [status, `status /${status}`])
        }
      })
    )

    live(
      "passes over interim answers",
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => {
          response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => response.end("the answer"))
        })
        const answer = yield* send(request(server.origin))
        assert.deepStrictEqual([answer.status, answer.body], [200, "the answer"])
      })
    )

    live(
      "gives each of 64 concurrent requests its own answer",
      Effect.gen(function* () {
        let waiting: Array<() => void> = []
        const server = yield* httpServer(async (received, response) => {
          const body = await readBody(received)
          waiting.push(() => response.end(`re: ${body}`))
          // Answered only when all are there: they must be in flight together.
          if (waiting.length === 64) {
            for (const answer of waiting.reverse()) answer()
            waiting = []
          }
        })
        const answers = yield* Effect.forEach(
          Array.from({ length: 64 }, (_, i) => String(i)),
          (body) => send(request(server.origin, { body })),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map((answer) => answer.body),
          Array.from({ length: 64 }, (_, i) => `re: ${i}`)
        )
      })
    )

    live(
      "uses a connection again for the next request",
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => void response.end("ok"))
        for (let i = 0; i < 10; i++) yield* send(request(server.origin))
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      "puts characters together that were cut apart on the way",
      Effect.gen(function* () {
        const text = "grüße, 日本語, 🐢"
        const server = yield* httpServer(async (_, response) => {
          for (const byte of Buffer.from(text)) {
            response.write(Uint8Array.of(byte))
            // Time to be read alone; that one of these cuts comes through is enough.
            await new Promise((resolve) => setTimeout(resolve, 5))
          }
          response.end()
        })
        assert.strictEqual((yield* send(request(server.origin))).body, text)
      })
    )

    live(
      "tells of a refused connection, and what to check",
      Effect.gen(function* () {
        const origin = yield* deadOrigin
        const error = yield* Effect.flip(send(request(origin)))
        assert.deepStrictEqual([error.phase, error.code], ["connection", "ECONNREFUSED"])
        assert.strictEqual(error.message, `connection refused by ${origin}: is the endpoint up?`)
      })
    )

    live(
      "tells of a port that does not speak https",
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => void response.end())
        const error = yield* Effect.flip(send(request(server.origin.replace("http:", "https:"))))
        assert.strictEqual(error.phase, "connection")
        assert.include(error.message, "https")
      })
    )

    const broken: ReadonlyArray<[what: string, server: Parameters<typeof tcpServer>[0]]> = [
      ["reset before the head", (socket) => socket.resetAndDestroy()],
      ["closed before the head", (socket) => socket.end()],
      [
        "reset in the middle of the body",
        (socket) =>
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome", () => void socket.resetAndDestroy())
      ],
      ["closed before content-length", (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome")],
      [
        "closed before the last chunk",
        (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n")
      ],
      [
        "closed within a chunk",
        (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nsome")
      ],
      ["not HTTP", (socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n")]
    ]
    for (const [what, serve] of broken) {
      live(
        `tells of a connection that was ${what}, and is fit for the next request`,
        Effect.gen(function* () {
          const bad = yield* tcpServer(serve)
          const error = yield* Effect.flip(send(request(bad.origin)))
          assert.strictEqual(error.phase, "connection")
          assert.include(error.message, bad.origin)
          assert.notStrictEqual(error.code, "UNKNOWN")

          const good = yield* httpServer((_, response) => void response.end("ok"))
          assert.strictEqual((yield* send(request(good.origin))).body, "ok")
        })
      )
    }

    live(
      "gives up on a connection that does not come to stand",
      Effect.gen(function* () {
        // The endpoint never answers the TLS greeting.
        const server = yield* tcpServer(() => {})
        const origin = server.origin.replace("http:", "https:")
        const error = yield* Effect.flip(send(request(origin, { timeouts: { connectMs: 100, firstByteMs: 200 } })))
        assert.deepStrictEqual([error.phase, error.code], [connecting, "ETIMEDOUT"])
        if (abortsConnecting) yield* server.allClosed
      })
    )

    live(
      "gives up on an endpoint that sends no head, and closes the connection",
      Effect.gen(function* () {
        const server = yield* tcpServer(() => {})
        const error = yield* Effect.flip(send(request(server.origin, { timeouts: { firstByteMs: 100 } })))
        assert.deepStrictEqual([error.phase, error.code], ["firstByte", "ETIMEDOUT"])
        assert.strictEqual(error.message, `no answer from ${server.origin} within 100 ms`)
        yield* server.allClosed
      })
    )

    live(
      "gives up on an answer that stops in the middle, and closes the connection",
      Effect.gen(function* () {
        const server = yield* tcpServer((socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome"))
        const error = yield* Effect.flip(send(request(server.origin, { timeouts: { idleMs: 100 } })))
        assert.deepStrictEqual([error.phase, error.code], ["idle", "ETIMEDOUT"])
        yield* server.allClosed
      })
    )

    live(
      "takes an answer that is slow but never idle, until the limit for the whole",
      Effect.gen(function* () {
        const server = yield* tcpServer((socket) => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
          const drip = setInterval(() => socket.write("."), 20)
          socket.on("close", () => clearInterval(drip))
        })
        const timeouts = { idleMs: 5_000, totalMs: 300 }
        const error = yield* Effect.flip(send(request(server.origin, { timeouts })))
        assert.deepStrictEqual([error.phase, error.code], ["total", "ETIMEDOUT"])
        yield* server.allClosed
      })
    )

    live(
      "does not count the chunks of a steady answer as idle",
      Effect.gen(function* () {
        const server = yield* httpServer((_, response) => {
          let sent = 0
          const drip = setInterval(() => {
            response.write(".")
            if (++sent < 15) return
            clearInterval(drip)
            response.end()
          }, 100)
        })
        // Together the waits are longer than the idle limit, each alone is far shorter.
        const answer = yield* send(request(server.origin, { timeouts: { idleMs: 1_000 } }))
        assert.strictEqual(answer.body.length, 15)
      })
    )

    live(
      "aborts a request that is interrupted before the head: the endpoint sees the connection close",
      Effect.gen(function* () {
        const arrived = yield* Deferred.make<void>()
        const server = yield* tcpServer(() => Deferred.doneUnsafe(arrived, Exit.void))
        const fiber = yield* Effect.forkChild(send(request(server.origin)))
        yield* Deferred.await(arrived)
        yield* Fiber.interrupt(fiber)
        yield* server.allClosed
      })
    )

    live(
      "aborts a request that is interrupted in the middle of the answer",
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const server = yield* tcpServer((socket) => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome", () => {
            Deferred.doneUnsafe(begun, Exit.void)
          })
        })
        const fiber = yield* Effect.forkChild(send(request(server.origin)))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        yield* server.allClosed
      })
    )

    if (abortsConnecting) {
      live(
        "aborts a request that is interrupted before the connection stands",
        Effect.gen(function* () {
          const greeted = yield* Deferred.make<void>()
          const server = yield* tcpServer(() => Deferred.doneUnsafe(greeted, Exit.void))
          const fiber = yield* Effect.forkChild(send(request(server.origin.replace("http:", "https:"))))
          yield* Deferred.await(greeted)
          yield* Fiber.interrupt(fiber)
          yield* server.allClosed
        })
      )
    }

    it.live("reads no more of an answer than it may", () =>
      Effect.gen(function* () {
        const server = yield* httpServer((received, response) => {
          const size = Number(received.url?.slice(1))
          for (let sent = 0; sent < size; sent += 100) response.write("x".repeat(100))
          response.end()
        })
        assert.strictEqual((yield* send(request(server.origin, { path: "/1000" }))).body.length, 1000)
        const error = yield* Effect.flip(send(request(server.origin, { path: "/1100" })))
        assert.deepStrictEqual([error.phase, error.code], ["connection", "BODY_TOO_LARGE"])
        assert.include(error.message, "larger than 1000 bytes")
      }).pipe(Effect.provide(smallBodies))
    )
  })
}
