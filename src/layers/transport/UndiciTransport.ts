/**
 * The default transport: undici's low-level `dispatch` on keep-alive HTTP/1.1 connections.
 *
 * This is the hottest path of the program, so it goes without streams, promises and a timer per request.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Dispatcher, errors } from "undici"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import { Transport, type TransportError } from "../../services/Transport.ts"
import { type Connection, Connections } from "./Connections.ts"
import { Deadline, Deadlines } from "./Deadlines.ts"
import * as TransportErrors from "./TransportErrors.ts"

export interface UndiciTransportOptions {
  /** Largest answer body that is read, in bytes; a larger one fails with code `BODY_TOO_LARGE`. Default: 64 MiB. */
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
 * - Interrupting `send` closes the connection, whether it stands or is still being made.
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
      Effect.sync(() => new Exchange(options)),
      (exchange) => Effect.promise(() => exchange.close())
    ),
    (exchange): Transport["Service"] => ({
      send: (request) =>
        // With one parameter `callback` makes no AbortController.
        Effect.callback((resume) => {
          const call = new Call(exchange, request, resume)
          call.start()
          return Effect.sync(() => call.abort())
        })
    })
  )

export const layerOptions = (options: UndiciTransportOptions): Layer.Layer<Transport> =>
  Layer.effect(Transport, make(options))

export const layer: Layer.Layer<Transport> = layerOptions({})

/** What all calls of a transport share. */
class Exchange {
  readonly maxBodyBytes: number
  readonly connections: Connections
  readonly deadlines = new Deadlines()
  private woken: Array<() => void> = []

  constructor(options: UndiciTransportOptions) {
    this.maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024
    this.connections = new Connections({ maxBodyBytes: this.maxBodyBytes, keepAliveMs: options.keepAliveMs ?? 4_000 })
  }

  /**
   * Runs this soon, on an empty stack. A callback of undici must not wake a fiber itself: the fiber would run inside
   * undici's parser, which is not made to be entered again, and fibers that wake each other would fill the stack.
   */
  soon(run: () => void): void {
    if (this.woken.push(run) > 1) return
    queueMicrotask(() => {
      const woken = this.woken
      this.woken = []
      for (const run of woken) run()
    })
  }

  close(): Promise<void> {
    return this.connections.close()
  }
}

/** One request on its way: undici's callbacks drive it from phase to phase until it is settled, once. */
class Call implements Dispatcher.DispatchHandler {
  private readonly exchange: Exchange
  private readonly request: WireRequest
  private readonly resume: (result: Effect.Effect<WireResponse, TransportError>) => void
  private readonly phaseLimit: Deadline
  private readonly totalLimit: Deadline
  private phase: "connect" | "firstByte" | "idle" = "connect"
  private connection: Connection | undefined = undefined
  private isResent = false
  private isSettled = false
  private status = 0
  private headers: Readonly<Record<string, string>> = {}
  private readonly chunks: Array<Buffer> = []

  constructor(
    exchange: Exchange,
    request: WireRequest,
    resume: (result: Effect.Effect<WireResponse, TransportError>) => void
  ) {
    this.exchange = exchange
    this.request = request
    this.resume = resume
    this.phaseLimit = new Deadline(() => this.expire(this.phase))
    this.totalLimit = new Deadline(() => this.expire("total"))
  }

  start(): void {
    const { deadlines } = this.exchange
    deadlines.start(this.totalLimit, this.request.timeouts.totalMs)
    deadlines.start(this.phaseLimit, this.request.timeouts.connectMs)
    this.dispatch(false)
  }

  /** Gives the request up, if there is no result yet; the endpoint sees the connection close. */
  abort(): void {
    if (this.isSettled) return
    this.settle()
    void this.connection?.destroy()
  }

  private dispatch(fresh: boolean): void {
    const { origin, method, path, headers, body } = this.request
    try {
      this.connection = this.exchange.connections.take(origin, fresh)
    } catch (error) {
      // undici refuses origins that are not http or https.
      this.fail(TransportErrors.connectionFailed(origin, error))
      return
    }
    if (this.connection === undefined) this.fail(TransportErrors.closed(origin))
    else this.connection.client.dispatch({ method, path, headers: headers.slice(), body }, this)
  }

  /** The connection stands, and the request is about to be written to it. */
  onRequestStart(): void {
    this.phase = "firstByte"
    this.exchange.deadlines.start(this.phaseLimit, this.request.timeouts.firstByteMs)
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>
  ): void {
    // Interim answers (RFC 9110, 15.2) come before the answer.
    if (status < 200) return
    this.status = status
    this.headers = isFlat(headers) ? headers : flatten(headers)
    this.phase = "idle"
    this.exchange.deadlines.start(this.phaseLimit, this.request.timeouts.idleMs)
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk)
    this.exchange.deadlines.start(this.phaseLimit, this.request.timeouts.idleMs)
  }

  onResponseEnd(): void {
    if (this.isSettled) return
    const { status, headers, chunks } = this
    // Decoded as a whole: a chunk may end within a character.
    const body = (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8")
    this.succeed({ status, headers, body })
  }

  onResponseError(_: Dispatcher.DispatchController | null, error: Error): void {
    if (this.isSettled) return
    if (this.phase === "connect" && !this.isResent && this.connection?.wasOpen() === true) {
      this.isResent = true
      this.exchange.soon(() => this.resend())
      return
    }
    this.fail(this.explain(error))
  }

  /** Nothing was written yet when a connection that had been kept open broke: a new one may well do. */
  private resend(): void {
    if (this.isSettled) return
    this.connection?.release()
    this.dispatch(true)
  }

  private explain(error: Error): TransportError {
    const { origin } = this.request
    if (error instanceof errors.ResponseExceededMaxSizeError) {
      return TransportErrors.bodyTooLarge(origin, this.exchange.maxBodyBytes)
    }
    if (error instanceof errors.ClientDestroyedError) return TransportErrors.closed(origin)
    return TransportErrors.connectionFailed(origin, error)
  }

  private expire(phase: "connect" | "firstByte" | "idle" | "total"): void {
    this.abort()
    this.wake(Effect.fail(TransportErrors.timedOut(this.request, phase)))
  }

  private succeed(response: WireResponse): void {
    this.settle()
    this.connection?.release()
    this.wake(Effect.succeed(response))
  }

  private fail(error: TransportError): void {
    this.settle()
    this.connection?.release()
    this.wake(Effect.fail(error))
  }

  private settle(): void {
    this.isSettled = true
    this.exchange.deadlines.stop(this.phaseLimit)
    this.exchange.deadlines.stop(this.totalLimit)
  }

  private wake(result: Effect.Effect<WireResponse, TransportError>): void {
    this.exchange.soon(() => this.resume(result))
  }
}

const isFlat = (headers: Record<string, string | string[] | undefined>): headers is Record<string, string> => {
  for (const name in headers) if (typeof headers[name] !== "string") return false
  return true
}

/** A repeated header keeps its last value. */
const flatten = (headers: Record<string, string | string[] | undefined>): Record<string, string> => {
  const flat: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const last = typeof value === "string" ? value : value?.at(-1)
    if (last !== undefined) flat[name] = last
  }
  return flat
}
