/** What every transport promises of streamed answers, tried against real sockets. */
import type * as Http from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scheduler, Scope, Stream } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { Transport, type TransportError } from "../../../src/services/Transport.ts"
import { countSends, request, type Traits } from "./conformance.ts"
import { deadOrigin, httpServer, pour, tcpServer, wordsInTurn, wordsOf } from "./servers.ts"

const open = (wire: WireRequest) => Effect.flatMap(Transport, (transport) => transport.open(wire))

/** All that comes, as text. */
const textOf = <E>(body: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  Effect.map(Stream.runCollect(body), (chunks) => Buffer.concat(chunks).toString())

/** Reads to the failure; gives what came before it, too. */
const failureOf = (body: Stream.Stream<Uint8Array, TransportError>) =>
  Effect.gen(function* () {
    let text = ""
    const error = yield* Effect.flip(
      Stream.runForEach(body, (chunk) =>
        Effect.sync(() => {
          text += Buffer.from(chunk).toString()
        })
      )
    )
    return { error, text }
  })

const HEAD = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n"

export const streamingConformance = (name: string, { layer, smallBodies }: Traits) => {
  const live = (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) =>
    it.live(sentence, () => Effect.provide(test, layer))

  describe(`${name} as a streaming transport`, () => {
    live(
      "says once that the request is sent",
      Effect.gen(function* () {
        const { listener, sends } = countSends()
        const server = yield* httpServer((_, response) => void response.end("ok"))
        const { body } = yield* Effect.flatMap(Transport, (transport) =>
          transport.open(request(server.origin), listener)
        )
        assert.deepStrictEqual([yield* textOf(body), sends()], ["ok", 1])
      })
    )

    live(
      "gives the head at once and each chunk as it comes",
      Effect.gen(function* () {
        let answering: Http.ServerResponse | undefined
        const server = yield* httpServer((_, response) => {
          answering = response
          response.writeHead(201, { "X-Request-Id": "r1" }).flushHeaders()
        })
        const { status, headers, body } = yield* open(request(server.origin))
        assert.deepStrictEqual([status, headers["x-request-id"]], [201, "r1"])
        const words = ["one", "two", "three"]
        let seen = ""
        // The endpoint says the next word only when the one before has been read.
        answering?.write(words[0])
        yield* Stream.runForEach(body, (chunk) =>
          Effect.sync(() => {
            seen += Buffer.from(chunk).toString()
            const said = words.indexOf(Buffer.from(chunk).toString())
            if (said === words.length - 1) answering?.end()
            else answering?.write(words[said + 1])
          })
        )
        assert.strictEqual(seen, "onetwothree")
      })
    )

    live(
      "gives the bytes as they are, however they are cut",
      Effect.gen(function* () {
        const whole = Buffer.from("grüße, 日本語, 🐢\n".repeat(20_000))
        const sizes = [1, 2, 3, 1, 7, 1_000, 65_536, 1, 300_000, 5]
        const server = yield* httpServer(async (_, response) => {
          let at = 0
          for (let i = 0; at < whole.length; i++) {
            const size = sizes[i % sizes.length]!
            if (!response.write(whole.subarray(at, at + size))) {
              await new Promise((resolve) => response.once("drain", resolve))
            }
            at += size
          }
          response.end()
        })
        const { body } = yield* open(request(server.origin))
        assert.isTrue(Buffer.concat(yield* Stream.runCollect(body)).equals(whole))
      })
    )

    live(
      "takes every status for an answer, with or without a body",
      Effect.gen(function* () {
        const server = yield* httpServer((received, response) => {
          const status = Number(received.url?.slice(1))
          response.writeHead(status).end(status === 204 ? undefined : `status ${status}`)
        })
        for (const status of [200, 204, 302, 400, 429, 500, 529]) {
          const answer = yield* open(request(server.origin, { path: `/${status}` }))
          const text = yield* textOf(answer.body)
          assert.deepStrictEqual([answer.status, text], [status, status === 204 ? "" : `status ${status}`])
        }
        assert.strictEqual(server.accepted(), 1, "the connection is used again")
      })
    )

    live(
      "holds an endpoint back that sends faster than it is read, and lets it go on",
      Effect.gen(function* () {
        let answering: Http.ServerResponse | undefined
        const server = yield* httpServer((_, response) => {
          answering = response
          pour(response, 48 * MIB)
        })
        const idleMs = 500
        const { body } = yield* open(request(server.origin, { timeouts: { idleMs } }))
        let bytes = 0
        let heldBackAt = 0
        yield* Stream.runForEach(body, (chunk) => {
          bytes += chunk.length
          if (heldBackAt > 0) return Effect.void
          return Effect.gen(function* () {
            // Longer than the idle limit without a byte: while the endpoint is held back that is not its fault.
            for (let still = 0, seen = -1; still < 100; still++) {
              yield* Effect.sleep("10 millis")
              heldBackAt = answering?.socket?.bytesWritten ?? 0
              if (heldBackAt !== seen) still = 0
              seen = heldBackAt
            }
          })
        })
        assert.isBelow(heldBackAt, 32 * MIB, "what fits into the buffers of both ends")
        assert.isTrue(answering?.writableFinished)
        assert.strictEqual(bytes, 48 * MIB)
      })
    )

    live(
      "gives up on an answer that stalls, after the chunks that came, and closes the connection",
      Effect.gen(function* () {
        const server = yield* tcpServer((socket) => socket.write(`${HEAD}some`))
        const { body } = yield* open(request(server.origin, { timeouts: { idleMs: 100 } }))
        const { error, text } = yield* failureOf(body)
        assert.deepStrictEqual([text, error.phase, error.code], ["some", "idle", "ETIMEDOUT"])
        yield* server.allClosed
      })
    )

    for (const [what, close] of [
      ["reset", "resetAndDestroy"],
      ["closed", "end"]
    ] as const) {
      live(
        `tells of a connection that was ${what} in mid-body, after the chunks that came`,
        Effect.gen(function* () {
          const server = yield* tcpServer((socket) => socket.write(`${HEAD}some`))
          const { body } = yield* open(request(server.origin))
          const { error, text } = yield* failureOf(
            Stream.tap(body, () =>
              Effect.sync(() => {
                for (const socket of server.open) socket[close]()
              })
            )
          )
          assert.deepStrictEqual([text, error.phase], ["some", "connection"])
          assert.notStrictEqual(error.code, "UNKNOWN")
        })
      )
    }

    live(
      "tells of a refused connection",
      Effect.gen(function* () {
        const error = yield* Effect.flip(open(request(yield* deadOrigin)))
        assert.deepStrictEqual([error.phase, error.code], ["connection", "ECONNREFUSED"])
      })
    )

    live(
      "gives up on an endpoint that sends no head, and closes the connection",
      Effect.gen(function* () {
        const server = yield* tcpServer(() => {})
        const error = yield* Effect.flip(open(request(server.origin, { timeouts: { firstByteMs: 100 } })))
        assert.deepStrictEqual([error.phase, error.code], ["firstByte", "ETIMEDOUT"])
        yield* server.allClosed
      })
    )

    live(
      "keeps the limit for the whole, read or not",
      Effect.gen(function* () {
        const server = yield* tcpServer((socket) => {
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
          const drip = setInterval(() => socket.write("."), 20)
          socket.on("close", () => clearInterval(drip))
        })
        const limited = request(server.origin, { timeouts: { totalMs: 300 } })
        const read = yield* failureOf((yield* open(limited)).body)
        assert.deepStrictEqual([read.error.phase, read.error.code], ["total", "ETIMEDOUT"])
        yield* server.allClosed
        const unread = yield* open(limited)
        yield* server.allClosed
        const { error } = yield* failureOf(unread.body)
        assert.deepStrictEqual([error.phase, error.code], ["total", "ETIMEDOUT"])
      })
    )

    live(
      "aborts a request whose body is ended early: the endpoint sees the connection close",
      Effect.gen(function* () {
        const server = yield* tcpServer((socket) => socket.write(`${HEAD}some`))
        const { body } = yield* open(request(server.origin))
        assert.strictEqual(yield* textOf(Stream.take(body, 1)), "some")
        yield* server.allClosed
      })
    )

    live(
      "aborts a request whose reader is interrupted",
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const server = yield* tcpServer((socket) => socket.write(`${HEAD}some`))
        const { body } = yield* open(request(server.origin))
        const reader = yield* Effect.forkChild(Stream.runForEach(body, () => Deferred.succeed(begun, undefined)))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(reader)
        yield* server.allClosed
      })
    )

    live(
      "aborts a request that is interrupted before the head",
      Effect.gen(function* () {
        const arrived = yield* Deferred.make<void>()
        const server = yield* tcpServer(() => Deferred.doneUnsafe(arrived, Exit.void))
        const fiber = yield* Effect.forkChild(open(request(server.origin)))
        yield* Deferred.await(arrived)
        yield* Fiber.interrupt(fiber)
        yield* server.allClosed
      })
    )

    live(
      "aborts a request whose scope closes, and tells whoever reads",
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const server = yield* tcpServer((socket) => socket.write(`${HEAD}some`))
        const scope = yield* Scope.make()
        const { body } = yield* Scope.provide(open(request(server.origin)), scope)
        const reader = yield* Effect.forkChild(
          Effect.flip(Stream.runForEach(body, () => Deferred.succeed(begun, undefined)))
        )
        yield* Deferred.await(begun)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(reader)).code, "ABANDONED")
        yield* server.allClosed
      })
    )

    live(
      "gives what comes while its reader stands aside for others",
      Effect.gen(function* () {
        let answering: Http.ServerResponse | undefined
        const server = yield* httpServer((_, response) => {
          answering = response
          response.write("first")
        })
        const timeouts = { idleMs: 2_000, totalMs: 4_000 }
        // So that each step between two chunks is once the one at which it stands aside.
        for (let steps = 0; steps < OPS; steps++) {
          const { body } = yield* open(request(server.origin, { timeouts }))
          const read = Stream.runForEach(body, () => {
            answering?.end("last")
            return Effect.repeat(Effect.void, { times: steps })
          })
          yield* Effect.provideService(read, Scheduler.MaxOpsBeforeYield, OPS)
        }
      })
    )

    live(
      "reads 200 streams at once, each its own",
      Effect.gen(function* () {
        const names = Array.from({ length: 200 }, (_, i) => String(i))
        const server = yield* httpServer(wordsInTurn(200))
        const texts = yield* Effect.forEach(
          names,
          (body) =>
            Effect.scoped(Effect.flatMap(open(request(server.origin, { body })), (answer) => textOf(answer.body))),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(texts, names.map(wordsOf))
      })
    )

    it.live("reads no more of an answer than it may", () =>
      Effect.gen(function* () {
        const server = yield* httpServer((received, response) => {
          const size = Number(received.url?.slice(1))
          for (let sent = 0; sent < size; sent += 100) response.write("x".repeat(100))
          response.end()
        })
        const whole = yield* open(request(server.origin, { path: "/1000" }))
        assert.strictEqual((yield* textOf(whole.body)).length, 1000)
        const { body } = yield* open(request(server.origin, { path: "/1100" }))
        const { error } = yield* failureOf(body)
        assert.deepStrictEqual([error.phase, error.code], ["connection", "BODY_TOO_LARGE"])
      }).pipe(Effect.provide(smallBodies))
    )
  })
}

const MIB = 1024 * 1024
/** A fiber takes so many steps before it stands aside. */
const OPS = 50
