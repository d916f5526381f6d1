/** The two ways to an answer, for tests that try both. */
import { Effect, Stream } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { Transport, type TransportError } from "../../../src/services/Transport.ts"
import { send } from "./conformance.ts"

/** Gives the body as text. */
export type Way = (wire: WireRequest) => Effect.Effect<string, TransportError, Transport>

export const whole: Way = (wire) => Effect.map(send(wire), ({ body }) => body)

export const open = (wire: WireRequest) => Effect.flatMap(Transport, (transport) => transport.open(wire))

export const streamed: Way = (wire) =>
  Effect.scoped(
    Effect.flatMap(open(wire), ({ body }) =>
      Effect.map(Stream.runCollect(body), (chunks) => Buffer.concat(chunks).toString())
    )
  )

export const ways: ReadonlyArray<readonly [name: string, way: Way]> = [
  ["whole", whole],
  ["streamed", streamed]
]
