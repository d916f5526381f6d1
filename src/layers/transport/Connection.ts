/** One connection to an endpoint: one request at a time, over HTTP/1.1. */
import * as Net from "node:net"
import * as Tls from "node:tls"
import { AnswerParser, type AnswerProblem, type AnswerSink } from "./AnswerParser.ts"
import { Deadline, type Deadlines } from "./Deadlines.ts"
import type { RequestMessage } from "./RequestMessage.ts"
import type { Turns, TurnTask } from "./Turns.ts"

/** Whose request is under way: told of its answer as it comes, and then once that it is whole or why there is none. */
export interface Requester extends AnswerSink {
  /** The request has just been written. */
  onWritten(): void
  onWhole(): void
  /** The connection had been kept open and broke before anything was written to it: a new one may well do. */
  onStale(): void
  onBroken(reason: LossReason): void
}

/** Why there is no whole answer: an error of the system's, something about the answer, or that it is not whole. */
export type LossReason = Error | AnswerProblem | "incomplete" | "closed"

/** Where connections go. */
export interface Target {
  readonly origin: string
  /** Name and port, as requests name it. */
  readonly host: string
  readonly hostname: string
  readonly port: number
  readonly isSecure: boolean
  /** For new connections to begin where an earlier one was (TLS resumption). */
  session: Buffer | undefined
}

/** What the connections of a transport share. */
export interface ConnectionOwner {
  readonly maxBodyBytes: number
  readonly keepAliveMs: number
  readonly turns: Turns
  /** Of the connections that are not used. */
  readonly idle: Deadlines
  /** Made once: what is trusted takes longer to set up than a connection. */
  readonly secureContext: Tls.SecureContext
  /** All sockets read into it, one after another: what is in it is used up before the next is read. */
  readonly readBuffer: Buffer
  /** The connection is free for the next request. */
  onFree(connection: Connection): void
  /** The connection is no more; whether it was free. */
  onLost(connection: Connection, wasFree: boolean): void
}

/** An endpoint's hint is how long it waits itself: a request must not be under way to it by then. */
const HINT_MARGIN_MS = 2_000
const MOST_KEPT_MS = 600_000
const PROBE_AFTER_MS = 60_000

/**
 * `connecting` and `looking` have a request that is not written yet, on a new connection or on one that was free; `asked` has
 * one that is; `answered` is over when all of the request is written.
 */
type State = "connecting" | "free" | "looking" | "asked" | "answered" | "lost"

/**
 * A socket and what is on its way over it: a request waits to be written, or its answer is read, or neither.
 *
 * **Details**
 *
 * - The socket does not keep the process alive; the deadlines of the calls do.
 * - What comes when nothing was asked ends the connection. A request on a connection that was free is written after one look
 *   at all sockets. So the end of the connection is seen, which some servers send right after an answer, and an answer that
 *   nobody asked for (such as `408`, which servers send as they close what is not used) is not taken for the answer to it.
 */
export class Connection extends Deadline implements TurnTask {
  readonly target: Target
  private readonly owner: ConnectionOwner
  private readonly parser: AnswerParser
  private readonly socket: Net.Socket
  private requester: Requester | undefined = undefined
  private message: RequestMessage | undefined = undefined
  private state: State = "connecting"
  private isPaused = false
  /** By the time that has passed, also while the process stood still and the deadlines with it. */
  private keptUntil = 0
  /** The request asked that the connection be closed. */
  private closes = false

  constructor(owner: ConnectionOwner, target: Target) {
    super()
    this.owner = owner
    this.target = target
    this.parser = new AnswerParser(owner.maxBodyBytes)
    this.socket = this.connect()
  }

  /** Whether it has been closed, by either side. */
  get isClosed(): boolean {
    return this.state === "lost"
  }

  /** Whether it has been free for longer than it is kept. */
  get isOld(): boolean {
    return performance.now() > this.keptUntil
  }

  /** Writes a request as soon as it can be; only when the connection is new or free. */
  send(message: RequestMessage, requester: Requester): void {
    this.message = message
    this.requester = requester
    if (this.state === "connecting") return
    this.owner.idle.stop(this)
    this.state = "looking"
    this.owner.turns.afterLook(this)
  }

  /** The sockets have been looked at, or TLS has had the time to tell that all is written. */
  onTurn(): void {
    if (this.state === "looking") this.write()
    else if (this.state === "answered") this.free()
  }

