/** One call to a model that is under way on the server. */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { SandboxReply } from "../../domain/sandbox/Dialect.ts"
import type { StatsRecorder } from "../../domain/sandbox/StatsRecorder.ts"

/** What an exchange needs of the server. */
export interface ExchangeContext {
  readonly recorder: StatsRecorder
  readonly socket: Socket
  readonly response: ServerResponse
  /** Sent with whatever is answered: names and values in turn. */
  readonly headers: ReadonlyArray<string>
  /** Told once, when the exchange has ended in whatever way. */
  readonly onEnd: (exchange: Exchange) => void
}

/** Ends in exactly one way: answered, aborted by the client, reset, or dropped because the server closes. */
export class Exchange {
  private readonly context: ExchangeContext
  private timer: NodeJS.Timeout | undefined
  private ended = false

  constructor(context: ExchangeContext) {
    this.context = context
  }

  get socket(): Socket {
    return this.context.socket
  }

  get recorder(): StatsRecorder {
    return this.context.recorder
  }

  /** Calls back after `millis`, unless the exchange ends before. */
  after(millis: number, then: () => void): void {
    if (millis < 1) then()
    else this.timer = setTimeout(then, millis)
  }

  /** Answers; counts when the last byte was handed to the system. */
  reply(reply: SandboxReply, extraHeaders: ReadonlyArray<string> = []): void {
    if (this.ended) return
    this.writeHead(reply, extraHeaders)
    this.context.response.end(reply.body, () => {
      if (this.end()) this.recorder.answer(reply.status)
    })
  }

  /** Sends the head and half of the body, and leaves it at that. */
  replyHalf(reply: SandboxReply): void {
    if (this.ended) return
    this.writeHead(reply, [])
    this.context.response.write(firstHalf(reply.body))
  }

  /** Breaks the connection with a TCP reset. */
  reset(): void {
    if (!this.end()) return
    this.recorder.reset()
    this.socket.resetAndDestroy()
  }

  /** The client has gone. */
  abort(): void {
    if (this.end()) this.recorder.abort()
  }

  /** The server closes: nothing more is sent or counted. */
  drop(): void {
    this.end()
  }

  private writeHead(reply: SandboxReply, extraHeaders: ReadonlyArray<string>): void {
    this.context.response.writeHead(reply.status, [
      ...reply.headers,
      "content-length",
      String(Buffer.byteLength(reply.body)),
      ...this.context.headers,
      ...extraHeaders
    ])
  }

  private end(): boolean {
    if (this.ended) return false
    this.ended = true
    clearTimeout(this.timer)
    this.context.onEnd(this)
    return true
  }
}

/** The first half of a body; what it says is cut in the middle. */
export const firstHalf = (body: string): string => body.slice(0, Math.ceil(body.length / 2))
