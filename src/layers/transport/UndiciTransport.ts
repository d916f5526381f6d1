/**
 * The default transport: undici's low-level `dispatch` on keep-alive HTTP/1.1 connections.
 *
 * This is the hottest path of the program, so it goes without streams, promises and a timer per request.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { WireRequest } from "../../domain/providers/Wire.ts"
import { type OnEnd, type SendListener, Transport } from "../../services/Transport.ts"
import { Exchange } from "./UndiciCall.ts"
import { StreamedCall } from "./UndiciStreamedCall.ts"
import { WholeCall } from "./UndiciWholeCall.ts"

/** What may be changed; usually nothing. */
export interface UndiciTransportOptions {
  /** Largest answer body that is read, in bytes; streamed or not; a larger one fails with code `BODY_TOO_LARGE`. Default: 64 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * How long a connection that is not used stays open, in milliseconds. An endpoint's own `keep-alive: timeout=...` hint
   * comes first, less two seconds. Default: 4,000, which is below what servers usually allow.
   */
  readonly keepAliveMs?: number | undefined
}

/**
 * Makes a transport; closing the scope closes its connections and fails what is in flight.
 *
 * **Details**
 *
 * - Each request in flight has a connection of its own, so there are as many as callers run at once. Those that are free
 *   are used again, the last used first.
 * - Interrupting `send` closes the connection, whether it stands or is still being made; so does closing the scope of
 *   `open`, or ending its body early.
 * - A streamed body that is not read holds its connection back: the socket is not read any more until it is.
 * - The four limits share one coarse clock: each is noticed up to `TICK_MS` (25 ms) late. undici's own timers, which are
 *   late by up to a second, are off.
 * - A connection that the endpoint closes while it is not used is noticed before the next request is written to it, and
 *   the request goes out on a new one. If the endpoint closes it at the very moment at which a request is being written,
 *   the request fails with `connection`: nobody can know whether it arrived.
 * - TLS takes Node's usual settings, such as `NODE_EXTRA_CA_CERTS`. Proxies are not used.
 */
export const make = (options: UndiciTransportOptions = {}): Effect.Effect<Transport["Service"], never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(
        () =>
          new Exchange({
            maxBodyBytes: options.maxBodyBytes ?? 64 * 1024 * 1024,
            keepAliveMs: options.keepAliveMs ?? 4_000
          })
      ),
      (exchange) => Effect.promise(() => exchange.close())
    ),
    (exchange): Transport["Service"] => ({
      tellsSent: true,
      // With one parameter `callback` makes no AbortController.
      send: (request, listener) => Effect.callback((resume) => Effect.sync(start(exchange, request, resume, listener))),
      start: (request, onEnd, listener) => start(exchange, request, onEnd, listener),
      open: (request, listener) =>
        Effect.flatMap(
          Effect.acquireRelease(
            Effect.sync(() => new StreamedCall(exchange, request, listener)),
            (call) => Effect.sync(() => call.abandon())
          ),
          (call) => call.opened
        )
    })
  )

const start = (
  exchange: Exchange,
  request: WireRequest,
  onEnd: OnEnd,
  listener: SendListener | undefined
): (() => void) => {
  const call = new WholeCall(exchange, request, onEnd, listener)
  call.start()
  return () => call.giveUp()
}

/** `make` as a layer: its connections close with it. */
export const layerOptions = (options: UndiciTransportOptions): Layer.Layer<Transport> =>
  Layer.effect(Transport, make(options))

/** The same with all defaults. */
export const layer: Layer.Layer<Transport> = layerOptions({})
