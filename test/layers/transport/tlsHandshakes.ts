/** What transports promise until a secure connection stands. */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { type Identity, selfSigned } from "./certificates.ts"
import { request, send } from "./conformance.ts"
import { deadOrigin } from "./servers.ts"
import type { TlsSuite } from "./tls.ts"
import { asItIs, type Handshake, httpsServer, relay, type ServerOptions, tlsServer, written } from "./tlsServers.ts"
import { ways, whole } from "./ways.ts"

export const tlsHandshakes = ({ layer, live, trusted, ownTransport }: TlsSuite) => {
  const identity = trusted.issue({ hosts: ["localhost", "127.0.0.1"] })

  /** Answers each request and then closes the connection, so that the next request needs a handshake of its own. */
  const onceOnly = (options: ServerOptions, shown: Identity = identity) =>
    httpsServer(shown, (_, response) => response.setHeader("connection", "close").end("ok"), options)

  for (const [offered, chosen] of [
    [["h2", "http/1.1"], "http/1.1"],
    [["http/1.1"], "http/1.1"],
    [undefined, false]
  ] as const) {
    live(
      `speaks HTTP/1.1 to an endpoint that offers ${offered?.join(" and ") ?? "no choice"}`,
      Effect.gen(function* () {
        const options = offered === undefined ? {} : { ALPNProtocols: [...offered] }
        const server = yield* tlsServer(identity, (socket) => socket.end(OK), options)
        assert.strictEqual(yield* whole(request(server.origin)), "ok")
        assert.deepStrictEqual(
          server.handshakes.map(({ alpnProtocol }) => alpnProtocol),
          [chosen]
        )
      })
    )
  }

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    live(
      `resumes the session of an endpoint on a new connection (${version})`,
      Effect.gen(function* () {
        const server = yield* onceOnly({ minVersion: version, maxVersion: version })
        for (const [, way] of ways) {
          assert.strictEqual(yield* way(request(server.origin)), "ok")
          yield* server.allClosed
        }
        assert.deepStrictEqual(server.handshakes.map(resumption), [
          [version, false],
          [version, true]
        ])
      })
    )

    live(
      `makes a new session when the endpoint has forgotten the one before (${version})`,
      Effect.gen(function* () {
        const server = yield* onceOnly({ minVersion: version, maxVersion: version })
        yield* send(request(server.origin))
        yield* server.allClosed
        server.server.setTicketKeys(randomBytes(48))
        for (let i = 0; i < 2; i++) {
          assert.strictEqual(yield* whole(request(server.origin)), "ok")
          yield* server.allClosed
        }
        assert.deepStrictEqual(server.handshakes.map(resumption), [
          [version, false],
          [version, false],
          [version, true]
        ])
      })
    )

    // Addresses, because no session is resumed under another name; other systems than Linux have only one on loopback. Node
    // does not check the certificate of a session that is resumed, and only of late whose session it is.
    it.live.skipIf(process.platform !== "linux")(
      `checks the certificate for each host, whatever session another host has (${version})`,
      () =>
        Effect.gen(function* () {
          const known = trusted.issue({ hosts: ["127.0.0.1"] })
          const server = yield* onceOnly({ minVersion: version, maxVersion: version }, known)
          const other = yield* relay(server, asItIs, "127.0.0.2")
          yield* send(request(server.originAt("127.0.0.1")))
          yield* server.allClosed
          const error = yield* Effect.flip(send(request(other.originAt("127.0.0.2"))))
          assert.strictEqual(error.code, "ERR_TLS_CERT_ALTNAME_INVALID")
        }).pipe(Effect.provide(layer))
    )

    live(
      `checks the certificate of an endpoint that has changed, whatever session there was (${version})`,
      Effect.gen(function* () {
        const server = yield* onceOnly({ minVersion: version, maxVersion: version })
        yield* send(request(server.origin))
        yield* server.allClosed
        server.server.setSecureContext({ ...selfSigned({ hosts: ["localhost"] }), maxVersion: version })
        const error = yield* Effect.flip(send(request(server.origin)))
        assert.strictEqual(error.code, "DEPTH_ZERO_SELF_SIGNED_CERT")
        server.server.setSecureContext({ ...identity, maxVersion: version })
        assert.strictEqual(yield* whole(request(server.origin)), "ok")
      })
    )

    live(
      `speaks to an endpoint whose version has changed, whatever session there was (${version})`,
      Effect.gen(function* () {
        const other = version === "TLSv1.2" ? "TLSv1.3" : "TLSv1.2"
        const server = yield* onceOnly({ minVersion: version, maxVersion: version })
        yield* send(request(server.origin))
        yield* server.allClosed
        server.server.setSecureContext({ ...identity, minVersion: other, maxVersion: other })
        assert.strictEqual(yield* whole(request(server.origin)), "ok")
        assert.deepStrictEqual(server.handshakes.map(resumption), [
          [version, false],
          [other, false]
        ])
      })
    )

    live(
      `tells of an endpoint that wants a certificate of the client (${version})`,
      Effect.gen(function* () {
        const server = yield* onceOnly({ minVersion: version, maxVersion: version, requestCert: true })
        for (const [, way] of ways) {
          const error = yield* Effect.flip(way(request(server.origin)))
          assert.strictEqual(error.phase, "connection")
          // By TLS 1.3 the client learns of it when it has sent the request: the reset that follows may be sooner.
          assert.match(error.code, version === "TLSv1.2" ? /^ERR_SSL_/ : /^(ERR_SSL_|ECONNRESET|EPIPE|UND_ERR_SOCKET)/)
        }
        yield* server.allClosed
      })
    )
  }

  for (const [what, options] of [
    ["speaks HTTP/2 only", { ALPNProtocols: ["h2"] }],
    ["speaks an old version of TLS only", { maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "ALL@SECLEVEL=0" }]
  ] as const) {
    live(
      `tells of an endpoint that ${what}`,
      Effect.gen(function* () {
        const server = yield* tlsServer(identity, (socket) => socket.end(OK), {
          ...options,
          ...("ALPNProtocols" in options ? { ALPNProtocols: [...options.ALPNProtocols] } : {})
        })
        for (const [, way] of ways) {
          const error = yield* Effect.flip(way(request(server.origin)))
          assert.strictEqual(error.phase, "connection")
          assert.match(error.code, /^(ERR_SSL_|EPROTO)/)
          assert.include(error.message, server.origin)
        }
        yield* server.allClosed
      })
    )
  }

  for (const [what, close] of [
    ["closed", "end"],
    ["reset", "resetAndDestroy"]
  ] as const) {
    live(
      `tells of a connection that was ${what} in the middle of the handshake`,
      Effect.gen(function* () {
        const server = yield* relay(yield* tlsServer(identity, () => {}), (bytes, { client }) => {
          client.write(bytes.subarray(0, 40), () => void client[close]())
        })
        for (const [, way] of ways) {
          const error = yield* Effect.flip(way(request(server.origin)))
          assert.strictEqual(error.phase, "connection")
          assert.strictEqual(error.code, "ECONNRESET")
        }
        yield* server.allClosed
      })
    )
  }

  live(
    "tells of a refused connection",
    Effect.gen(function* () {
      const origin = (yield* deadOrigin).replace("http:", "https:")
      for (const [, way] of ways) {
        const error = yield* Effect.flip(way(request(origin)))
        assert.deepStrictEqual([error.phase, error.code], ["connection", "ECONNREFUSED"])
      }
    })
  )

  /** An endpoint whose part in the handshake stops after some bytes. */
  const stalling = Effect.gen(function* () {
    const stalled = yield* Deferred.make<void>()
    const server = yield* relay(yield* tlsServer(identity, () => {}), (bytes, { client }) => {
      client.write(bytes.subarray(0, 40), () => Deferred.doneUnsafe(stalled, Exit.void))
    })
    return { ...server, stalled: Deferred.await(stalled) }
  })

  for (const [name, way] of ways) {
    live(
      `gives up on a handshake that stops in the middle, and closes the connection (${name})`,
      Effect.gen(function* () {
        const server = yield* stalling
        const error = yield* Effect.flip(way(request(server.origin, { timeouts: { connectMs: 200 } })))
        assert.deepStrictEqual([error.phase, error.code], ["connect", "ETIMEDOUT"])
        yield* server.allClosed
      })
    )

    live(
      `aborts a request that is interrupted in the middle of the handshake (${name})`,
      Effect.gen(function* () {
        const server = yield* stalling
        const fiber = yield* Effect.forkChild(way(request(server.origin)))
        yield* server.stalled
        yield* Fiber.interrupt(fiber)
        yield* server.allClosed
      })
    )

    live(
      `fails a request whose transport is closed in the middle of the handshake (${name})`,
      Effect.gen(function* () {
        const server = yield* stalling
        const scope = yield* Scope.make()
        const transport = yield* ownTransport(scope)
        const fiber = yield* Effect.forkChild(
          Effect.flip(Effect.provideService(way(request(server.origin)), Transport, transport))
        )
        yield* server.stalled
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual((yield* Fiber.join(fiber)).code, "CLOSED")
        yield* server.allClosed
      })
    )
  }

  live(
    "gives up on a handshake that goes on too long, byte by byte",
    Effect.gen(function* () {
      const server = yield* relay(yield* tlsServer(identity, () => {}), async (bytes, { client }) => {
        for (const byte of bytes) {
          if (client.destroyed) return
          await sleep(20)
          await written(client, Uint8Array.of(byte))
        }
      })
      const error = yield* Effect.flip(send(request(server.origin, { timeouts: { connectMs: 300 } })))
      assert.deepStrictEqual([error.phase, error.code], ["connect", "ETIMEDOUT"])
      yield* server.allClosed
    })
  )

  live(
    "does not count a slow handshake as waiting for the answer",
    Effect.gen(function* () {
      const server = yield* relay(yield* onceOnly({}), async (bytes, { client }) => {
        if (client.bytesWritten === 0) await sleep(1_300)
        client.write(bytes)
      })
      assert.strictEqual(yield* whole(request(server.origin, { timeouts: { firstByteMs: 1_000 } })), "ok")
    })
  )
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

const resumption = ({ version, isResumed }: Handshake) => [version, isResumed]
