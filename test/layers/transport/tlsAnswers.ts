/** What transports promise of requests and answers over a secure connection. */
import type * as Http from "node:http"
import type { TLSSocket } from "node:tls"
import { assert } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { request } from "./conformance.ts"
import { pour, readBody, wordsInTurn, wordsOf } from "./servers.ts"
import type { TlsSuite } from "./tls.ts"
import { httpsServer, type Link, relay, tlsServer, written } from "./tlsServers.ts"
import { open, streamed, ways } from "./ways.ts"

export const tlsAnswers = ({ live, trusted }: TlsSuite) => {
  const identity = trusted.issue({ hosts: ["localhost"] })

  for (const [framing, answer] of [SIZED, CHUNKED, ENDLESS]) {
    const bytes = Buffer.from(answer)
    /** Only the answer that has no other end closes the connection. */
    const end = (socket: TLSSocket) => framing === ENDLESS[0] && socket.end()
    const atOnce = tlsServer(identity, (socket) => {
      socket.write(bytes)
      end(socket)
    })
    const byteByByte = tlsServer(identity, async (socket) => {
      for (const byte of bytes) await written(socket, Uint8Array.of(byte))
      end(socket)
    })
    const inSmallPieces = Effect.flatMap(atOnce, (server) =>
      relay(server, async (encrypted, { client }) => {
        for (let at = 0; at < encrypted.length; at += 7) await written(client, encrypted.subarray(at, at + 7))
      })
    )
    for (const [how, serve] of [
      ["at once", atOnce],
      ["of which each byte comes in a record of its own", byteByByte],
      ["whose records are cut apart on the way", inSmallPieces]
    ] as const) {
      live(
        `takes an answer ${framing} ${how}`,
        Effect.gen(function* () {
          // A server for each: those that do not close are silent after the first answer.
          for (const [, way] of ways) assert.strictEqual(yield* way(request((yield* serve).origin)), TEXT)
        })
      )
    }
  }

  live(
    "uses a connection again whose answer ended while it was not to be read",
    Effect.gen(function* () {
      const server = yield* httpsServer(identity, (received, response) => {
        response.end("x".repeat(received.url === "/short" ? 1 : 100_000))
      })
      for (let i = 0; i < 5; i++) {
        // The whole comes before anyone reads, and more than is kept.
        const { body } = yield* open(request(server.origin, { path: "/long" }))
        yield* Effect.sleep("20 millis")
        assert.strictEqual(Buffer.concat(yield* Stream.runCollect(body)).length, 100_000)
        yield* open(request(server.origin, { path: "/short" }))
      }
      assert.strictEqual(server.accepted(), 1)
    })
  )

  for (const [name, way] of ways) {
    live(
      `takes an answer of 5 MB as it is (${name})`,
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, (received, response) => {
          if (received.url === "/sized") response.setHeader("content-length", Buffer.byteLength(LONG))
          response.end(LONG)
        })
        for (const path of ["/sized", "/chunked"]) {
          assert.isTrue((yield* way(request(server.origin, { path }))) === LONG)
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      `sends a body of 5 MB as it is (${name})`,
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, async (received, response) => {
          response.end(String((await readBody(received)) === LONG))
        })
        for (let i = 0; i < 2; i++) {
          assert.strictEqual(yield* way(request(server.origin, { body: LONG })), "true")
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      `takes an answer of 5 MB while the body of 5 MB is on its way (${name})`,
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, (received, response) => void received.pipe(response))
        assert.isTrue((yield* way(request(server.origin, { body: LONG }))) === LONG)
      })
    )

    live(
      `uses one connection, with one handshake, for 10 requests (${name})`,
      Effect.gen(function* () {
        const server = yield* httpsServer(identity, (_, response) => void response.end("ok"))
        for (let i = 0; i < 10; i++) assert.strictEqual(yield* way(request(server.origin)), "ok")
        assert.deepStrictEqual([server.accepted(), server.handshakes.length], [1, 1])
      })
    )

    live(
      `gives each of 64 concurrent requests its own answer (${name})`,
      Effect.gen(function* () {
        const held: Array<() => void> = []
        const server = yield* httpsServer(identity, async (received, response) => {
          const body = await readBody(received)
          held.push(() => response.end(`re: ${body}`))
          // Answered only when all are there: they must be in flight together.
          if (held.length === 64) for (const answer of held.reverse()) answer()
        })
        const answers = yield* Effect.forEach(
          Array.from({ length: 64 }, (_, i) => String(i)),
          (body) => way(request(server.origin, { body })),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers,
          Array.from({ length: 64 }, (_, i) => `re: ${i}`)
        )
      })
    )
  }

  for (const [name, way] of ways) {
    live(
      `takes an answer that comes before the request has been read, and does not use its connection again (${name})`,
      Effect.gen(function* () {
        const server = yield* tlsServer(identity, (socket) => {
          socket.pause()
          socket.write(SIZED[1])
        })
        assert.strictEqual(yield* way(request(server.origin, { body: LONG })), TEXT)
        assert.strictEqual(yield* way(request(server.origin)), TEXT)
        assert.strictEqual(server.accepted(), 2)
      })
    )

    live(
      `never takes for an answer what follows the one before, in a record of its own (${name})`,
      Effect.gen(function* () {
        const server = yield* relay(
          yield* tlsServer(identity, (socket) => {
            socket.write(SIZED[1])
            socket.write(SIZED[1].replace(TEXT, TEXT.toUpperCase()))
          }),
          together
        )
        for (let i = 1; i <= 3; i++) {
          assert.strictEqual(yield* way(request(server.origin)), TEXT)
          assert.strictEqual(server.accepted(), i)
        }
      })
    )
  }

  for (const [framing, hasLength] of [
    [SIZED[0], true],
    [ENDLESS[0], false]
  ] as const) {
    live(
      `gives a slow reader the whole of an answer ${framing}, though the endpoint has closed the connection`,
      Effect.gen(function* () {
        const server = yield* tlsServer(identity, (socket) => {
          socket.write("HTTP/1.1 200 OK\r\n")
          if (hasLength) socket.write(`content-length: ${Buffer.byteLength(LONG)}\r\n`)
          socket.end(`\r\n${LONG}`)
        })
        const { body } = yield* open(request(server.origin))
        const chunks = yield* Stream.runCollect(Stream.tap(body, () => Effect.sleep(2)))
        assert.isTrue(Buffer.concat(chunks).toString() === LONG)
      })
    )
  }

  live(
    "reads 50 streams at once, each its own",
    Effect.gen(function* () {
      const names = Array.from({ length: 50 }, (_, i) => String(i))
      const server = yield* httpsServer(identity, wordsInTurn(50))
      const texts = yield* Effect.forEach(names, (body) => streamed(request(server.origin, { body })), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(texts, names.map(wordsOf))
    })
  )

  /** An endpoint that writes 48 MiB as fast as they are taken. */
  const pouring = Effect.gen(function* () {
    const poured: { response?: Http.ServerResponse } = {}
    const server = yield* httpsServer(identity, (_, response) => {
      poured.response = response
      pour(response, 48 * MIB)
    })
    /** Waits until it is held back; gives how much it has written by then. */
    const heldBackAt = Effect.gen(function* () {
      let seen = -1
      for (let still = 0; still < 100; still++) {
        yield* Effect.sleep("10 millis")
        const written = poured.response?.socket?.bytesWritten ?? 0
        if (written !== seen) still = 0
        seen = written
      }
      return seen
    })
    return { ...server, poured, heldBackAt }
  })

  live(
    "holds an endpoint back that sends faster than it is read, and lets it go on",
    Effect.gen(function* () {
      const server = yield* pouring
      // Shorter than the wait without a byte: while the endpoint is held back that is not its fault.
      const { body } = yield* open(request(server.origin, { timeouts: { idleMs: 500 } }))
      let bytes = 0
      let heldBackAt = 0
      yield* Stream.runForEach(body, (chunk) => {
        bytes += chunk.length
        if (heldBackAt > 0) return Effect.void
        return Effect.map(server.heldBackAt, (at) => {
          heldBackAt = at
        })
      })
      assert.isBelow(heldBackAt, 32 * MIB, "what fits into the buffers of both ends")
      assert.isTrue(server.poured.response?.writableFinished)
      assert.strictEqual(bytes, 48 * MIB)
    })
  )

  live(
    "closes the connection of an endpoint that is held back when its body is ended early",
    Effect.gen(function* () {
      const server = yield* pouring
      const { body } = yield* open(request(server.origin))
      yield* Stream.runForEach(Stream.take(body, 1), () => server.heldBackAt)
      yield* server.allClosed
    })
  )
}

/** Passes on at once what was written shortly after each other. */
const together = (bytes: Buffer, { client }: Link): void => {
  if (client.writableCorked === 0) {
    client.cork()
    setTimeout(() => client.uncork(), 10)
  }
  client.write(bytes)
}

export const TEXT = "grüße, 日本語, 🐢 and what else there is to say"

const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

type Framing = readonly [name: string, answer: string]

export const SIZED: Framing = [
  "with its length",
  `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(TEXT)}\r\n\r\n${TEXT}`
]
export const CHUNKED: Framing = [
  "in chunks",
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${[TEXT.slice(0, 15), TEXT.slice(15), ""].map(chunk).join("")}`
]
export const ENDLESS: Framing = ["until the connection closes", `HTTP/1.1 200 OK\r\n\r\n${TEXT}`]

const MIB = 1024 * 1024

/** Some 5 MB in which each piece differs. */
const LONG = Array.from({ length: 160_000 }, (_, i) => `${i} grüße, 日本語, 🐢\n`).join("")
