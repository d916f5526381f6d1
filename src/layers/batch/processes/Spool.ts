/**
 * A file through which one process hands bytes to another, round and round in the same few MiB.
 *
 * A socket takes some 60 KB at a time: a MiB through it wakes both ends twenty times, and each time costs more than the bytes
 * do. Through a file they go with one call to the system at each end, and stay in memory: what is written over again every
 * moment hardly ever gets to a disk. The file has no name, so that nobody else can open it, and it is gone with the
 * processes.
 */
import { randomUUID } from "node:crypto"
import { closeSync, openSync, readSync, rmSync, unlinkSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Bytes in the file at most. */
export const SPOOL_BYTES = 4 * 1024 * 1024

/** Opens such a file in the system's folder for temporary ones; `undefined` when that cannot be done. */
export const open = (folder: string = tmpdir()): number | undefined => {
  const path = join(folder, `genai-dispatcher-${randomUUID()}`)
  let fd: number | undefined
  try {
    fd = openSync(path, "wx+", 0o600)
    unlinkSync(path)
    return fd
  } catch {
    if (fd !== undefined) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
    return undefined
  }
}

/** The end that writes. */
export class SpoolWriter {
  private readonly fd: number
  /** Bytes written so far, those included that were left free at the end of the file. */
  private written = 0
  /** How much of that has been read. */
  private read = 0

  constructor(fd: number) {
    this.fd = fd
  }

  /** Writes all parts, one after the other, and gives where they are; `undefined` when there is no room for them. */
  write(parts: ReadonlyArray<Uint8Array>): number | undefined {
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const left = SPOOL_BYTES - (this.written % SPOOL_BYTES)
    const start = length <= left ? this.written : this.written + left
    if (length === 0 || start + length - this.read > SPOOL_BYTES) return undefined
    let at = start % SPOOL_BYTES
    try {
      for (const part of parts) {
        for (let done = 0; done < part.length; ) {
          const more = writeSync(this.fd, part, done, part.length - done, at)
          done += more
          at += more
        }
      }
    } catch {
      // The disk is full, for one: these go another way.
      return undefined
    }
    this.written = start + length
    return start
  }

  /** All up to here has been read, and may be written over. */
  free(upTo: number): void {
    this.read = upTo
  }
}

/** The end that reads. */
export class SpoolReader {
  private readonly fd: number
  private readonly onRead: (upTo: number) => void
  private told = 0
  private read = 0

  /** `onRead` is called now and then, with what the writer is to be told by `free`. */
  constructor(fd: number, onRead: (upTo: number) => void) {
    this.fd = fd
    this.onRead = onRead
  }

  /** Reads parts of these lengths from where the writer says that they are; `undefined` when they are not there. */
  take(start: number, lengths: ReadonlyArray<number>): ReadonlyArray<Buffer> | undefined {
    let at = start
    const parts: Array<Buffer> = []
    for (const length of lengths) {
      const part = Buffer.allocUnsafeSlow(length)
      if (readAt(this.fd, part, at % SPOOL_BYTES).length < length) return undefined
      parts.push(part)
      at += length
    }
    this.read = at
    if (this.read - this.told >= SPOOL_BYTES / 4) {
      this.told = this.read
      this.onRead(this.read)
    }
    return parts
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** What came of reading at a position. */
export interface ReadAt {
  /** Bytes that were read: fewer than asked for at the end of the file, and when the system gave an error. */
  readonly length: number
  /** The system's error code, such as `EIO`. */
  readonly code: string | undefined
}

/** Reads a file from a position on, until the bytes are full or nothing more can be read. */
export const readAt = (fd: number, bytes: Uint8Array, position: number): ReadAt => {
  let length = 0
  try {
    while (length < bytes.length) {
      const more = readSync(fd, bytes, length, bytes.length - length, position + length)
      if (more === 0) break
      length += more
    }
  } catch (error) {
    return { length, code: error instanceof Error && "code" in error ? String(error.code) : "unknown error" }
  }
  return { length, code: undefined }
}
