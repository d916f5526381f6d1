/** When a transport on its own sockets uses a connection again, and what it makes of one that changes meanwhile. */
import type * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result, Scope, Stream } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { request } from "./conformance.ts"
import { type SocketTraits, timeouts, WAYS, type Way, ways } from "./exchanges.ts"
import { play, type RawServer, rawServer, turn } from "./rawServer.ts"
import { saying } from "./requests.ts"

/** An answer that nobody asked for. */
const UNASKED = "HTTP/1.1 408 Request Timeout\r\ncontent-length: 7\r\nconnection: close\r\n\r\nunasked"

/** What a server does to a connection that is not used. */
const interferences: ReadonlyArray<readonly [what: string, interfere: (socket: Net.Socket) => void]> = [
  ["says 408", (socket) => void socket.write(UNASKED)],
  ["says 408 and closes it", (socket) => void socket.write(UNASKED, () => socket.destroy())],
  ["says 200", (socket) => void socket.write(saying("unasked"))],
  ["says a part of an answer", (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-")],
  ["sends an empty line", (socket) => void socket.write("\r\n")],
  ["sends a byte", (socket) => void socket.write("\0")],
  ["sends 1 MB", (socket) => void socket.write(Buffer.alloc(1024 * 1024, "x"))],
  ["closes it", (socket) => void socket.destroy()],
  ["resets it", (socket) => void socket.resetAndDestroy()]
]

/** Times between what the server does and the next request. */
const moments: ReadonlyArray<readonly [when: string, wait: Effect.Effect<void>]> = [
  ["in the same turn", Effect.void],
  ["a microtask before", Effect.promise(() => Promise.resolve())],
  ["a tick before", Effect.callback<void>((resume) => process.nextTick(() => resume(Effect.void)))],
  ["a turn before", Effect.promise(turn)],
  ["two turns before", Effect.andThen(Effect.promise(turn), Effect.promise(turn))],
  ["a timer before", Effect.sleep("1 millis")],
  ["long before", Effect.sleep("10 millis")]
]

/** A server that repeats what it is told, and counts how often. */
const echo = Effect.gen(function* () {
  const counts = new Map<string, number>()
  const state = { hint: "" }
  const server = yield* rawServer({
    onRequest: ({ socket, body }) => {
      const text = body.toString()
      counts.set(text, (counts.get(text) ?? 0) + 1)
      socket.write(`HTTP/1.1 200 OK\r\n${state.hint}content-length: ${body.length}\r\n\r\n${text}`)
    }
  })
  return { server, counts, state }
})

const bodyOf = ({ origin }: RawServer, body: string, way: Way = "send") =>
  Effect.map(ways[way](request(origin, { body, timeouts })), (read) => read.body)

/** It is answered, with its own answer; whatever else comes of it is told. */
const assertEchoed = (server: RawServer, body: string, way: Way, hint: string) =>
  Effect.map(Effect.result(bodyOf(server, body, way)), (result) => {
    if (Result.isFailure(result)) assert.fail(`${body}: ${result.failure.code}, ${hint}`)
    assert.strictEqual(result.success, body, hint)
  })

export const reuseConformance = (name: string, { layer, layerOptions }: SocketTraits) => {
  const live = (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) =>
    it.live(sentence, () => Effect.provide(test, layer))

  describe(`${name} and a connection that is not used, when the endpoint`, () => {
    for (const [what, interfere] of interferences) {
      live(
        `${what}: the next request goes over a new one, and gets its own answer`,
        Effect.gen(function* () {
          const { server, counts } = yield* echo
          let sent = 0
          for (const way of WAYS) {
            for (const [when, wait] of moments) {
              for (let i = 0; i < 10; i++) {
                const first = `first ${sent}`
                yield* assertEchoed(server, first, way, `${way}, ${when}`)
                // A server sees that it has been left, so that it is in its next turn that it does something.
                yield* Effect.promise(turn)
                for (const socket of server.open) interfere(socket)
                yield* wait
                const next = `next ${sent++}`
                yield* assertEchoed(server, next, way, `${way}, ${when}`)
                assert.strictEqual(counts.get(next), 1, `${way}, ${when}`)
                for (const socket of server.open) socket.destroy()
                yield* server.allClosed
                yield* Effect.promise(turn)
              }
            }
          }
        })
      )

      live(
        `${what}: so it is with 64 of them at once`,
        Effect.gen(function* () {
          const { server, counts } = yield* echo
          for (const [when, wait] of moments) {
            const all = (kind: string) =>
              Effect.forEach(
                Array.from({ length: 64 }, (_, i) => `${kind} ${when} ${i}`),
                (body, i) =>
                  Effect.map(assertEchoed(server, body, WAYS[i % 2]!, when), () => {
                    assert.strictEqual(counts.get(body), 1)
                  }),
                { concurrency: "unbounded" }
              )
            yield* all("first")
            yield* Effect.promise(turn)
            for (const socket of server.open) interfere(socket)
            yield* wait
            yield* all("next")
            for (const socket of server.open) socket.destroy()
            yield* server.allClosed
            yield* Effect.promise(turn)
          }
        })
      )
    }
  })

  describe(`${name} and a connection that is closed around the next request`, () => {
    const closings = [
      ["closes", (socket: Net.Socket) => void socket.destroy()],
      ["closes its side of", (socket: Net.Socket) => void socket.end()],
      ["resets", (socket: Net.Socket) => void socket.resetAndDestroy()]
    ] as const
    /** When it is closed after the request was handed on; before that nothing may be lost. */
    const after: ReadonlyArray<readonly [when: string, close: (run: () => void) => void]> = [
      ["at once", (run) => run()],
      ["in a microtask", (run) => queueMicrotask(run)],
      ["in a tick", (run) => process.nextTick(run)],
      ["in a turn", (run) => void setImmediate(run)],
      ["in two turns", (run) => void setImmediate(() => setImmediate(run))],
      ["in three turns", (run) => void setImmediate(() => setImmediate(() => setImmediate(run)))],
      ["in a timer", (run) => void setTimeout(run, 1)]
    ]
    for (const [what, close] of closings) {
      live(
        `answers a request once or tells that the connection failed, when the endpoint ${what} it`,
        Effect.gen(function* () {
          const { server, counts } = yield* echo
          let sent = 0
          for (const way of WAYS) {
            for (const [when, later] of after) {
              for (let i = 0; i < 20; i++) {
                const first = `first ${sent}`
                yield* assertEchoed(server, first, way, `${way}, ${when}`)
                yield* Effect.promise(turn)
                const next = `next ${sent++}`
                const kept = [...server.open]
                const fiber = yield* Effect.forkChild(bodyOf(server, next, way), { startImmediately: true })
                later(() => {
                  for (const socket of kept) close(socket)
                })
                const result = yield* Effect.result(Fiber.join(fiber))
                if (Result.isSuccess(result)) assert.strictEqual(result.success, next)
                else {
                  assert.strictEqual(result.failure.phase, "connection", `${way}, ${when}`)
                  assert.oneOf(result.failure.code, ["ECONNRESET", "EPIPE", "INCOMPLETE_ANSWER"], `${way}, ${when}`)
                }
                assert.isAtMost(counts.get(next) ?? 0, 1, `${way}, ${when}`)
                if (Result.isSuccess(result)) assert.strictEqual(counts.get(next), 1, `${way}, ${when}`)
                // Whatever came of it, the next one is answered.
                for (const socket of server.open) socket.destroy()
                yield* server.allClosed
                yield* assertEchoed(server, `${next}, again`, way, `${way}, ${when}`)
              }
            }
          }
        })
      )

      live(
        `sends nothing twice that the endpoint has read, when it ${what} it in place of an answer`,
        Effect.gen(function* () {
          const asked: Array<string> = []
          const server = yield* rawServer({
            onRequest: ({ socket, body }) => {
              asked.push(body.toString())
              if (body.toString().startsWith("close")) close(socket)
              else socket.write(saying("ok"))
            }
          })
          const expected: Array<string> = []
          for (const way of WAYS) {
            for (let i = 0; i < 50; i++) {
              expected.push(`keep ${i}`, `close ${i}`)
              assert.strictEqual(yield* bodyOf(server, `keep ${i}`, way), "ok")
              const error = yield* Effect.flip(bodyOf(server, `close ${i}`, way))
              assert.strictEqual(error.phase, "connection")
              assert.oneOf(error.code, ["ECONNRESET", "INCOMPLETE_ANSWER"])
            }
          }
          assert.deepStrictEqual(asked, expected)
        })
      )
    }

    live(
      "gives up when the new connection breaks, too",
      Effect.gen(function* () {
        let isUp = true
        const server = yield* rawServer({
          onFirstBytes: (socket) => {
            if (!isUp) socket.resetAndDestroy()
          },
          onRequest: ({ socket }) => {
            if (isUp) socket.write(saying("ok"))
          }
        })
        for (const way of WAYS) {
          isUp = true
          yield* bodyOf(server, "first", way)
          const before = server.accepted()
          isUp = false
          for (const socket of server.open) socket.destroy()
          const error = yield* Effect.flip(bodyOf(server, "next", way))
          assert.deepStrictEqual([error.phase, error.code], ["connection", "ECONNRESET"])
          assert.strictEqual(server.accepted(), before + 1)
        }
      })
    )

    live(
      "tells of an endpoint that is gone",
      Effect.gen(function* () {
        for (const way of WAYS) {
          const scope = yield* Scope.make()
          const { server } = yield* Scope.provide(echo, scope)
          yield* bodyOf(server, "first", way)
          yield* Scope.close(scope, yield* Effect.exit(Effect.void))
          const error = yield* Effect.flip(bodyOf(server, "next", way))
          assert.deepStrictEqual([error.phase, error.code], ["connection", "ECONNREFUSED"])
        }
      })
    )

    live(
      "takes nothing for the next answer that came between the end of the last and the next request",
      Effect.gen(function* () {
        let beyond: ReadonlyArray<Buffer> = []
        const server = yield* rawServer({
          onRequest: ({ socket, body }) => void play(socket, [saying(body.toString()), ...beyond])
        })
        for (const way of WAYS) {
          for (let i = 0; i < 50; i++) {
            // The first is read alone; the second is there in the turn in which the next request is sent.
            beyond = [saying("unasked")]
            const bodies = yield* Effect.forEach([`a ${i}`, `b ${i}`, `c ${i}`], (body) => bodyOf(server, body, way))
            assert.deepStrictEqual(bodies, [`a ${i}`, `b ${i}`, `c ${i}`], `${way}, ${i}`)
          }
        }
      })
    )
  })

  describe(`${name} keeps a connection`, () => {
    it.live("for as long as the endpoint says, less two seconds, and not for its own time", () =>
      Effect.gen(function* () {
        const hints = ["timeout=3", "Timeout=3, max=100", "max=100, timeout=3", "max=5,timeout=3"]
        const servers = yield* Effect.forEach(hints, (hint) =>
          Effect.gen(function* () {
            const { server, state } = yield* echo
            state.hint = `connection: keep-alive\r\nkeep-alive: ${hint}\r\n`
            for (const way of WAYS) yield* bodyOf(server, "a", way)
            assert.strictEqual(server.accepted(), 1, hint)
            return server
          })
        )
        for (const server of servers) yield* server.allClosed
      }).pipe(Effect.provide(layerOptions({ keepAliveMs: 600_000 })))
    )

    it.live("no longer at all when the endpoint waits for two seconds or less", () =>
      Effect.gen(function* () {
        const { server, state } = yield* echo
        let connections = 0
        for (const way of WAYS) {
          for (const hint of ["timeout=2", "timeout=1", "timeout=0"]) {
            state.hint = `keep-alive: ${hint}\r\n`
            for (const body of ["a", "b"]) {
              yield* bodyOf(server, body, way)
              assert.strictEqual(server.accepted(), ++connections, `${way}, ${hint}`)
            }
            yield* server.allClosed
          }
        }
      }).pipe(Effect.provide(layerOptions({ keepAliveMs: 600_000 })))
    )

    it.live("longer than its own time when the endpoint says so", () =>
      Effect.gen(function* () {
        const { server, state } = yield* echo
        for (const way of WAYS) {
          for (const hint of ["timeout=60", "timeout=100000", "timeout=4000000", "timeout=99999999999999999999"]) {
            state.hint = `keep-alive: ${hint}\r\n`
            yield* bodyOf(server, "a", way)
            yield* Effect.sleep("150 millis")
            yield* bodyOf(server, "b", way)
            assert.strictEqual(server.accepted(), 1, `${way}, ${hint}`)
          }
        }
      }).pipe(Effect.provide(layerOptions({ keepAliveMs: 50 })))
    )

    it.live("for its own time when the endpoint says nothing that can be read", () =>
      Effect.gen(function* () {
        const { server, state } = yield* echo
        for (const way of WAYS) {
          for (const hint of [
            "",
            "timeout",
            "timeout=",
            "timeout=x",
            "timeout=-5",
            "max=100",
            "xtimeout=100",
            "close"
          ]) {
            state.hint = `keep-alive: ${hint}\r\n`
            const before = server.accepted()
            yield* bodyOf(server, "a", way)
            yield* server.allClosed
            yield* bodyOf(server, "b", way)
            yield* server.allClosed
            assert.strictEqual(server.accepted(), before + 2, `${way}, ${hint}`)
          }
        }
      }).pipe(Effect.provide(layerOptions({ keepAliveMs: 50 })))
    )

    live(
      "for the last answer's hint, and forgets that of the one before",
      Effect.gen(function* () {
        const { server, state } = yield* echo
        for (const way of WAYS) {
          state.hint = "keep-alive: timeout=60\r\n"
          yield* bodyOf(server, "a", way)
          state.hint = "keep-alive: timeout=1\r\n"
          yield* bodyOf(server, "b", way)
          yield* server.allClosed
        }
        assert.strictEqual(server.accepted(), 2)
      })
    )

    live(
      "whose answer was held back while it was read slowly, or not read at all by then",
      Effect.gen(function* () {
        const large = "0123456789abcdef".repeat(64 * 1024)
        const small = "0123456789abcdef".repeat(4 * 1024)
        const server = yield* rawServer({ onRequest: ({ socket, path }) => void socket.write(saying(ANSWERS[path]!)) })
        const ANSWERS: Record<string, string> = { "/large": large, "/small": small, "/ok": "ok" }
        const transport = yield* Transport
        const slowly = <E>(body: Stream.Stream<Uint8Array, E>) =>
          Effect.map(Stream.runCollect(Stream.tap(body, () => Effect.promise(turn))), (chunks) =>
            Buffer.concat(chunks).toString()
          )
        for (let i = 0; i < 5; i++) {
          const answer = yield* transport.open(request(server.origin, { path: "/large", timeouts }))
          yield* Effect.sleep("5 millis")
          assert.isTrue((yield* slowly(answer.body)) === large)
          // It is whole long before anyone reads it.
          const unread = yield* transport.open(request(server.origin, { path: "/small", timeouts }))
          yield* Effect.sleep("5 millis")
          for (const way of WAYS) {
            assert.strictEqual((yield* ways[way](request(server.origin, { path: "/ok", timeouts }))).body, "ok")
          }
          assert.isTrue((yield* slowly(unread.body)) === small)
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      "for nobody who asks another endpoint",
      Effect.gen(function* () {
        const { server: one } = yield* echo
        const { server: other } = yield* echo
        for (let i = 0; i < 10; i++) {
          assert.strictEqual(yield* bodyOf(one, `one ${i}`), `one ${i}`)
          assert.strictEqual(yield* bodyOf(other, `other ${i}`), `other ${i}`)
        }
        assert.deepStrictEqual([one.accepted(), one.requests()], [1, 10])
        assert.deepStrictEqual([other.accepted(), other.requests()], [1, 10])
      })
    )

    live(
      "not when its request asks to close it",
      Effect.gen(function* () {
        const { server } = yield* echo
        for (const [i, way] of WAYS.entries()) {
          const wire = request(server.origin, { headers: ["connection", "close"], timeouts })
          yield* ways[way](wire)
          assert.strictEqual(server.accepted(), i + 1)
          yield* server.allClosed
        }
      })
    )
  })
}
