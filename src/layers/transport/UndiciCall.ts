/** One request on its way through undici, from the connection to the end of the answer. */
import { type Dispatcher, errors } from "undici"
import type { WireRequest } from "../../domain/providers/Wire.ts"
import type { SendListener, TransportError } from "../../services/Transport.ts"
import { type Connection, Connections, type ConnectionsOptions } from "./Connections.ts"
import { Deadline, Deadlines } from "./Deadlines.ts"
import * as TransportErrors from "./TransportErrors.ts"

/** What all calls of a transport share. */
export class Exchange {
  readonly maxBodyBytes: number
  readonly connections: Connections
  readonly deadlines = new Deadlines()
  private woken: Array<() => void> = []

  constructor(options: ConnectionsOptions) {
    this.maxBodyBytes = options.maxBodyBytes
    this.connections = new Connections(options)
  }

  /**
   * Runs this soon, on an empty stack. A callback of undici must not wake a fiber itself: the fiber would run inside
   * undici's parser, which is not made to be entered again, and fibers that wake each other would fill the stack.
   *
   * After all sockets of the turn have been read, and not between two of them: parsing, then decoding, then writing, each
   * for many answers in a row, keep to the processor's caches. That takes a tenth of the CPU time of a run.
   */
  soon(run: () => void): void {
    if (this.woken.push(run) === 1) setImmediate(this.wake)
  }

  private readonly wake = (): void => {
    const { woken } = this
    this.woken = []
    for (const run of woken) run()
  }

  close(): Promise<void> {
    return this.connections.close()
  }
}

/**
 * undici's callbacks drive it from phase to phase until it is settled, once: succeeded, failed or aborted.
 *
 * What is done with the answer is for the subclasses to say.
 */
export abstract class Call implements Dispatcher.DispatchHandler {
  protected readonly exchange: Exchange
  protected readonly request: WireRequest
  protected isSettled = false
  protected status = 0
  protected headers: Readonly<Record<string, string>> = {}
  /** Of the phase or of the whole, whichever comes first. */
  private readonly deadline: Deadline
  /** When the whole must be over, on the clock of the deadlines. */
  private totalAt = 0
  private phase: "connect" | "firstByte" | "idle" = "connect"
  private connection: Connection | undefined = undefined
  private isResent = false
  private readonly listener: SendListener | undefined

  constructor(exchange: Exchange, request: WireRequest, listener: SendListener | undefined) {
    this.exchange = exchange
    this.request = request
    this.listener = listener
    this.deadline = new Deadline(() => this.expire())
  }

  /** The call has failed and is settled; called at most once, maybe within undici's parser. */
  protected abstract onFailed(error: TransportError): void
  abstract onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void
  abstract onResponseEnd(): void

  start(): void {
    const { connectMs, totalMs } = this.request.timeouts
    const { deadlines } = this.exchange
    this.totalAt = deadlines.start(this.deadline, Math.min(connectMs, totalMs)) + totalMs
    this.dispatch(false)
  }

  /** Gives the request up, if there is no result yet; the endpoint sees the connection close. */
  abort(): void {
    if (this.isSettled) return
    this.settle()
    void this.connection?.destroy()
  }

  /** The connection stands, and the request is about to be written to it. */
  onRequestStart(): void {
    this.phase = "firstByte"
    this.limit(this.request.timeouts.firstByteMs)
  }

  /**
   * The request has been written. Not a moment before that: a process may have to wait between a look at the clock and the
   * socket, and then 10,001 writes were seen in a second of 10,000.
   */
  onRequestSent(): void {
    this.listener?.sent()
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
    this.startIdle()
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

  /** The head is there and the next chunk is awaited, from now on. */
  protected startIdle(): void {
    this.limit(this.request.timeouts.idleMs)
  }

  /** No chunk is awaited for now. */
  protected stopIdle(): void {
    this.exchange.deadlines.startAt(this.deadline, this.totalAt)
  }

  /** The answer has come to its end: the connection is free for the next request. */
  protected complete(): void {
    this.settle()
    this.connection?.release()
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

  /** Nothing was written yet when a connection that had been kept open broke: a new one may well do. */
  private resend(): void {
    if (this.isSettled) return
    // Not released: for the new one it would be one too many.
    void this.connection?.destroy()
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

  /** The phase has so long from now on. */
  private limit(phaseMs: number): void {
    const { deadlines } = this.exchange
    deadlines.startAt(this.deadline, Math.min(deadlines.now() + phaseMs, this.totalAt))
  }

  private expire(): void {
    const phase = this.exchange.deadlines.now() < this.totalAt ? this.phase : "total"
    this.abort()
    this.onFailed(TransportErrors.timedOut(this.request, phase))
  }

  private fail(error: TransportError): void {
    this.complete()
    this.onFailed(error)
  }

  private settle(): void {
    this.isSettled = true
    this.exchange.deadlines.stop(this.deadline)
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
