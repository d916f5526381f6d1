/** One request on its way, from the connection to the end of the answer. */
import type { WireRequest } from "../../domain/providers/Wire.ts"
import type { SendListener, TransportError } from "../../services/Transport.ts"
import type { Connection, LossReason, Requester } from "./Connection.ts"
import { Connections, type ConnectionsOptions } from "./Connections.ts"
import { Deadline, Deadlines } from "./Deadlines.ts"
import { InvalidRequest, messageOf } from "./RequestMessage.ts"
import * as TransportErrors from "./TransportErrors.ts"
import { Turns } from "./Turns.ts"

/** What all calls of a transport share. */
export class Shared {
  readonly turns = new Turns()
  readonly connections: Connections
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
export abstract class Call implements Requester {
  protected readonly shared: Shared
  protected readonly request: WireRequest
  protected connection: Connection | undefined = undefined
  protected isSettled = false
  /** Of the phase or of the whole, whichever comes first. */
  private readonly deadline: Deadline
  /** When the whole must be over, on the clock of the deadlines. */
  private totalAt = 0
  private phase: "connect" | "firstByte" | "idle" = "connect"
  private readonly listener: SendListener | undefined

  constructor(shared: Shared, request: WireRequest, listener: SendListener | undefined) {
    this.shared = shared
    this.request = request
    this.listener = listener
    this.deadline = new Deadline(() => this.expire())
  }

  /** The call has failed and is settled; called at most once, maybe while a socket is read. */
  protected abstract onFailed(error: TransportError): void
  abstract onBody(bytes: Buffer, from: number, to: number, isLast: boolean): void
  abstract onWhole(): void

  start(): void {
    const { connectMs, totalMs } = this.request.timeouts
    const { deadlines } = this.shared
    this.totalAt = deadlines.start(this.deadline, Math.min(connectMs, totalMs)) + totalMs
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
    this.phase = "firstByte"
    this.limit(this.request.timeouts.firstByteMs)
    this.listener?.sent()
  }

  onHead(_status: number, _headers: Readonly<Record<string, string>>): void {
    this.phase = "idle"
    this.startIdle()
  }

  /** Soon: whoever was told may be reading a socket. Once, because the new connection was not kept open. */
  onStale(): void {
    this.shared.turns.soon(() => {
      if (!this.isSettled) this.send(true)
    })
  }

  onBroken(reason: LossReason): void {
    this.fail(this.explain(reason))
  }

  /** The head is there and the next chunk is awaited, from now on. */
  protected startIdle(): void {
    this.limit(this.request.timeouts.idleMs)
  }

  /** No chunk is awaited for now. */
  protected stopIdle(): void {
    this.shared.deadlines.startAt(this.deadline, this.totalAt)
  }

  protected settle(): void {
    this.isSettled = true
    this.shared.deadlines.stop(this.deadline)
  }

  private send(fresh: boolean): void {
    const { connections } = this.shared
    const { origin } = this.request
    try {
      const message = messageOf(this.request, connections.hostOf(origin))
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
    const { origin } = this.request
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
    const { deadlines } = this.shared
    deadlines.startAt(this.deadline, Math.min(deadlines.now() + phaseMs, this.totalAt))
  }

  private expire(): void {
    const phase = this.shared.deadlines.now() < this.totalAt ? this.phase : "total"
    this.abort()
    this.onFailed(TransportErrors.timedOut(this.request, phase))
  }

  private fail(error: TransportError): void {
    this.settle()
    this.onFailed(error)
  }
}
