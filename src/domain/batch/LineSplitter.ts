/**
 * Cuts a stream of bytes into lines, whatever the chunks that it comes in.
 *
 * A line ends at `\n` or `\r\n`. Bytes after the last line end are a line too, unless there are none. A UTF-8 byte order
 * mark at the very start belongs to no line.
 */
const LF = 0x0a
const CR = 0x0d

/** One line as it stands in the input, without its line end. */
export interface RawLine {
  /** 0-based number of the line. */
  readonly index: number
  /** The line's bytes; its first `limit` bytes when it is oversized. Valid until the next call of `push`. */
  readonly bytes: Buffer
  /** Where they start, in bytes from the start of the input; `undefined` when the line came by another way. */
  readonly start?: number | undefined
  /** Whether the line has more bytes than the limit. */
  readonly oversized: boolean
  /** Whether a line end follows; only the last line can be without one. */
  readonly ended: boolean
}

/** A line of more than so many bytes is cut: 16 MiB. */
export const ROW_LIMIT = 16 * 1024 * 1024

/**
 * One pass over one input: `push` a chunk, take its lines with `next` until there is none, and `finish` at the end. The
 * room of a chunk may be used again for the next one.
 *
 * Holds at most one chunk, and of a line that spans chunks at most `limit` bytes: what is beyond is counted and dropped.
 */
export class LineSplitter {
  /** Lines handed out so far. */
  count = 0
  /** Bytes of the lines handed out so far, their line ends included: where the next line starts. */
  offset = 0

  private chunk: Buffer = Buffer.alloc(0)
  private at = 0
  /** The start of the line that the last chunks ended in: kept parts, their size, and the size of the whole so far. */
  private parts: Array<Buffer> = []
  private kept = 0
  private seen = 0
  private readonly limit: number

  constructor(limit: number = ROW_LIMIT) {
    this.limit = limit
  }

  /** Adds bytes; all lines of the chunk before must have been taken. */
  push(chunk: Uint8Array): void {
    this.chunk = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.at = 0
  }

  /** The next line that has come to its end; `undefined` when there is none in the chunk: its rest is kept. */
  next(): RawLine | undefined {
    const end = this.chunk.indexOf(LF, this.at)
    if (end < 0) {
      // A copy: the chunk is not valid any more when the rest of the line comes.
      this.keep(this.chunk.subarray(this.at), copyOf)
      this.at = this.chunk.length
      return undefined
    }
    const start = this.at
    this.at = end + 1
    if (this.seen === 0) return this.line(this.chunk.subarray(start, end), end - start, 1)
    this.keep(this.chunk.subarray(start, end))
    return this.take(1)
  }

  /** The last line when the input does not end in a line end; call it once, after the last chunk. */
  finish(): RawLine | undefined {
    if (this.seen === 0) return undefined
    const line = this.take(0)
    if (line.index > 0 || line.bytes.length > 0 || this.offset !== BOM.length) return line
    // Nothing but a byte order mark: no line at all.
    this.count = 0
    return undefined
  }

  /** Keeps the bytes of an unfinished line: the limit, and room for what is no part of it (byte order mark, `\r`). */
  private keep(bytes: Buffer, kept = (part: Buffer) => part): void {
    if (bytes.length === 0) return
    this.seen += bytes.length
    const room = this.limit + BOM.length + 1 - this.kept
    if (room <= 0) return
    const part = bytes.length > room ? bytes.subarray(0, room) : bytes
    this.parts.push(kept(part))
    this.kept += part.length
  }

  private take(lineEnd: number): RawLine {
    const bytes = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts, this.kept)
    const seen = this.seen
    this.parts = []
    this.kept = 0
    this.seen = 0
    return this.line(bytes, seen, lineEnd)
  }

  private line(kept: Buffer, seen: number, lineEnd: number): RawLine {
    const index = this.count++
    const start = index === 0 && startsWithBom(kept) ? BOM.length : 0
    const at = this.offset + start
    this.offset += seen + lineEnd
    const whole = seen === kept.length
    const end = whole && kept.length > start && kept[kept.length - 1] === CR ? kept.length - 1 : kept.length
    const oversized = !whole || end - start > this.limit
    const last = oversized ? start + this.limit : end
    // Nearly always all of them: a view of all would cost as much as the line's own.
    const bytes = start === 0 && last === kept.length ? kept : kept.subarray(start, last)
    return { index, bytes, start: at, oversized, ended: lineEnd > 0 }
  }
}

/**
 * Counts the lines that `LineSplitter` would give, at the speed of memory.
 */
export class LineCounter {
  private lines = 0
  private bytes = 0
  private last = LF
  private head: Buffer = Buffer.alloc(0)

  /** Adds bytes. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    if (this.bytes < BOM.length) this.head = Buffer.concat([this.head, buffer.subarray(0, BOM.length)])
    for (let at = buffer.indexOf(LF); at >= 0; at = buffer.indexOf(LF, at + 1)) this.lines += 1
    this.bytes += buffer.length
    this.last = buffer[buffer.length - 1]!
  }

  /** Lines whose end has been seen. */
  get ended(): number {
    return this.lines
  }

  /** All lines, given that the input ends here. */
  get total(): number {
    const onlyBom = this.bytes === BOM.length && startsWithBom(this.head)
    return this.last === LF || onlyBom ? this.lines : this.lines + 1
  }
}

const copyOf = (bytes: Buffer): Buffer => Buffer.from(bytes)

const BOM = Buffer.from([0xef, 0xbb, 0xbf])

function startsWithBom(bytes: Buffer): boolean {
  return bytes.length >= BOM.length && bytes[0] === BOM[0] && bytes[1] === BOM[1] && bytes[2] === BOM[2]
}
