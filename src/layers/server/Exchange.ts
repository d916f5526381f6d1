/** One request to the service and its answer, from the request's head to the answer's last byte. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Reply } from "../../domain/dialects/Dialect.ts"
import type { RequestRecord } from "../../domain/server/RequestRecord.ts"

/** The status in the records of requests whose client was gone before there was an answer. */
const CLIENT_GONE = 499

/** How long a client that is refused while it sends may go on sending, so that it gets to read why. */
const LINGER_MS = 1_000

const LAST_CHUNK = "0\r\n\r\n"

/** What exchanges tell the service. */
export interface ExchangeWatcher {
  /** New work is refused, and connections are not kept. */
  readonly isDraining: boolean
  /** Called once, when it is over in whatever way. */
  readonly onEnd: (exchange: Exchange) => void
}

/** What an answer waits for. */
export type Work = Pick<Fiber.Fiber<unknown, unknown>, "interruptUnsafe">

/** Ends in exactly one way: its answer is handed to the system, or its client has gone. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly record: RequestRecord
  private readonly watcher: ExchangeWatcher
  private readonly startedAt = performance.now()
  private work: Work | undefined = undefined
  /** The answer is said; what is left is for it to go out. */
  private isSaid = false
  private isOver = false
  /** Whether what is streamed goes out in chunks (RFC 9112, 7.1), and not up to the end of the connection. */
  private isChunked = false

  constructor(request: IncomingMessage, response: ServerResponse, record: RequestRecord, watcher: ExchangeWatcher) {
    this.request = request
    this.response = response
    this.record = record
    this.watcher = watcher
  }

  /** Whether some of the answer may have gone out. */
  get hasBegun(): boolean {
    return this.response.headersSent
  }

  /** Whether there is nobody to answer any more, or nothing left to say. */
  get isSettled(): boolean {
    return this.isSaid || this.isOver
  }

  /** What works on the answer, from now on: interrupted when the client goes. */
  worksIn(work: Work): void {
    this.work = work
    if (this.isOver && !this.isSaid) work.interruptUnsafe()
  }

  /** Answers at once. `headers`: more of them, names and values in turn. */
  reply(reply: Reply, headers: ReadonlyArray<string> = []): void {
    if (this.isSettled) return
    this.isSaid = true
    this.head(reply.status, reply.headers, [...headers, ...lengthOf(reply)])
    this.response.end(reply.body, this.sent)
  }

  /** Answers although an answer was being made: that broke before any of it went out. */
  fail(reply: Reply): void {
    if (this.isOver || this.hasBegun) return
    this.isSaid = false
    this.reply(reply, ["connection", "close"])
  }

  /**
   * Answers a request whose body is not read to its end. The connection is kept only when the rest is short; otherwise, and
   * when it is not to be kept, it is closed once the client has sent its body or had time to read the answer, for what still
   * comes would else destroy the answer on its way.
   */
  refuse(reply: Reply, maxBodyBytes: number): void {
    if (this.isSettled) return
    const { headers, complete } = this.request
    const isShort = Number(headers["content-length"] ?? Number.NaN) <= maxBodyBytes
    const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
    const isAwaited = headers.expect !== undefined
    const isKept = this.response.shouldKeepAlive && !this.watcher.isDraining
    if (complete || !hasBody || (isShort && isKept && !isAwaited)) this.reply(reply)
    else this.refuseAndClose(reply)
  }

  private refuseAndClose(reply: Reply): void {
    this.isSaid = true
    this.head(reply.status, reply.headers, [...lengthOf(reply), "connection", "close"])
    this.response.write(reply.body)
    const close = (): void => {
      clearTimeout(timer)
      if (!this.isOver) this.response.end(this.sent)
    }
    const timer = setTimeout(close, LINGER_MS)
    this.request.once("end", close)
    this.request.resume()
  }

  /** Begins a streamed answer, with its first events. */
  begin(headers: Readonly<Record<string, string>>, more: ReadonlyArray<string>): void {
    if (this.isSettled || this.hasBegun) return
    this.record.firstByteMs = performance.now() - this.startedAt
    this.head(200, headers, more)
    // Node writes a chunk in four pieces. One text costs less, and leaves less for the collector.
    this.isChunked = this.response.chunkedEncoding
    this.response.chunkedEncoding = false
  }

  /** More of a streamed answer; goes on when the client is ready for more. */
  write(text: string): Effect.Effect<void> {
    if (this.isSettled || text === "") return Effect.void
    const isReady = this.isChunked ? this.writeChunk(text) : this.response.write(text)
    return isReady ? Effect.void : this.drained
  }

  /** The last of a streamed answer. */
  end(text: string): void {
    if (this.isSettled) return
    this.isSaid = true
    if (text !== "" && this.isChunked) this.writeChunk(text)
    this.response.end(this.isChunked ? LAST_CHUNK : text, this.sent)
  }

  private writeChunk(text: string): boolean {
    const length = Buffer.byteLength(text)
    const chunk = `${length.toString(16)}\r\n${text}\r\n`
    // What is all ASCII need not be encoded.
    return this.response.write(chunk, length === text.length ? "latin1" : "utf8")
  }

  /** The connection is closed. */
  gone(): void {
    if (this.isOver) return
    this.record.isAborted = true
    this.record.status = this.hasBegun ? this.response.statusCode : CLIENT_GONE
    this.over()
    // What has said its answer only tidies up, and may.
    if (!this.isSaid) this.work?.interruptUnsafe()
  }

  /** Stops what works on the answer. */
  interrupt(): void {
    this.work?.interruptUnsafe()
  }

  /** Somebody else answers through the response: notes how that ends. */
  observe(): void {
    const { record, response } = this
    response.once("finish", () => {
      record.status = response.statusCode
      this.isSaid = true
      this.sent()
    })
  }

  /** Adds what every answer has. */
  private head(status: number, headers: Readonly<Record<string, string>>, more: ReadonlyArray<string>): void {
    const { record, response, watcher } = this
    const lines: Array<string> = ["x-request-id", record.id]
    for (const name in headers) lines.push(name, headers[name]!)
    for (const part of more) lines.push(part)
    if (watcher.isDraining && !more.includes("connection")) lines.push("connection", "close")
    record.status = status
    response.writeHead(status, lines)
  }

  private readonly sent = (): void => {
    // It is also called when the connection closes first; `gone` has been, or will be, told of that.
    if (this.response.writableFinished) this.over()
  }

  private get drained(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const onDrain = () => resume(Effect.void)
      this.response.once("drain", onDrain)
      return Effect.sync(() => this.response.off("drain", onDrain))
    })
  }

  private over(): void {
    if (this.isOver) return
    this.isOver = true
    const { record } = this
    record.durationMs = performance.now() - this.startedAt
    record.firstByteMs ??= record.isAborted ? undefined : record.durationMs
    this.watcher.onEnd(this)
  }
}

/** An answer that has no body by its status has no length of one either (RFC 9110, 8.6). */
const lengthOf = ({ body, status }: Reply): ReadonlyArray<string> =>
  status === 204 ? [] : ["content-length", String(Buffer.byteLength(body))]
