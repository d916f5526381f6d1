/**
 * Messages on a pipe between two processes: a head that is data, and bytes that follow it as they are.
 *
 * Node's own channel would copy the bytes several times at each end, and its sockets carry both directions, so that what a
 * process said last is lost when it dies while it is written to.
 */
import type { Readable, Writable } from "node:stream"
import { deserialize, serialize } from "node:v8"
import { free } from "../../../domain/batch/Bytes.ts"

/** A message, taken apart. */
export interface Frame {
  readonly head: unknown
  readonly body: readonly [Uint8Array, Uint8Array]
}

/** Writes a frame with one call to the system, when the pipe has room; `onWritten` is called once all of it has left. */
export const write = (pipe: Writable, { body, head }: Frame, onWritten?: () => void): void => {
  const parts = [serialize(head), ...body]
  pipe.cork()
  pipe.write(Buffer.from(Uint32Array.from(parts, (part) => part.length).buffer), onWritten)
  for (const part of parts) if (part.length > 0) pipe.write(part)
  pipe.uncork()
}

/** Has `onFrame` called with each frame once all of it has come. */
export const read = (pipe: Readable, onFrame: (frame: Frame) => void): void => {
  const reader = new FrameReader(onFrame)
  pipe.on("data", (piece: Buffer) => reader.push(piece))
}

/** Puts frames together again, from pieces cut anywhere. */
export class FrameReader {
  private readonly onFrame: (frame: Frame) => void
  /** The lengths of the three parts of the frame, which go ahead of them. */
  private readonly prefix = new Uint32Array(3)
  /** What is coming: the prefix, or then the parts of a frame. */
  private parts: ReadonlyArray<Uint8Array>
  /** Which of the parts comes now, and how much of it has come. */
  private part = 0
  private filled = 0

  /** `onFrame` is given each frame once all of it has come; its body is memory of its own. */
  constructor(onFrame: (frame: Frame) => void) {
    this.onFrame = onFrame
    this.parts = [new Uint8Array(this.prefix.buffer)]
  }

  /** Takes the next piece, and its memory with it. */
  push(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const part = this.parts[this.part]!
      const taken = Math.min(part.length - this.filled, piece.length - at)
      part.set(piece.subarray(at, at + taken), this.filled)
      at += taken
      this.filled += taken
      while (this.filled === this.parts[this.part]?.length) {
        this.part += 1
        this.filled = 0
      }
      if (this.part === this.parts.length) this.turn()
    }
    free(piece)
  }

  /** All parts have come: from the prefix to the frame, or from a frame to the next prefix. */
  private turn(): void {
    const [head, first, second] = this.parts
    this.part = 0
    if (head === undefined || first === undefined || second === undefined) {
      this.parts = Array.from(this.prefix, (length) => Buffer.allocUnsafeSlow(length))
      return
    }
    this.parts = [new Uint8Array(this.prefix.buffer)]
    this.onFrame({ head: deserialize(head), body: [first, second] })
  }
}
