/** What a transport on its own sockets makes of any bytes at all. */
import * as Http from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { listsUpTo } from "../../support/RandomLists.ts"
import { assertFit, plain, type SocketTraits, scripted, WAYS } from "./exchanges.ts"
import { Answer, Damage, damaged, Garbage, rendered } from "./randomAnswers.ts"
import { bytesOf, cutInto } from "./rawServer.ts"

export const randomAnswerConformance = (name: string, { layer }: SocketTraits) => {
  describe(`${name} and random answers`, () => {
    const Cuts = Schema.Array(Schema.Literals([1, 1, 2, 3, 5, 17, 100, 1_000, 20_000]))
    const Ways = Schema.Literals(WAYS)

    it.live.prop(
      "takes them exactly as they are, one after the other, however they are cut",
      {
        exchanges: Schema.Array(Schema.Struct({ answer: Answer, cuts: Cuts, way: Ways })).check(Schema.isMaxLength(8))
      },
      ({ exchanges }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { server, exchange } = yield* scripted
            let connections = 0
            let isKept = false
            for (const { answer, cuts, way } of exchanges) {
              const { bytes, status, headers, body, isReused, isEndedByClose } = rendered(answer)
              const result = yield* exchange(
                way,
                cutInto(bytes, bytes.length > 5_000 ? [997] : cuts),
                isEndedByClose ? "end" : "keep"
              )
              assert.deepStrictEqual(plain(result), {
                status,
                headers: Object.entries(headers).sort(),
                body: body.toString()
              })
              if (!isKept) connections++
              isKept = isReused
              assert.strictEqual(server.accepted(), connections)
            }
            assert.strictEqual(server.requests(), exchanges.length)
          }).pipe(Effect.provide(layer))
        ),
      { arbitrary: { runs: 200, ...listsUpTo(60) }, timeout: 60_000 }
    )

    it.live.prop(
      "always end, in an answer or a failure, when they are wrong, and leave it fit for the next request",
      {
        exchanges: Schema.Array(
          Schema.Struct({
            raw: Schema.Union([
              Schema.Struct({ answer: Answer, damages: Schema.Array(Damage).check(Schema.isMaxLength(4)) }),
              Garbage
            ]),
            cuts: Cuts,
            way: Ways,
            ending: Schema.Literals(["end", "reset"])
          })
        ).check(Schema.isMaxLength(8))
      },
      ({ exchanges }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { server, exchange } = yield* scripted
            for (const { raw, cuts, way, ending } of exchanges) {
              const bytes = "answer" in raw ? damaged(rendered(raw.answer).bytes, raw.damages) : bytesOf(raw.join(""))
              const result = yield* exchange(way, cutInto(bytes, bytes.length > 5_000 ? [997] : cuts), ending)
              if (Result.isSuccess(result)) {
                assert.isTrue(result.success.status >= 0 && result.success.status <= 999)
                continue
              }
              assert.strictEqual(result.failure.phase, "connection", "no limit had to pass")
              assert.oneOf(result.failure.code, CODES)
              assert.include(result.failure.message, server.origin)
            }
            assert.strictEqual(server.requests(), exchanges.length, "none is sent twice")
            yield* assertFit(exchange)
          }).pipe(Effect.provide(layer))
        ),
      { arbitrary: { runs: 300, ...listsUpTo(60) }, timeout: 60_000 }
    )

    it.live.prop(
      "reads none otherwise than Node's own client does, if it takes it",
      {
        answers: Schema.Array(
          Schema.Struct({ answer: Answer, damages: Schema.Array(Damage).check(Schema.isMaxLength(2)), way: Ways })
        ).check(Schema.isMaxLength(8))
      },
      ({ answers }) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { server, exchange } = yield* scripted
            for (const { answer, damages, way } of answers) {
              const bytes = damaged(rendered(answer).bytes, damages)
              const ours = yield* exchange(way, [bytes], "end")
              const nodes = yield* Effect.promise(() => readByNode(server.origin))
              if (Result.isFailure(ours) || (typeof nodes === "string" && TAKEN_THOUGH.test(nodes))) continue
              const { status, body } = ours.success
              assert.deepStrictEqual({ status, body }, nodes, JSON.stringify(bytes.toString("latin1")))
            }
          }).pipe(Effect.provide(layer))
        ),
      { arbitrary: { runs: 150, ...listsUpTo(30) }, timeout: 60_000 }
    )
  })
}

/** How a broken answer may end. */
const CODES = ["INVALID_ANSWER", "INCOMPLETE_ANSWER", "HEADERS_TOO_LARGE", "BODY_TOO_LARGE", "ECONNRESET"]

/** Why Node's client refuses what is taken: extensions are passed over, and bytes beyond the answer do not undo it. */
const TAKEN_THOUGH = /in chunk extensions|Data after|Expected HTTP/

/** What the server says to Node's client, or why that does not take it. */
const readByNode = (origin: string) =>
  new Promise<{ readonly status: number | undefined; readonly body: string } | string>((resolve) => {
    const fail = (error: Error) => resolve(error.message)
    Http.request(origin, { agent: false, method: "POST" }, (response) => {
      const chunks: Array<Buffer> = []
      response
        .on("data", (chunk) => chunks.push(chunk))
        .on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() }))
        .on("error", fail)
    })
      .on("upgrade", () => resolve("upgrade"))
      .on("error", fail)
      .end()
  })
