/** One request on its way, from the connection to the end of the answer. */
import type { WireRequest, WireTimeouts } from "../../domain/providers/Wire.ts"
import type { SendListener, TransportError } from "../../services/Transport.ts"
import type { Connection, LossReason, Requester } from "./Connection.ts"
import { Connections, type ConnectionsOptions } from "./Connections.ts"
import { Deadline, Deadlines } from "./Deadlines.ts"
import { InvalidRequest, RequestWriter } from "./RequestMessage.ts"
import * as TransportErrors from "./TransportErrors.ts"
import { Turns } from "./Turns.ts"

/** What all calls of a transport share. */
export class Shared {
  readonly turns = new Turns()
  readonly connections: Connections
  readonly writer = new RequestWriter()
  /** While calls are under way they keep the process alive, which the sockets do not. */
  readonly deadlines = new Deadlines({ keepsProcess: true })

  constructor(options: ConnectionsOptions) {
    this.connections = new Connections(options, this.turns)
  }

  close(): Promise<void> {
    return this.connections.close()
  }
}

/**
 * A connection drives it from phase to phase until it is settled, once: succeeded, failed or aborted.
 *
 * What is done with the answer is for the subclasses to say.
 */
export abstract class Call extends Deadline implements Requester {
  protected readonly shared: Shared
  protected readonly origin: string
  private readonly timeouts: WireTimeouts
  /** Until it is written: its body may be large, and the answer far. */
  private request: WireRequest | undefined
  protected connection: Connection | undefined = undefined
  protected isSettled = false
  /** When the whole must be over, on the clock of the deadlines; the phase may have to be before that. */
  private totalAt = 0
  private phase: "connect" | "firstByte" | "idle" = "connect"
  private readonly listener: SendListener | undefined

  constructor(shared: Shared, request: WireRequest, listener: SendListener | undefined) {
    super()
    this.shared = shared
    this.origin = request.origin
    this.timeouts = request.timeouts
    this.request = request
    this.listener = listener
  }

  /** The call has failed and is settled; called at most once, maybe while a socket is read. */
  protected abstract onFailed(error: TransportError): void
  abstract onBody(bytes: Buffer, from: number, to: number, isLast: boolean): void
  abstract onWhole(): void

  start(): void {
    const { connectMs, totalMs } = this.timeouts
    this.totalAt = this.shared.deadlines.start(this, Math.min(connectMs, totalMs)) + totalMs
    this.send(false)
  }

  /** Gives the request up, if there is no result yet; the endpoint sees the connection close. */
  abort(): void {
    if (this.isSettled) return
    this.settle()
    this.connection?.drop()
  }

  /**
   * The request has been written. Not a moment before that: a process may have to wait between a look at the clock and the
   * socket, and then 10,001 writes were seen in a second of 10,000.
   */
  onWritten(): void {
    this.request = undefined
    this.phase = "firstByte"
    this.limit(this.timeouts.firstByteMs)
    this.listener?.sent()
  }

  onHead(_status: number, _headers: Readonly<Record<string, string>>): void {
    this.phase = "idle"
    this.startIdle()
  }

  /** Soon: whoever was told may be reading a socket. Once, because the new connection was not kept open. */
  onStale(): void {
    this.shared.turns.soon({
      onTurn: () => {
        if (!this.isSettled) this.send(true)
      }
    })
  }

  onBroken(reason: LossReason): void {
    this.fail(this.explain(reason))
  }

  onPassed(): void {
    const { origin, timeouts } = this
    const phase = this.shared.deadlines.now() < this.totalAt ? this.phase : "total"
    this.abort()
    this.onFailed(TransportErrors.timedOut({ origin, timeouts }, phase))
  }

  /** The head is there and the next chunk is awaited, from now on. */
  protected startIdle(): void {
    this.limit(this.timeouts.idleMs)
  }

  /** No chunk is awaited for now. */
  protected stopIdle(): void {
    this.shared.deadlines.startAt(this, this.totalAt)
  }

  protected settle(): void {
    this.isSettled = true
    this.shared.deadlines.stop(this)
  }

  private send(fresh: boolean): void {
    const { origin, request } = this
    const { connections, writer } = this.shared
    // Written: it goes out once.
    if (request === undefined) return
    try {
      const message = writer.messageOf(request, connections.hostOf(origin))
      this.connection = connections.take(origin, fresh)
      if (this.connection === undefined) this.fail(TransportErrors.closed(origin))
      else this.connection.send(message, this)
    } catch (error) {
      // Settings of TLS are looked at only when they are used.
      const isInvalid = error instanceof InvalidRequest
      this.fail(
        isInvalid ? TransportErrors.invalidRequest(origin, error.message) : TransportErrors.notConnected(origin, error)
      )
    }
  }

  private explain(reason: LossReason): TransportError {
    const { origin } = this
    if (reason === "closed") return TransportErrors.closed(origin)
    if (reason === "incomplete") return TransportErrors.incomplete(origin)
    if (reason instanceof Error) {
      const isConnecting = this.phase === "connect"
      return isConnecting
        ? TransportErrors.notConnected(origin, reason)
        : TransportErrors.connectionFailed(origin, reason)
    }
    switch (reason.code) {
      case "BODY_TOO_LARGE":
        return TransportErrors.bodyTooLarge(origin, this.shared.connections.maxBodyBytes)
      case "HEADERS_TOO_LARGE":
        return TransportErrors.headersTooLarge(origin)
      case "INVALID_ANSWER":
        return TransportErrors.invalidAnswer(origin, reason.what)
    }
  }

  /** The phase has so long from now on. */
  private limit(phaseMs: number): void {
    this.shared.deadlines.start(this, phaseMs, this.totalAt)
  }

  private fail(error: TransportError): void {
    this.settle()
    this.onFailed(error)
  }
}
