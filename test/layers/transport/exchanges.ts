/** Requests to a server that answers byte for byte as a test says, and what comes of them. */
import { assert } from "@effect/vitest"
import { Effect, type Layer, Result, Stream } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { type SendListener, Transport, type TransportError } from "../../../src/services/Transport.ts"
import { request, type Traits } from "./conformance.ts"
import { bytesOf, cutAt, cutInto, type Ending, play, rawServer } from "./rawServer.ts"

export interface SocketTraits extends Traits {
  /** The same transport with other options. */
  readonly layerOptions: (options: {
    readonly maxBodyBytes?: number
    readonly keepAliveMs?: number
  }) => Layer.Layer<Transport>
}

/** What comes of a request. */
export interface Read {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The two ways to read an answer: as a whole, and as it comes. */
export const ways = {
  send: (wire: WireRequest, listener?: SendListener): Effect.Effect<Read, TransportError, Transport> =>
    Effect.flatMap(Transport, (transport) => transport.send(wire, listener)),
  open: (wire: WireRequest, listener?: SendListener): Effect.Effect<Read, TransportError, Transport> =>
    Effect.scoped(
      Effect.gen(function* () {
        const transport = yield* Transport
        const { status, headers, body } = yield* transport.open(wire, listener)
        const chunks = yield* Stream.runCollect(body)
        return { status, headers, body: Buffer.concat(chunks).toString() }
      })
    )
}
export type Way = keyof typeof ways
export const WAYS: ReadonlyArray<Way> = ["send", "open"]

/** Limits that tell of an answer that never ends before the test itself is given up. */
export const timeouts = { connectMs: 5_000, firstByteMs: 5_000, idleMs: 5_000, totalMs: 10_000 }

/** A server that gives the answers which it is told to give, and tells when it has written them. */
export const scripted = Effect.gen(function* () {
  let pieces: ReadonlyArray<Uint8Array> = []
  let ending: Ending = "keep"
  let played = Promise.resolve()
  const server = yield* rawServer({
    onRequest: ({ socket }) => {
      played = play(socket, pieces, ending)
    }
  })
  return {
    server,
    /** Asks for an answer of these pieces; done when both sides are done with it. */
    exchange: (way: Way, nextPieces: ReadonlyArray<Uint8Array>, nextEnding: Ending = "keep") =>
      Effect.gen(function* () {
        pieces = nextPieces
        ending = nextEnding
        const result = yield* Effect.result(ways[way](request(server.origin, { timeouts })))
        yield* Effect.promise(() => played)
        return result
      })
  }
})

export type Exchanged = Result.Result<Read, TransportError>

/** Comparable whatever prototype the record of headers has. */
export const plain = (result: Exchanged) =>
  Result.match(result, {
    onFailure: ({ phase, code }) => ({ phase, code }),
    onSuccess: ({ status, headers, body }) => ({ status, headers: Object.entries(headers).sort(), body })
  })

export const errorOf = (result: Exchanged, hint: string): TransportError => {
  if (Result.isSuccess(result)) assert.fail(`taken: ${JSON.stringify(plain(result))}, ${hint}`)
  return result.failure
}

type Cut = readonly [hint: string, way: Way, pieces: ReadonlyArray<Buffer>]

/** The bytes whole, byte by byte, and cut in two at every position; there the two ways take turns. */
export const everyCut = (bytes: Buffer): ReadonlyArray<Cut> => [
  ...WAYS.flatMap(
    (way): ReadonlyArray<Cut> => [
      [`${way}, whole`, way, [bytes]],
      [`${way}, byte by byte`, way, cutInto(bytes, [1])],
      [`${way}, by two bytes`, way, cutInto(bytes, [2])]
    ]
  ),
  ...Array.from(bytes.subarray(1), (_, i): Cut => {
    const way = WAYS[i % 2]!
    return [`${way}, cut at ${i + 1}`, way, cutAt(bytes, [i + 1])]
  })
]

/** A good request after the others is answered. */
export const assertFit = (
  exchange: (way: Way, pieces: ReadonlyArray<Uint8Array>) => Effect.Effect<Exchanged, never, Transport>
) =>
  Effect.gen(function* () {
    for (const way of WAYS) {
      const body = `fit to ${way}`
      const result = yield* exchange(way, [bytesOf(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)])
      assert.deepStrictEqual(plain(result), {
        status: 200,
        headers: [["content-length", String(body.length)]],
        body
      })
    }
  })
