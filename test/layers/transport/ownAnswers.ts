/** That each of many requests gets its own answer, whatever becomes of their connections. */
import type * as Net from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { Prng } from "../../../src/domain/sandbox/Prng.ts"
import { request } from "./conformance.ts"
import { type SocketTraits, timeouts, WAYS, ways } from "./exchanges.ts"
import { bytesOf, cutInto, play, type RawRequest, rawServer, turn } from "./rawServer.ts"
import { saying } from "./requests.ts"

export const ownAnswerConformance = (name: string, { layer }: SocketTraits) => {
  describe(`${name} under load`, () => {
    it.live("gives each of 1,000 requests over 8 connections its own answer, cut at random", () =>
      Effect.gen(function* () {
        const prng = new Prng(1, 0)
        const below = (bound: number) => Math.floor(prng.uniform() * bound)
        const server = yield* rawServer({
          onRequest: ({ socket, body }) => {
            const bytes = below(2) === 0 ? saying(body.toString()) : chunkedOf(body, 1 + below(40))
            void play(
              socket,
              cutInto(
                bytes,
                Array.from({ length: 1 + below(6) }, () => 1 + below(80))
              )
            )
          }
        })
        const bodies = Array.from({ length: 1_000 }, (_, i) => `${i}: ${"grüße 🐢 ".repeat(i % 13)}`)
        const answers = yield* Effect.forEach(
          bodies,
          (body, i) => ways[WAYS[i % 2]!](request(server.origin, { body, timeouts })),
          { concurrency: 8 }
        )
        assert.deepStrictEqual(
          answers.map(({ body }) => body),
          bodies
        )
        assert.deepStrictEqual([server.accepted(), server.requests()], [8, 1_000])
      }).pipe(Effect.provide(layer))
    )

    it.live.prop(
      "gives each request its own answer, or none, whatever becomes of the connections",
      {
        fates: Schema.Array(
          Schema.Literals([
            "keep",
            "keep",
            "keep",
            "chunks",
            "close",
            "end",
            "destroy later",
            "unasked later",
            "beyond",
            "cut off",
            "garbage",
            "reset"
          ])
        ).check(Schema.isBetweenLength(1, 60)),
        width: Schema.Literals([1, 2, 8])
      },
      ({ fates, width }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const asked: Array<string> = []
            const server = yield* rawServer({
              onRequest: (received) => {
                asked.push(received.body.toString())
                void befall(received, fates[Number(received.path.slice(1))]!)
              }
            })
            const results = yield* Effect.forEach(
              fates,
              (fate, i) =>
                Effect.result(
                  ways[WAYS[i % 2]!](request(server.origin, { path: `/${i}`, body: `${i} ${fate}`, timeouts }))
                ),
              { concurrency: width }
            )
            for (const [i, result] of results.entries()) {
              const fate = fates[i]!
              if (Result.isSuccess(result)) {
                assert.strictEqual(result.success.body, `${i} ${fate}`)
                assert.notInclude(["cut off", "garbage", "reset"], fate)
                continue
              }
              assert.strictEqual(result.failure.phase, "connection")
              assert.oneOf(result.failure.code, ["INVALID_ANSWER", "INCOMPLETE_ANSWER", "ECONNRESET", "EPIPE"])
            }
            assert.strictEqual(new Set(asked).size, asked.length, "none is sent twice")
            if (!fates.some((fate) => FATAL.includes(fate))) {
              assert.isTrue(results.every(Result.isSuccess))
            }
            assert.isAtMost(server.accepted(), fates.length)
          }).pipe(Effect.provide(layer))
        ),
      { arbitrary: { runs: 100 }, timeout: 60_000 }
    )
  })
}

/** With these some request may fail: its own, or one that is being written as the connection closes. */
const FATAL = ["cut off", "garbage", "reset", "end", "destroy later", "unasked later", "beyond"]

/** What each connection was asked last. */
const answered = new WeakMap<Net.Socket, Buffer>()

const befall = async ({ socket, body }: RawRequest, fate: string): Promise<void> => {
  answered.set(socket, body)
  const answer = saying(body.toString())
  switch (fate) {
    case "chunks":
      return play(socket, cutInto(chunkedOf(body, 3), [7]))
    case "close":
      return play(socket, [bytesOf("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"), body], "end")
    case "end":
      return play(socket, [answer], "end")
    case "destroy later":
      await play(socket, [answer])
      await turn()
      await turn()
      socket.destroy()
      return
    case "unasked later":
      await play(socket, [answer])
      for (let turns = 0; turns < 5; turns++) await turn()
      // Unless it is asked something again by then.
      if (answered.get(socket) === body) socket.write("\r\n")
      return
    case "beyond":
      return play(socket, [Buffer.concat([answer, saying("unasked")])])
    case "cut off":
      return play(socket, [answer.subarray(0, answer.length - 2)], "end")
    case "garbage":
      return play(socket, [bytesOf("HTTP/1.1 OK\r\n\r\n")])
    case "reset":
      return play(socket, [answer.subarray(0, 20), Buffer.alloc(0)], "reset")
    default:
      return play(socket, [answer])
  }
}

const chunkedOf = (body: Buffer, size: number): Buffer =>
  Buffer.concat([
    bytesOf("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
    ...cutInto(body, [size]).flatMap((part) => [bytesOf(`${part.length.toString(16)}\r\n`), part, bytesOf("\r\n")]),
    bytesOf("0\r\n\r\n")
  ])
