/** HTTP/1.1 answers out of the bytes of a connection (RFC 9112). */
import * as AnswerHead from "./AnswerHead.ts"
import { ChunkFrames } from "./ChunkFrames.ts"
import { CR, LF } from "./HttpSyntax.ts"

/** Told what an answer says, as it is read. */
export interface AnswerSink {
  /** The head of the answer, once; interim answers are passed over. As `AnswerHead` says. */
  onHead(status: number, headers: Readonly<Record<string, string>>): void
  /** The body's next bytes, which are the sink's until this returns. `isLast`: and the whole answer's last. */
  onBody(bytes: Buffer, from: number, to: number, isLast: boolean): void
}

/** Why an answer is not read on; `what` is wrong, as the end of a sentence that holds nothing of the answer. */
export type AnswerProblem =
  | { readonly code: "INVALID_ANSWER"; readonly what: string }
  | { readonly code: "HEADERS_TOO_LARGE" | "BODY_TOO_LARGE" }

/** Largest head, and largest trailers, in bytes. */
const MAX_HEAD_BYTES = 64 * 1024
/** So much of a read is made text to look for the end of a head, at first, and at most if it is there. */
const USUAL_HEAD_BYTES = 2 * 1024
/** Fewer bytes are moved faster one by one. */
const FEW_BYTES = 64

/** What the next bytes are of. */
const HEAD = 0
const BODY = 1
const CHUNKS = 2
const UNTIL_CLOSE = 3
const WHOLE = 4

/**
 * Reads one answer after another, each in as many reads as it comes.
 *
 * A body's chunks are moved together within the buffer that was read, so that the sink is called once for each read, and the
 * buffer may be used again for the next.
 */
export class AnswerParser {
  /** Why this answer and the connection are of no more use. */
  problem: AnswerProblem | undefined = undefined
  /** Whether the answer, once it is whole, lets its connection be used again. */
  isReusable = false
  /** How long the endpoint said that it keeps the connection, in milliseconds. */
  keepAliveMs: number | undefined = undefined
  private readonly maxBodyBytes: number
  private state = HEAD
  /** What has come of a head that is not whole. */
  private partial = ""
  /** The longest so far: those of an endpoint are nearly of one length. */
  private longestHead = 0
  /** What is left of a body whose length is known. */
  private left = 0
  private readonly frames = new ChunkFrames()
  /** How many bytes of a body of unknown length have come or are announced. */
  private bodyBytes = 0

  constructor(maxBodyBytes: number) {
    this.maxBodyBytes = maxBodyBytes
  }

  /** Whether the answer has come to its end. */
  get isWhole(): boolean {
    return this.state === WHOLE
  }

  /** Makes ready for the next answer. */
  next(): void {
    this.state = HEAD
    this.isReusable = false
    this.keepAliveMs = undefined
  }

  /** Reads on: so many bytes of the buffer, which it may change. Then `problem` and `isWhole` are to be asked. */
  read(bytes: Buffer, length: number, sink: AnswerSink): void {
    let at = this.state === HEAD ? this.readHead(bytes, length, sink) : 0
    if (at < length) {
      if (this.state === BODY) at = this.readBody(bytes, at, length, sink)
      else if (this.state === CHUNKS) at = this.readChunks(bytes, at, length, sink)
      else if (this.state === UNTIL_CLOSE) at = this.readUntilClose(bytes, at, length, sink)
    }
    // What follows the answer was not asked for.
    if (at < length) this.isReusable = false
  }

  /** The connection has ended; whether the answer is whole with that. */
  end(): boolean {
    if (this.state === UNTIL_CLOSE) this.state = WHOLE
    return this.state === WHOLE
  }

  /** Gives where the body begins, or `length`. */
  private readHead(bytes: Buffer, length: number, sink: AnswerSink): number {
    let at = 0
    while (this.state === HEAD && this.problem === undefined) {
      const known = this.partial.length
      const usual = at + (this.longestHead === 0 ? USUAL_HEAD_BYTES : this.longestHead)
      let text = this.partial + bytes.toString("latin1", at, Math.min(length, usual))
      let end = endOf(text, known)
      if (end < 0 && usual < length) {
        text = this.partial + bytes.toString("latin1", at, length)
        end = endOf(text, known)
      }
      if (end < 0) {
        this.partial = text.slice(startOf(text))
        if (this.partial.length > MAX_HEAD_BYTES) this.problem = headTooLarge
        else if (!mayBeHttp(text)) this.problem = invalid("it does not begin like one")
        else if (AnswerHead.isWrongSoFar(text, known)) this.problem = invalid(AnswerHead.WRONG_CHARACTER)
        return length
      }
      this.partial = ""
      this.longestHead = Math.min(USUAL_HEAD_BYTES, Math.max(this.longestHead, end + AnswerHead.END.length))
      at += end + AnswerHead.END.length - known
      this.problem = end > MAX_HEAD_BYTES ? headTooLarge : this.takeHead(text.slice(startOf(text), end), sink)
    }
    return at
  }

