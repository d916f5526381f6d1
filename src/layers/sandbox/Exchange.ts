/** One call to a model that is under way on the server. */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { SandboxReply } from "../../domain/sandbox/Dialect.ts"
import type { StatsRecorder } from "../../domain/sandbox/StatsRecorder.ts"
import type { StreamScript } from "../../domain/sandbox/StreamScript.ts"

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

export interface PlayEvents {
  /** The head goes out. */
  readonly onBegin: () => void
  /** As for `reply`. */
  readonly onSent: () => void
}

/** A reset that comes together with the last bytes would keep them from the client. */
const LEAST_MS_BEFORE_RESET = 5

/** Ends in exactly one way: answered, aborted by the client, reset, cut, or dropped because the server closes. */
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

  /** Answers; counts, and tells `onSent`, when the last byte was handed to the system. */
  reply(reply: SandboxReply, extraHeaders: ReadonlyArray<string> = [], onSent?: () => void): void {
    if (this.ended) return
    this.writeHead(reply, extraHeaders)
    this.context.response.end(reply.body, () => this.answered(reply.status, onSent))
  }

  /** Plays a streamed answer with status 200, of whose latency nothing has passed yet. */
  play(script: StreamScript, headers: ReadonlyArray<string>, events: PlayEvents): void {
    const { frames, firstMs, gapMs, ending } = script
    const { response } = this.context
    const started = performance.now()
    let sent = 0
    const next = (): void => {
      if (this.ended) return
      // Frames that are due together, because a gap is shorter than a timer can be, go together.
      const passed = performance.now() - started
      const from = sent
      while (sent < frames.length && firstMs + sent * gapMs <= passed + 1) sent += 1
      const text = frames.slice(from, sent).join("")
      if (!response.headersSent) {
        events.onBegin()
        response.writeHead(200, [...headers, ...this.context.headers])
      }
      if (sent === frames.length && ending === "end") {
        response.end(text, () => this.answered(200, events.onSent))
        return
      }
      if (text !== "") response.write(text)
      if (sent < frames.length) this.after(Math.max(1, firstMs + sent * gapMs - passed), next)
      else if (ending === "reset") this.after(Math.max(LEAST_MS_BEFORE_RESET, gapMs), () => this.reset())
    }
    this.after(firstMs, next)
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

  /** The server is told to be dead; whoever says so ends the connection. */
  cut(): void {
    if (this.end()) this.recorder.cutOff()
  }

  /** The server closes: nothing more is sent or counted. */
  drop(): void {
    this.end()
  }

  private answered(status: number, onSent: (() => void) | undefined): void {
    if (!this.end()) return
    this.recorder.answer(status)
    onSent?.()
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
