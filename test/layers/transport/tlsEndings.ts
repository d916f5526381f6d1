/** What transports promise of secure connections that end, in whatever way and at whatever time. */
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, Stream } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { request } from "./conformance.ts"
import type { TlsSuite } from "./tls.ts"
import { CHUNKED, ENDLESS, SIZED, TEXT } from "./tlsAnswers.ts"
import { httpsServer, type Link, relay, type ServerOptions, tlsServer } from "./tlsServers.ts"
import { open, streamed, ways } from "./ways.ts"

export const tlsEndings = ({ live, trusted, smallBodies, incomplete, ownTransport }: TlsSuite) => {
  const identity = trusted.issue({ hosts: ["localhost"] })

  /** An endpoint that writes so much to each connection, and lets the test see both ends of TLS. */
  const saying = (text: string, options: ServerOptions = {}) =>
    Effect.gen(function* () {
      const secure: Array<TLSSocket> = []
      const say = (socket: TLSSocket) => {
        secure.push(socket)
        socket.write(text)
      }
      const server = yield* tlsServer(identity, say, options)
      return { ...server, last: (): Ends => ({ raw: Array.from(server.open).at(-1)!, secure: secure.at(-1)! }) }
    })

  /** Reads to the end or the failure, and does something when the first chunk is there. */
  const readAfter = (origin: string, act: () => void) =>
    Effect.gen(function* () {
      const chunks: Array<Uint8Array> = []
      const { body } = yield* open(request(origin))
      const exit = yield* Effect.exit(
        Stream.runForEach(body, (chunk) => Effect.sync(() => chunks.push(chunk) === 1 && act()))
      )
      return { error: Option.getOrUndefined(Exit.findErrorOption(exit)), text: Buffer.concat(chunks).toString() }
    })

  for (const [how, close] of CLOSES) {
    for (const [framing, answer] of [SIZED, CHUNKED]) {
      live(
        `tells of a connection that was ${how} in the middle of an answer ${framing}, after the chunks that came`,
        Effect.gen(function* () {
          const server = yield* saying(answer.slice(0, -20))
          const { error, text } = yield* readAfter(server.origin, () => close(server.last()))
          assert.isTrue(text.length > 0 && TEXT.startsWith(text))
          assert.strictEqual(error?.phase, "connection")
          assert.include(how === "reset" ? ["ECONNRESET"] : incomplete, error?.code)
          assert.include(error?.message, server.origin)
          yield* server.allClosed
        })
      )
    }

    for (const [when, pause] of [
      ["at the moment of the next request", Effect.void],
      ["long before the next request", Effect.sleep(50)]
    ] as const) {
      live(
        `goes on with a new connection when the one that was kept was ${how} ${when}`,
        Effect.gen(function* () {
          const server = yield* saying(SIZED[1])
          for (let i = 1; i <= 4; i++) {
            const [, way] = ways[i % ways.length]!
            assert.strictEqual(yield* way(request(server.origin)), TEXT)
            assert.strictEqual(server.accepted(), i)
            // In a timer, so that the end of the connection is on its way when the next request is sent, but not yet seen.
            yield* Effect.sleep(1)
            close(server.last())
            yield* pause
          }
        })
      )
    }
  }

  live(
    "takes an answer until the connection closes for whole when TLS is not closed first: Node does not say so",
    Effect.gen(function* () {
      const server = yield* saying(ENDLESS[1])
      const { error, text } = yield* readAfter(server.origin, () => void server.last().raw.end())
      assert.deepStrictEqual([text, error], [TEXT, undefined])
    })
  )

  live(
    "tells of a reset in the middle of an answer until the connection closes",
    Effect.gen(function* () {
      const server = yield* saying(ENDLESS[1])
      const { error, text } = yield* readAfter(server.origin, () => void server.last().raw.resetAndDestroy())
      assert.deepStrictEqual([text, error?.phase, error?.code], [TEXT, "connection", "ECONNRESET"])
    })
  )

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const [what, inject] of INJECTIONS) {
      live(
        `tells of ${what} in the middle of an answer, after the chunks that came (${version})`,
        Effect.gen(function* () {
          const server = yield* relay(yield* saying(SIZED[1].slice(0, -20), { maxVersion: version }))
          const { error, text } = yield* readAfter(server.origin, () => inject(server.links[0]!))
          assert.deepStrictEqual([text, error?.phase], [TEXT.slice(0, -20), "connection"])
          assert.match(String(error?.code), /^ERR_SSL_/)
          assert.include(error?.message, server.origin)
          yield* server.allClosed
        })
      )
    }
  }

  live(
    "never takes for an answer what came on a connection that nobody used",
    Effect.gen(function* () {
      const server = yield* saying(SIZED[1])
      assert.strictEqual(yield* streamed(request(server.origin)), TEXT)
      server.last().secure.write(SIZED[1].replace(TEXT, TEXT.toUpperCase()))
      yield* server.allClosed
      assert.strictEqual(yield* streamed(request(server.origin)), TEXT)
      assert.strictEqual(server.accepted(), 2)
    })
  )

  for (const [name, way] of ways) {
    live(
      `aborts a request that is interrupted in the middle of the answer (${name})`,
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const server = yield* tlsServer(identity, (socket) => {
          socket.write(SIZED[1].slice(0, -20), () => Deferred.doneUnsafe(begun, Exit.void))
        })
        const fiber = yield* Effect.forkChild(way(request(server.origin)))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        yield* server.allClosed
      })
    )

    live(
      `fails a request whose transport is closed in the middle of the answer, and closes all connections (${name})`,
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        let connections = 0
        const server = yield* tlsServer(identity, (socket) => {
          if (++connections === 1) socket.write(SIZED[1])
          else socket.write(SIZED[1].slice(0, -20), () => Deferred.doneUnsafe(begun, Exit.void))
        })
        const scope = yield* Scope.make()
        const transport = yield* ownTransport(scope)
        const ask = Effect.provideService(way(request(server.origin)), Transport, transport)
        assert.strictEqual(yield* ask, TEXT)
        // One over the connection that was kept, which is silent, and one over a new connection.
        const fibers = [yield* Effect.forkChild(Effect.flip(ask)), yield* Effect.forkChild(Effect.flip(ask))]
        yield* Deferred.await(begun)
        yield* Scope.close(scope, Exit.void)
        for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber)).code, "CLOSED")
        yield* server.allClosed
      })
    )

    it.live(`reads no more of an answer than it may (${name})`, () =>
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, (received, response) => {
          const size = Number(received.url?.slice(1))
          for (let sent = 0; sent < size; sent += 100) response.write("x".repeat(100))
          response.end()
        })
        assert.strictEqual((yield* way(request(server.origin, { path: "/1000" }))).length, 1_000)
        const error = yield* Effect.flip(way(request(server.origin, { path: "/1100" })))
        assert.deepStrictEqual([error.phase, error.code], ["connection", "BODY_TOO_LARGE"])
        yield* server.allClosed
      }).pipe(Effect.provide(smallBodies))
    )

    live(
      `tells of a port that speaks only TLS (${name})`,
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, (_, response) => void response.end("ok"))
        const error = yield* Effect.flip(way(request(server.origin.replace("https:", "http:"))))
        assert.strictEqual(error.phase, "connection")
        assert.notStrictEqual(error.code, "UNKNOWN")
        yield* server.allClosed
      })
    )
  }
}

/** The server's end of a connection, below TLS and inside it. */
interface Ends {
  readonly raw: Socket
  readonly secure: TLSSocket
}

const CLOSES: ReadonlyArray<readonly [how: string, close: (ends: Ends) => void]> = [
  ["closed", ({ secure }) => secure.end()],
  ["closed below TLS", ({ raw }) => raw.end()],
  ["reset", ({ raw }) => raw.resetAndDestroy()]
]

/** A record of data (RFC 8446, 5.1) that nobody has encrypted. */
const FORGED = Buffer.concat([Buffer.of(0x17, 3, 3, 0, 32), Buffer.alloc(32, "?")])

const INJECTIONS: ReadonlyArray<readonly [what: string, inject: (link: Link) => void]> = [
  // The server is given what it cannot decrypt, and says so to the client.
  ["an alert", ({ server }) => server.write(FORGED)],
  ["a forged record", ({ client }) => client.write(FORGED)]
]