  private takeHead(text: string, sink: AnswerSink): AnswerProblem | undefined {
    const head = AnswerHead.read(text)
    if (typeof head === "string") return invalid(head)
    const { status, headers, isChunked, contentLength } = head
    // Interim answers (RFC 9110, 15.2) come before the answer.
    if (status < 200) return head.isKept ? undefined : invalid("it closes the connection before it comes")
    this.isReusable = head.isKept
    this.keepAliveMs = head.keepAliveMs
    if (status === 204 || status === 304 || contentLength === 0) this.state = WHOLE
    else if (isChunked) {
      this.state = CHUNKS
      this.frames.reset()
      this.bodyBytes = 0
    } else if (contentLength !== undefined) {
      if (contentLength > this.maxBodyBytes) return bodyTooLarge
      this.state = BODY
      this.left = contentLength
    } else {
      this.state = UNTIL_CLOSE
      this.isReusable = false
      this.bodyBytes = 0
    }
    sink.onHead(status, headers)
    return undefined
  }

  private readBody(bytes: Buffer, at: number, length: number, sink: AnswerSink): number {
    const to = Math.min(length, at + this.left)
    this.left -= to - at
    if (this.left === 0) this.state = WHOLE
    sink.onBody(bytes, at, to, this.left === 0)
    return to
  }

  private readUntilClose(bytes: Buffer, at: number, length: number, sink: AnswerSink): number {
    this.bodyBytes += length - at
    if (this.bodyBytes > this.maxBodyBytes) this.problem = bodyTooLarge
    else sink.onBody(bytes, at, length, false)
    return length
  }

  private readChunks(bytes: Buffer, start: number, length: number, sink: AnswerSink): number {
    const { frames } = this
    let at = start
    // The body's bytes of this read so far.
    let from = start
    let to = start
    while (at < length && this.problem === undefined && !frames.hasEnded) {
      const size = Math.min(frames.left, length - at)
      if (size === 0) {
        this.problem = this.takeFrame(bytes[at++]!)
        continue
      }
      if (to === from) {
        from = at
        to = at
      } else move(bytes, at, to, size)
      frames.took(size)
      at += size
      to += size
    }
    if (frames.hasEnded) this.state = WHOLE
    if (to > from) sink.onBody(bytes, from, to, this.state === WHOLE)
    return at
  }

  private takeFrame(byte: number): AnswerProblem | undefined {
    const { frames } = this
    const wrong = frames.take(byte)
    if (wrong !== undefined) return invalid(wrong)
    this.bodyBytes += frames.left
    if (this.bodyBytes > this.maxBodyBytes) return bodyTooLarge
    return frames.trailerBytes > MAX_HEAD_BYTES ? headTooLarge : undefined
  }
}

const invalid = (what: string): AnswerProblem => ({ code: "INVALID_ANSWER", what })

const headTooLarge: AnswerProblem = { code: "HEADERS_TOO_LARGE" }
const bodyTooLarge: AnswerProblem = { code: "BODY_TOO_LARGE" }

/** Where the head begins: empty lines before it are passed over. */
const startOf = (text: string): number => {
  let at = 0
  while (text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF) at += 2
  return at
}

/** Where the head ends, when so many characters were known before; negative: not yet. */
const endOf = (text: string, known: number): number =>
  text.indexOf(AnswerHead.END, Math.max(startOf(text), known - AnswerHead.END.length + 1))

/** Whether it may become a head, so that nobody waits for more of what is not HTTP. */
const mayBeHttp = (text: string): boolean => {
  const begun = text.slice(startOf(text), startOf(text) + AnswerHead.BEGINNING.length)
  return begun === "\r" || AnswerHead.BEGINNING.startsWith(begun)
}

const move = (bytes: Buffer, from: number, to: number, size: number): void => {
  if (size > FEW_BYTES) bytes.copyWithin(to, from, from + size)
  else for (let i = 0; i < size; i++) bytes[to + i] = bytes[from + i]!
}
