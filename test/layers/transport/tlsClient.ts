/**
 * Sends the request of the second argument, in JSON, by the transport whose module is the first: once whole and once
 * streamed. Tells its parent how each ended.
 */
import { Effect, type Layer, Stream } from "effect"
import type { WireRequest } from "../../../src/domain/providers/Wire.ts"
import { Transport, type TransportError } from "../../../src/services/Transport.ts"

const { layer }: { readonly layer: Layer.Layer<Transport> } = await import(String(process.argv[2]))
const request: WireRequest = JSON.parse(String(process.argv[3]))

const outcome = (text: Effect.Effect<string, TransportError>) =>
  Effect.match(text, { onSuccess: (body) => body, onFailure: (error) => error.code })

const both = Effect.gen(function* () {
  const transport = yield* Transport
  const whole = Effect.map(transport.send(request), ({ body }) => body)
  const streamed = Effect.flatMap(transport.open(request), ({ body }) =>
    Effect.map(Stream.runCollect(body), (chunks) => Buffer.concat(chunks).toString())
  )
  return [yield* outcome(whole), yield* outcome(Effect.scoped(streamed))]
})

process.send?.(await Effect.runPromise(Effect.provide(both, layer)))
process.disconnect?.()
