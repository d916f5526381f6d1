/** What a transport on its own sockets makes of requests: what arrives, what is refused, and what is answered early. */
import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema, type Scope, Stream } from "effect"
import { Transport } from "../../../src/services/Transport.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import { countSends, request } from "./conformance.ts"
import { type SocketTraits, timeouts, WAYS, ways } from "./exchanges.ts"
import { bytesOf, play, type RawRequest, rawServer } from "./rawServer.ts"

const MIB = 1024 * 1024

/** An answer that says this. */
export const saying = (body: string): Buffer => {
  const bytes = Buffer.from(body)
  return Buffer.concat([bytesOf(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n`), bytes])
}

const hashOf = (body: string | Buffer) => createHash("sha256").update(body).digest("hex")

/** Characters of one to four bytes, so that nothing but the right bytes has their hash. */
const largeBody = (bytes: number) => {
  const lines = Array.from({ length: 1_000 }, (_, i) => `${i}: grüße, 日本語, 🐢\n`).join("")
  return lines.repeat(Math.ceil(bytes / Buffer.byteLength(lines)))
}

export const requestConformance = (name: string, { layer }: SocketTraits) => {
  const live = (sentence: string, test: Effect.Effect<void, unknown, Transport | Scope.Scope>) =>
    it.live(sentence, () => Effect.provide(test, layer))

  describe(`${name} writes requests that`, () => {
    live(
      "are HTTP/1.1, with the host and the length in bytes",
      Effect.gen(function* () {
        const seen: Array<RawRequest> = []
        const server = yield* rawServer({
          onRequest: (received) => {
            seen.push(received)
            void play(received.socket, [saying("ok")])
          }
        })
        for (const way of WAYS) {
          yield* ways[way](request(server.origin, { path: "/a?b=c%20d&e=~", body: "grüße 🐢" }))
          yield* ways[way](request(server.origin, { body: "" }))
          yield* ways[way](request(server.origin, { method: "GET", body: "" }))
        }
        const host = `host: ${new URL(server.origin).host}`
        for (const [i, { line, headers }] of seen.entries()) {
          const [expected, length] = [
            ["POST /a?b=c%20d&e=~ HTTP/1.1", 12],
            ["POST /v1/chat HTTP/1.1", 0],
            ["GET /v1/chat HTTP/1.1", undefined]
          ][i % 3]!
          assert.strictEqual(line, expected)
          const names = headers.map((header) => header.toLowerCase())
          assert.strictEqual(names.filter((header) => header === host).length, 1)
          assert.deepStrictEqual(
            names.filter((header) => header.startsWith("content-length:")),
            length === undefined ? [] : [`content-length: ${length}`]
          )
          assert.include(headers, "content-type: application/json")
        }
        assert.strictEqual(server.accepted(), 1)
      })
    )

    const Value = Schema.Array(Schema.Literals([..."aZ09 \t:;,=\"'\\/{}%\x80\xa0\xff"])).check(Schema.isMaxLength(20))
    it.live.prop(
      "arrive exactly as they are",
      {
        requests: Schema.Array(
          Schema.Struct({
            path: Schema.Array(Schema.Literals([..."/aZ09?&=%~!$'()*+,;:@[]{}|^\"<>\\"])).check(Schema.isMaxLength(20)),
            names: Schema.Array(Schema.Literals([..."abXYZ09!#$%&'*+.^_`|~-"])).check(Schema.isMaxLength(10)),
            values: Schema.Array(Value).check(Schema.isMaxLength(4)),
            body: Schema.String,
            way: Schema.Literals(WAYS)
          })
        ).check(Schema.isMaxLength(5))
      },
      ({ requests }) =>
        Effect.scoped(
          Effect.gen(function* () {
            let seen: RawRequest | undefined
            const server = yield* rawServer({
              onRequest: (received) => {
                seen = received
                void play(received.socket, [saying("ok")])
              }
            })
            for (const { path, names, values, body, way } of requests) {
              const headers = values.flatMap((value, i) => [`x-${names.join("")}${i}`, value.join("")])
              const wire = request(server.origin, { path: `/${path.join("")}`, headers, body, timeouts })
              assert.strictEqual((yield* ways[way](wire)).body, "ok")
              assert.strictEqual(seen?.path, wire.path)
              const arrived = seen?.headers.filter((header) => header.startsWith("x-")) ?? []
              assert.deepStrictEqual(
                arrived.map((header) => [
                  header.slice(0, header.indexOf(":")),
                  header.slice(header.indexOf(":") + 1).replace(/^[ \t]+|[ \t]+$/g, "")
                ]),
                values.map((value, i) => [`x-${names.join("")}${i}`, value.join("").replace(/^[ \t]+|[ \t]+$/g, "")])
              )
              assert.isTrue(seen?.body.equals(Buffer.from(body)))
            }
            assert.isAtMost(server.accepted(), 1)
          }).pipe(Effect.provide(layer))
        ),
      { arbitrary: { runs: 150, ...listsUpTo(40) } }
    )

    for (const [kind, headers] of [
      ["plain headers", ["x-key", "k"]],
      ["headers of latin1", ["x-key", "caf\xe9"]]
    ] as const) {
      for (const [what, body] of [
        ["10 MB of characters of one byte", "0123456789abcdef".repeat((10 * MIB) / 16)],
        ["10 MB of characters of one to four bytes", largeBody(10 * MIB)]
      ] as const) {
        live(
          `are large and arrive exactly: ${what}, ${kind}`,
          Effect.gen(function* () {
            const server = yield* rawServer({
              onFirstBytes: (socket) => {
                // An endpoint that does not read all the time.
                socket.pause()
                setTimeout(() => socket.resume(), 20)
              },
              onRequest: ({ socket, body, headers: [...arrived] }) => {
                const key = arrived.find((header) => header.startsWith("x-key"))
                void play(socket, [saying(JSON.stringify([body.length, hashOf(body), key]))])
              }
            })
            const wire = request(server.origin, { headers, body, timeouts })
            const expected = [Buffer.byteLength(body), hashOf(body), headers.join(": ")]
            for (const way of WAYS) {
              assert.deepStrictEqual(JSON.parse((yield* ways[way](wire)).body), expected)
            }
            const both = yield* Effect.forEach(WAYS, (way) => ways[way](wire), { concurrency: "unbounded" })
            for (const answer of both) assert.deepStrictEqual(JSON.parse(answer.body), expected)
            assert.strictEqual(server.accepted(), 2, "connections are used again")
          })
        )
      }
    }
  })

  describe(`${name} and an answer that comes while a large request is still being written`, () => {
    // More than fits into the buffers of both ends.
    const body = "0123456789abcdef".repeat(2 * MIB)
    const refusing = bytesOf("HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")

    for (const [what, then] of [
      ["goes on reading", () => {}],
      ["reads no more", (socket) => void socket.pause()],
      ["closes its side", (socket) => void socket.pause().end()]
    ] as ReadonlyArray<readonly [string, (socket: RawRequest["socket"]) => void]>) {
      live(
        `counts, and the connection is not used again: the endpoint ${what}`,
        Effect.gen(function* () {
          const server = yield* rawServer({
            onFirstBytes: (socket) => {
              socket.write(refusing)
              then(socket)
            },
            onRequest: () => {}
          })
          let connections = 0
          for (const way of WAYS) {
            for (let i = 0; i < 5; i++) {
              const { listener, sends } = countSends()
              const answer = yield* ways[way](request(server.origin, { body, timeouts }), listener)
              assert.deepStrictEqual([answer.status, answer.body], [413, "too large"])
              assert.strictEqual(server.accepted(), ++connections)
              assert.strictEqual(sends(), 1)
              // One that does not read does not see that the connection has closed.
              for (const socket of server.open) socket.resume()
              yield* server.allClosed
            }
          }
          assert.strictEqual(server.requests(), 0)
        })
      )
    }

    live(
      "is read as it comes, and nothing more of the request is written once it is whole",
      Effect.gen(function* () {
        let answering: RawRequest["socket"] | undefined
        const server = yield* rawServer({
          onFirstBytes: (socket) => {
            answering = socket.pause()
            socket.write("HTTP/1.1 400 No\r\ntransfer-encoding: chunked\r\n\r\n")
          },
          onRequest: () => {}
        })
        const transport = yield* Transport
        const answer = yield* transport.open(request(server.origin, { body, timeouts }))
        assert.strictEqual(answer.status, 400)
        const reader = yield* Effect.forkChild(Stream.runCollect(answer.body))
        answering?.write("5\r\nhello\r\n0\r\n\r\n")
        assert.strictEqual(Buffer.concat(yield* Fiber.join(reader)).toString(), "hello")
        answering?.resume()
        yield* server.allClosed
        assert.strictEqual(server.requests(), 0)
        assert.isBelow(server.received(), body.length)
      })
    )

    live(
      "that is no HTTP is refused, and the transport is fit for the next request",
      Effect.gen(function* () {
        let isBad = true
        const server = yield* rawServer({
          onFirstBytes: (socket) => {
            if (isBad) socket.write("HTTP/1.1 OK\r\n\r\n")
          },
          onRequest: ({ socket }) => {
            if (!isBad) void play(socket, [saying("ok")])
          }
        })
        for (const way of WAYS) {
          isBad = true
          const error = yield* Effect.flip(ways[way](request(server.origin, { body, timeouts })))
          assert.deepStrictEqual([error.phase, error.code], ["connection", "INVALID_ANSWER"])
          yield* server.allClosed
          isBad = false
          assert.strictEqual((yield* ways[way](request(server.origin, { body, timeouts }))).body, "ok")
          for (const socket of server.open) socket.destroy()
          yield* server.allClosed
        }
      })
    )
  })

  describe(`${name} refuses to send`, () => {
    const SECRET = "s3cr3t"
    type Refused = readonly [what: string, wire: Parameters<typeof request>[1], names?: string]
    const value = (what: string, wrong: string): Refused => [
      `a value with ${what}`,
      { headers: ["x-good", "1", "X-Key", `${SECRET}${wrong}${SECRET}`] },
      "x-key"
    ]
    const named = (what: string, wrong: string): Refused => [
      `a name with ${what}`,
      { headers: ["x-good", "1", `x${wrong}y`, SECRET] }
    ]
    const path = (what: string, wrong: string): Refused => [`a path with ${what}`, { path: `/${SECRET}${wrong}x` }]
    const characters = [
      ["CR LF", "\r\n"],
      ["CR LF and a header", "\r\nx-evil: 1"],
      ["CR LF and a request", " HTTP/1.1\r\n\r\nGET /evil HTTP/1.1\r\n\r\n"],
      ["a bare CR", "\r"],
      ["a bare LF", "\n"],
      ["a NUL", "\0"],
      ["a control character", "\x1b"],
      ["a DEL", "\x7f"],
      ["a character over 0xff", "\u0100"],
      // Their lower bytes are CR and LF, which is what a cut to latin1 would write.
      ["characters whose lower bytes are CR LF", "\u010d\u010a"],
      ["characters of other kinds whose lower bytes are CR LF", "\u560d\u560a"],
      ["a line separator", "\u2028"],
      ["half a surrogate pair", "\ud800"],
      ["an emoji", "🐢"]
    ] as const
    const refused: ReadonlyArray<Refused> = [
      ...characters.map(([what, wrong]) => value(what, wrong)),
      ["a value of only CR LF", { headers: ["x-key", "\r\n"] }, "x-key"],
      ["a value that ends in LF", { headers: ["x-key", `${SECRET}\n`] }, "x-key"],
      ["a value that begins with CR LF", { headers: ["x-key", `\r\n ${SECRET}`] }, "x-key"],
      ...characters.map(([what, wrong]) => named(what, wrong)),
      ...Array.from(`"(),/:;<=>?@[\\]{} \t`, (character) => named(`'${character}'`, character)),
      named("a byte over 0x7f", "\xe9"),
      ["an empty name", { headers: ["", SECRET] }],
      ...characters.map(([what, wrong]) => path(what, wrong)),
      path("a space", " "),
      path("a tab", "\t"),
      ...["content-length", "Content-Length", "transfer-encoding", "Transfer-Encoding"].flatMap(
        (header): ReadonlyArray<Refused> =>
          ["14", "0", "chunked", ""].map((given) => [`${header} '${given}'`, { headers: [header, given] }, header])
      )
    ]
    for (const [what, wire, names] of refused) {
      live(
        what,
        Effect.gen(function* () {
          const server = yield* rawServer({ onRequest: ({ socket }) => void play(socket, [saying("ok")]) })
          for (const way of WAYS) {
            const { listener, sends } = countSends()
            const error = yield* Effect.flip(ways[way](request(server.origin, wire), listener))
            assert.deepStrictEqual([error.phase, error.code], ["connection", "INVALID_REQUEST"])
            assert.include(error.message, server.origin)
            if (names !== undefined) assert.include(error.message.toLowerCase(), names.toLowerCase())
            assert.notInclude(error.message, SECRET)
            assert.isFalse(hasControl(error.message), "the message is one line")
            assert.strictEqual(sends(), 0)
          }
          assert.strictEqual(server.received(), 0)
          // A connection that stands is not harmed either.
          for (const way of WAYS) assert.strictEqual((yield* ways[way](request(server.origin))).body, "ok")
          for (const way of WAYS) yield* Effect.flip(ways[way](request(server.origin, wire)))
          for (const way of WAYS) assert.strictEqual((yield* ways[way](request(server.origin))).body, "ok")
          assert.deepStrictEqual([server.requests(), server.accepted()], [4, 1])
        })
      )
    }
  })
}

const hasControl = (text: string) => Array.from(text).some((character) => character < " " || character === "\x7f")
