/**
 * The default transport: HTTP/1.1 on keep-alive connections, over Node's sockets themselves.
 *
 * This is the hottest path of the program, so it goes without streams, promises and a timer per request, and without a
 * library: with undici in its place a request costs 1.6 times the CPU (`benchmarks/transport.ts`), and 10,000/s is more than
 * one core gives.
 */
import { constants } from "node:buffer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { WireRequest } from "../../domain/providers/Wire.ts"
import {
  type EndListener,
  type SendListener,
  type StartedRequest,
  Transport,
  type TransportError,
  type WireStream
} from "../../services/Transport.ts"
import { Shared } from "./Call.ts"
import { StreamedCall } from "./StreamedCall.ts"
import { WholeCall } from "./WholeCall.ts"

/** What may be changed; usually nothing. */
export interface Http1TransportOptions {
  /**
   * Largest answer body that is read, in bytes; streamed or not; a larger one fails with code `BODY_TOO_LARGE`. Default:
   * 64 MiB; at most 512 MiB, which is the longest text that Node has.
   */
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
 * - The four limits share one coarse clock: each is noticed up to `TICK_MS` (25 ms) late.
 * - Answers are taken as strictly as Node's own parser takes them; what is neither HTTP/1.1 nor 1.0 fails with code
 *   `INVALID_ANSWER`.
 * - A connection that the endpoint closes while it is not used is noticed before the next request is written to it, and
 *   the request goes out on a new one. If the endpoint closes it at the very moment at which a request is being written,
 *   the request fails with `connection`: nobody can know whether it arrived.
 * - TLS takes Node's usual settings, such as `NODE_EXTRA_CA_CERTS`, as they are at the first connection. Proxies, redirects,
 *   compression and HTTP/2 are not used.
 */
export const make = (options: Http1TransportOptions = {}): Effect.Effect<Transport["Service"], never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(
        () =>
          new Shared({
            maxBodyBytes: Math.min(options.maxBodyBytes ?? 64 * 1024 * 1024, constants.MAX_STRING_LENGTH),
            keepAliveMs: options.keepAliveMs ?? 4_000
          })
      ),
      (shared) => Effect.promise(() => shared.close())
    ),
    (shared): Transport["Service"] => ({
      tellsSent: true,
      // With one parameter `callback` makes no AbortController.
      send: (request, listener) =>
        Effect.callback((resume) => giveUp(start(shared, request, { ended: resume }, listener))),
      start: (request, listener, sendListener) => start(shared, request, listener, sendListener),
      open: (request, listener) => Effect.suspend(() => opened(new StreamedCall(shared, request, listener)))
    })
  )

// Not within `make`: what is made where the request is known would keep it in memory until its answer has come.
const giveUp = (call: StartedRequest): Effect.Effect<void> => Effect.sync(() => call.giveUp())

const opened = (call: StreamedCall): Effect.Effect<WireStream, TransportError, Scope.Scope> =>
  Effect.andThen(
    Effect.addFinalizer(() => Effect.sync(() => call.abandon())),
    call.opened
  )

const start = (
  shared: Shared,
  request: WireRequest,
  listener: EndListener,
  sendListener: SendListener | undefined
): StartedRequest => {
  const call = new WholeCall(shared, request, listener, sendListener)
  call.start()
  return call
}

/** `make` as a layer: its connections close with it. */
export const layerOptions = (options: Http1TransportOptions): Layer.Layer<Transport> =>
  Layer.effect(Transport, make(options))

/** The same with all defaults. */
export const layer: Layer.Layer<Transport> = layerOptions({})
