/** What a transport on its own sockets makes of the bytes of answers (RFC 9112). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, type Scope, Stream } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { request } from "./conformance.ts"
import {
  assertFit,
  type Exchanged,
  errorOf,
  everyCut,
  plain,
  type SocketTraits,
  scripted,
  timeouts,
  WAYS
} from "./exchanges.ts"
import { MARK, refusedAnswers, type TakenAnswer, takenAnswers, wholeAnswers } from "./rawAnswers.ts"
import { bytesOf, cutInto, type Ending, play, type RawServer, rawServer, turn } from "./rawServer.ts"

export const answerConformance = (name: string, { layer, smallBodies, layerOptions }: SocketTraits) => {
  const live = (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) =>
    it.live(sentence, () => Effect.provide(test, layer))

  describe(`${name} takes an answer with`, () => {
    const taken = ({ raw, status = 200, headers, body = "", isReused, isEndedByClose }: TakenAnswer) =>
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const expected = { status, headers: Object.entries(headers).sort(), body }
        const ending = isEndedByClose ? "end" : "keep"
        let exchanges = 0
        for (const [hint, way, pieces] of everyCut(bytesOf(raw))) {
          const result = yield* exchange(way, pieces, ending)
          assert.deepStrictEqual(plain(result), expected, hint)
          exchanges++
          assert.strictEqual(server.accepted(), isReused ? 1 : exchanges, `connections, ${hint}`)
        }
        assert.strictEqual(server.requests(), exchanges)
        if (!isReused) yield* server.allClosed
      })
    for (const answer of takenAnswers) live(answer.what, taken(answer))
  })

  describe(`${name} refuses an answer with`, () => {
    const refused = (raw: string) =>
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        let exchanges = 0
        for (const [hint, way, pieces] of everyCut(bytesOf(raw))) {
          const error = errorOf(yield* exchange(way, pieces), hint)
          assert.deepStrictEqual([error.phase, error.code], ["connection", "INVALID_ANSWER"], hint)
          assert.include(error.message, server.origin)
          assert.notInclude(error.message, MARK)
          exchanges++
          assert.strictEqual(server.requests(), exchanges, `requests, ${hint}`)
        }
        assert.strictEqual(server.accepted(), exchanges)
        yield* server.allClosed
        yield* assertFit(exchange)
      })
    for (const [what, raw] of refusedAnswers) live(what, refused(raw))
  })

  describe(`${name} tells of an answer that is not whole:`, () => {
    for (const [ending, code] of [
      ["end", "INCOMPLETE_ANSWER"],
      ["reset", "ECONNRESET"]
    ] as const) {
      const assertBroken = (server: RawServer, result: Exchanged, hint: string) => {
        const error = errorOf(result, hint)
        assert.deepStrictEqual([error.phase, error.code], ["connection", code], hint)
        assert.include(error.message, server.origin)
      }
      for (const [what, raw] of wholeAnswers) {
        live(
          `${what}, ${ending} at every byte`,
          Effect.gen(function* () {
            const { server, exchange } = yield* scripted
            const bytes = bytesOf(raw)
            for (const way of WAYS) {
              for (let length = 0; length < bytes.length; length++) {
                const hint = `${way}, ${ending} after ${length}`
                assertBroken(server, yield* exchange(way, [bytes.subarray(0, length)], ending), hint)
              }
            }
            assert.strictEqual(server.requests(), 2 * bytes.length, "none is sent twice")
            yield* assertFit(exchange)
          })
        )
      }

      live(
        `a body until close, ${ending} at every byte`,
        Effect.gen(function* () {
          const { server, exchange } = yield* scripted
          const head = "HTTP/1.1 200 OK\r\nx-a: 1\r\n\r\n"
          const bytes = bytesOf(`${head}hello`)
          for (const way of WAYS) {
            for (let length = 0; length <= bytes.length; length++) {
              const hint = `${way}, ${ending} after ${length}`
              // In two pieces, so that they have been read before the reset.
              const pieces = [bytes.subarray(0, length), Buffer.alloc(0)]
              const result = yield* exchange(way, pieces, ending)
              if (length < head.length || ending === "reset") assertBroken(server, result, hint)
              else {
                const body = "hello".slice(0, length - head.length)
                assert.deepStrictEqual(plain(result), { status: 200, headers: [["x-a", "1"]], body }, hint)
              }
            }
          }
          assert.strictEqual(server.requests(), 2 * (bytes.length + 1), "none is sent twice")
          yield* assertFit(exchange)
        })
      )
    }
  })

  describe(`${name} and large answers`, () => {
    const fillers = (bytes: number) => `x-filler: ${"f".repeat(989)}\r\n`.repeat(Math.ceil(bytes / 1_000))

    /** Heads by what they are made of, so many bytes or a little more. */
    const heads: ReadonlyArray<readonly [what: string, ofSize: (bytes: number) => string]> = [
      ["one long value", (bytes) => `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(bytes)}\r\n`],
      ["one long name", (bytes) => `HTTP/1.1 200 OK\r\n${"a".repeat(bytes)}: 1\r\n`],
      ["a long reason", (bytes) => `HTTP/1.1 200 ${"a".repeat(bytes)}\r\n`],
      ["many headers", (bytes) => `HTTP/1.1 200 OK\r\n${"x-a: 1\r\n".repeat(bytes / 8)}`],
      ["long headers", (bytes) => `HTTP/1.1 200 OK\r\n${fillers(bytes)}`]
    ]
    for (const [what, ofSize] of heads) {
      live(
        `take a head of 62,000 bytes and refuse one of 66,000: ${what}`,
        Effect.gen(function* () {
          const { server, exchange } = yield* scripted
          for (const way of WAYS) {
            for (const sizes of [[], [1_000], [65_536], [61_999, 1, 1, 1]]) {
              const good = `${ofSize(62_000)}content-length: 2\r\n\r\nok`
              const result = yield* exchange(way, cutInto(bytesOf(good), sizes))
              assert.strictEqual(Result.getOrThrow(result).body, "ok", `${way}, ${sizes}`)
              // It is refused for what there is of it, with or without its end.
              for (const end of ["", "content-length: 2\r\n\r\nok"]) {
                const bad = bytesOf(ofSize(66_000) + end)
                const error = errorOf(yield* exchange(way, cutInto(bad, sizes)), `${way}, ${sizes}`)
                assert.deepStrictEqual([error.phase, error.code], ["connection", "HEADERS_TOO_LARGE"])
                assert.include(error.message, server.origin)
              }
            }
          }
          yield* assertFit(exchange)
        })
      )
    }

    live(
      "refuse a line of the head that never ends",
      Effect.gen(function* () {
        const { exchange } = yield* scripted
        for (const way of WAYS) {
          for (const begin of ["HTTP/1.1 200 ", "HTTP/1.1 200 OK\r\nx-a", "HTTP/1.1 200 OK\r\nx-a: "]) {
            const error = errorOf(yield* exchange(way, [bytesOf(begin + "a".repeat(70_000))]), begin)
            assert.strictEqual(error.code, "HEADERS_TOO_LARGE", begin)
          }
        }
      })
    )

    live(
      "refuse what is passed over when it never ends",
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        for (const way of WAYS) {
          for (const begin of [
            `${head}1;${"a".repeat(1_000_000)}`,
            `${head}1\r\na\r\n0\r\nx-a: ${"a".repeat(1_000_000)}`,
            `${head}1\r\na\r\n0\r\n${"x-a: 1\r\n".repeat(200_000)}`
          ]) {
            const error = errorOf(yield* exchange(way, [bytesOf(begin)]), begin.slice(0, 100))
            assert.strictEqual(error.phase, "connection")
            assert.oneOf(error.code, ["HEADERS_TOO_LARGE", "INVALID_ANSWER"])
          }
        }
        yield* server.allClosed
        yield* assertFit(exchange)
      })
    )

    live(
      "take an answer after 5,000 interim answers",
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const raw = `${"HTTP/1.1 100 Continue\r\n\r\n".repeat(5_000)}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`
        for (const way of WAYS) {
          for (const sizes of [[], [1_000], [26]]) {
            const result = yield* exchange(way, cutInto(bytesOf(raw), sizes))
            assert.deepStrictEqual(plain(result), { status: 200, headers: [["content-length", "2"]], body: "ok" })
          }
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      "take 100,000 chunks of one byte",
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const body = "0123456789".repeat(10_000)
        const chunks = Array.from(body, (byte) => `1\r\n${byte}\r\n`).join("")
        const bytes = bytesOf(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
        for (const way of WAYS) {
          for (const sizes of [[], [997], [65_536]]) {
            const result = yield* exchange(way, cutInto(bytes, sizes))
            assert.isTrue(Result.getOrThrow(result).body === body, `${way}, ${sizes}`)
          }
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    live(
      "are given to the end that is said by closing, however late they are read",
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const body = "0123456789abcdef".repeat(64 * 1024)
        const bytes = bytesOf(`HTTP/1.1 200 OK\r\n\r\n${body}`)
        assert.isTrue(Result.getOrThrow(yield* exchange("send", [bytes], "end")).body === body)

        const late = yield* rawServer({ onRequest: ({ socket }) => void play(socket, [bytes], "end") })
        const transport = yield* Transport
        const answer = yield* transport.open(request(late.origin, { timeouts }))
        // The endpoint has closed, or is held back, long before it is read.
        yield* Effect.sleep("50 millis")
        const chunks = yield* Stream.runCollect(Stream.tap(answer.body, () => Effect.promise(turn)))
        assert.isTrue(Buffer.concat(chunks).toString() === body)
        yield* server.allClosed
        yield* late.allClosed
      })
    )

    it.live("are taken up to the limit for bodies in each framing, and refused beyond it", () =>
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const chunk = (length: number) => `${length.toString(16)}\r\n${"x".repeat(length)}\r\n`
        const framings: ReadonlyArray<readonly [name: string, ofSize: (bytes: number) => string, ending: Ending]> = [
          ["length", (bytes) => `content-length: ${bytes}\r\n\r\n${"x".repeat(bytes)}`, "keep"],
          ["one chunk", (bytes) => `transfer-encoding: chunked\r\n\r\n${chunk(bytes)}0\r\n\r\n`, "keep"],
          [
            "chunks",
            (bytes) => `transfer-encoding: chunked\r\n\r\n${chunk(1).repeat(bytes - 500)}${chunk(500)}0\r\n\r\n`,
            "keep"
          ],
          ["until close", (bytes) => `\r\n${"x".repeat(bytes)}`, "end"]
        ]
        for (const way of WAYS) {
          for (const [framing, ofSize, ending] of framings) {
            for (const sizes of [[], [100], [7, 1, 300]]) {
              const hint = `${way}, ${framing}, ${sizes}`
              const raw = (bytes: number) => cutInto(bytesOf(`HTTP/1.1 200 OK\r\n${ofSize(bytes)}`), sizes)
              assert.strictEqual(Result.getOrThrow(yield* exchange(way, raw(1_000), ending)).body.length, 1_000, hint)
              for (const size of [1_001, 100_000]) {
                const error = errorOf(yield* exchange(way, raw(size), ending), hint)
                assert.deepStrictEqual([error.phase, error.code], ["connection", "BODY_TOO_LARGE"], hint)
                assert.include(error.message, server.origin)
              }
            }
          }
        }
        yield* server.allClosed
        yield* assertFit(exchange)
      }).pipe(Effect.provide(smallBodies))
    )

    it.live("are refused for the length that they say, before any of it comes", () =>
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        for (const way of WAYS) {
          for (const length of ["1001", "0001001", String(2 ** 31), String(2 ** 53), "9".repeat(20), "9".repeat(400)]) {
            const head = `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`
            const error = errorOf(yield* exchange(way, [bytesOf(head)]), `${way}, ${length}`)
            assert.deepStrictEqual([error.phase, error.code], ["connection", "BODY_TOO_LARGE"], `${way}, ${length}`)
          }
        }
        yield* server.allClosed
      }).pipe(Effect.provide(smallBodies))
    )

    it.live("do not count where there is no body", () =>
      Effect.gen(function* () {
        const { server, exchange } = yield* scripted
        const bytes = bytesOf("HTTP/1.1 304 Not Modified\r\ncontent-length: 100000\r\n\r\n")
        for (const way of WAYS) assert.strictEqual(Result.getOrThrow(yield* exchange(way, [bytes])).status, 304)
        assert.strictEqual(server.accepted(), 1)
      }).pipe(Effect.provide(layerOptions({ maxBodyBytes: 1_000 })))
    )
  })
}
