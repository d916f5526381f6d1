/** What stands around the data of a chunked body (RFC 9112, 7.1): sizes, extensions, line ends, trailers. */
import * as AnswerHead from "./AnswerHead.ts"
import { CR, LF, SPACE, TAB } from "./HttpSyntax.ts"

/** Largest extensions of one chunk, in bytes. */
const MAX_EXTENSION_BYTES = 4 * 1024
/** More than any body that is taken has. */
const MOST_SIZE_DIGITS = 13

/** What the next byte is. */
const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILERS = 6
const ENDED = 7

const SEMICOLON = 59
const DELETE = 127

const NO_SIZE = "a chunk's size is not a number"
const NO_EXTENSIONS = "a chunk's extensions are not right"
const NO_SIZE_END = "a chunk's size does not end its line"
const NO_DATA_END = "a chunk is longer than its size"
const NO_TRAILERS = "its trailers are not right"

/** Takes a body's bytes one by one but for its data, which are to be taken by `left`. */
export class ChunkFrames {
  private next = SIZE
  /** Digits of the size, or bytes of the extensions, or of a line of the trailers. */
  private count = 0
  private trailers = ""
  private isAfterCr = false
  /** Bytes of the chunk's data that are to come; or of its size, while that is read. */
  private size = 0

  /** Makes ready for the next body. */
  reset(): void {
    this.next = SIZE
    this.count = 0
    this.size = 0
    this.trailers = ""
    this.isAfterCr = false
  }

  /** How many bytes of data come now: none while it is what stands around them that comes. */
  get left(): number {
    return this.next === DATA ? this.size : 0
  }

  get hasEnded(): boolean {
    return this.next === ENDED
  }

  /** Bytes of the trailers so far. */
  get trailerBytes(): number {
    return this.trailers.length
  }

  /** So many bytes of data have been taken. */
  took(bytes: number): void {
    this.size -= bytes
    if (this.size === 0) this.next = DATA_CR
  }

  /** Takes one byte that is not data; gives what is wrong with it, as the end of a sentence. */
  take(byte: number): string | undefined {
    switch (this.next) {
      case SIZE:
        return this.takeSize(byte)
      case EXTENSION:
        if (byte === CR) this.next = SIZE_LF
        else if ((byte < SPACE && byte !== TAB) || byte === DELETE || ++this.count > MAX_EXTENSION_BYTES)
          return NO_EXTENSIONS
        return undefined
      case SIZE_LF:
        if (byte !== LF) return NO_SIZE_END
        this.count = 0
        this.next = this.size === 0 ? TRAILERS : DATA
        return undefined
      case DATA_CR:
        this.next = DATA_LF
        return byte === CR ? undefined : NO_DATA_END
      case DATA_LF:
        this.next = SIZE
        return byte === LF ? undefined : NO_DATA_END
      case TRAILERS:
        return this.takeTrailers(byte)
      default:
        return undefined
    }
  }

  private takeTrailers(byte: number): string | undefined {
    const isAfterCr = this.isAfterCr
    this.isAfterCr = byte === CR
    if ((byte === LF) !== isAfterCr) return NO_TRAILERS
    if (byte === CR) return undefined
    if (byte !== LF) {
      this.count++
      this.trailers += String.fromCharCode(byte)
      return undefined
    }
    const isEmptyLine = this.count === 0
    this.count = 0
    if (!isEmptyLine) this.trailers += AnswerHead.LINE_END
    else {
      this.next = ENDED
      if (!AnswerHead.areHeaders(this.trailers)) return NO_TRAILERS
    }
    return undefined
  }

  private takeSize(byte: number): string | undefined {
    const digit = hexOf(byte)
    if (digit >= 0) {
      this.size = this.size * 16 + digit
      return ++this.count > MOST_SIZE_DIGITS ? NO_SIZE : undefined
    }
    if (this.count === 0) return NO_SIZE
    if (byte === CR) this.next = SIZE_LF
    else if (byte === SEMICOLON) {
      this.next = EXTENSION
      this.count = 0
    } else return NO_SIZE
    return undefined
  }
}

const hexOf = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48
  const letter = byte | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