  /** It has been free for as long as it is kept. */
  onPassed(): void {
    this.lose("closed")
  }

  /** The socket is not read any more after what has been. Only within `onBody`. */
  pause(): void {
    this.isPaused = true
  }

  /** The socket is read again. */
  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.socket.resume()
  }

  /** Closes the socket at once, also one that is still being connected. Nobody is told. */
  drop(): void {
    this.requester = undefined
    this.lose("closed")
  }

  /** Closes the socket and tells whoever uses it; done when it is closed. */
  close(): Promise<void> {
    const closed = this.socket.closed
      ? Promise.resolve()
      : new Promise<void>((resolve) => this.socket.once("close", () => resolve()))
    this.lose("closed")
    return closed
  }

  private connect(): Net.Socket {
    const { target } = this
    const options = {
      host: target.hostname,
      port: target.port,
      onread: { buffer: this.owner.readBuffer, callback: this.read }
    }
    const socket = target.isSecure
      ? Tls.connect({
          ...options,
          servername: Net.isIP(target.hostname) === 0 ? target.hostname : "",
          ALPNProtocols: ["http/1.1"],
          secureContext: this.owner.secureContext,
          ...(target.session === undefined ? {} : { session: target.session })
        })
          .once("secureConnect", this.write)
          .on("session", (session) => {
            target.session = session
          })
      : Net.connect(options).once("connect", this.write)
    // By `on` also what comes once, at the end: until it comes, `once` keeps three objects more.
    return socket
      .once("connect", () => {
        // Only now: Node may try several addresses, each by a socket of its own, and passes settings on to none over TLS (22).
        socket.unref().setNoDelay(true).setKeepAlive(true, PROBE_AFTER_MS)
      })
      .on("end", this.ended)
      .on("error", (error) => this.lose(error))
      .on("close", () => this.lose("incomplete"))
  }

  private readonly write = (): void => {
    const { message, requester } = this
    if (message === undefined || requester === undefined || this.state === "lost") return
    this.state = "asked"
    this.closes = message.closes
    this.message = undefined
    this.parser.next()
    this.socket.write(message.data, message.encoding)
    requester.onWritten()
  }

  private readonly read = (size: number): boolean => {
    const { parser, requester } = this
    if (requester === undefined || this.state !== "asked") this.lose("incomplete")
    else {
      parser.read(this.owner.readBuffer, size, requester)
      if (parser.problem !== undefined) this.lose(parser.problem)
      else if (parser.isWhole) this.finish(requester, parser.isReusable)
    }
    return !this.isPaused
  }

  private readonly ended = (): void => {
    const { requester } = this
    // Node will say by an error how the greeting of TLS ended.
    if (this.state === "connecting") return
    if (requester !== undefined && this.state === "asked" && this.parser.end()) this.finish(requester, false)
    else this.lose("incomplete")
  }

  private finish(requester: Requester, isReusable: boolean): void {
    this.requester = undefined
    this.state = "answered"
    // TLS goes on with what it has read already, to the end of the answer, also when no more is to be read.
    this.resume()
    if (!isReusable || this.closes) this.lose("closed")
    else if (this.socket.writableLength === 0) this.free()
    // TLS tells only now that all is written.
    else this.owner.turns.soon(this)
    requester.onWhole()
  }

  private free(): void {
    const keepMs = this.keptMs()
    // An endpoint that answers before it has read the request may not read the rest of it.
    if (keepMs <= 0 || this.socket.writableLength > 0) this.lose("closed")
    else {
      this.state = "free"
      this.keptUntil = performance.now() + keepMs
      this.owner.idle.start(this, keepMs)
      this.owner.onFree(this)
    }
  }

  private keptMs(): number {
    const { keepAliveMs } = this.parser
    return keepAliveMs === undefined ? this.owner.keepAliveMs : Math.min(keepAliveMs - HINT_MARGIN_MS, MOST_KEPT_MS)
  }

  private lose(reason: LossReason): void {
    const { requester, state } = this
    if (state === "lost") return
    this.state = "lost"
    this.requester = undefined
    this.owner.idle.stop(this)
    this.owner.onLost(this, state === "free")
    this.socket.destroy()
    if (state === "looking" && reason !== "closed") requester?.onStale()
    else requester?.onBroken(reason)
  }
}
