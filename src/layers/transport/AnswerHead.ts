/** The head of an HTTP/1.1 answer (RFC 9112), taken as strictly as llhttp takes it. */
import { COLON, CR, SPACE, TAB, TOKEN } from "./HttpSyntax.ts"

export interface AnswerHead {
  readonly status: number
  /** Names in lower case; of a repeated one the last value. */
  readonly headers: Readonly<Record<string, string>>
  readonly isChunked: boolean
  /** Bytes of the body; `undefined`: its chunks say, or the end of the connection. */
  readonly contentLength: number | undefined
  /** Whether both sides go on with the connection after the answer, if its end can be told. */
  readonly isKept: boolean
  /** How long the endpoint says that it keeps the connection, in milliseconds. */
  readonly keepAliveMs: number | undefined
}

/** Between two lines. */
export const LINE_END = "\r\n"
/** After a head, and after trailers. */
export const END = "\r\n\r\n"
/** What every head begins with. */
export const BEGINNING = "HTTP/1."

/** Of a head, or of what has come of it. */
export const WRONG_CHARACTER = "its head has a character that must not be there"

/** Reads a head without the empty line after it; or gives what is wrong with it, as the end of a sentence. */
export const read = (head: string): AnswerHead | string => {
  const minor = digitAt(head, BEGINNING.length)
  const status = statusOf(head)
  if (status === undefined || (minor !== 0 && minor !== 1)) return "its first line is not that of HTTP/1.1"
  if (NOT_IN_HEAD.test(head)) return WRONG_CHARACTER

  const headers: Record<string, string> = {}
  let contentLength: number | undefined
  let isChunked = false
  let isKept = minor === 1
  let isClosed = false
  let keepAliveMs: number | undefined
  let before = FIRST
  for (let end = head.indexOf(LINE_END); end >= 0; ) {
    const start = end + LINE_END.length
    end = head.indexOf(LINE_END, start)
    const name = nameAt(head, start, before)
    if (name === undefined) return "its head has a line that is no header"
    before = name
    const value = trimmed(head, start + name.raw.length + 1, end < 0 ? head.length : end)
    headers[name.lower] = value
    switch (name.lower) {
      case "content-length":
        if (contentLength !== undefined) return "it has several content-length headers"
        if (!LENGTH.test(value)) return "its content-length is not a number"
        contentLength = Number(value)
        break
      case "transfer-encoding":
        if (isChunked || value.toLowerCase() !== "chunked") return "its transfer-encoding is not chunked"
        isChunked = true
        break
      case "connection":
        isClosed ||= CLOSE.test(value)
        isKept ||= KEEP_ALIVE.test(value)
        break
      case "keep-alive":
        keepAliveMs = timeoutOf(value)
    }
  }
  if (isChunked && contentLength !== undefined) return "it has both transfer-encoding and content-length"
  if (isChunked && minor === 0) return "it has a transfer-encoding, which HTTP/1.0 does not know"
  if (status === 101) return "it changes to a protocol that nobody asked for"
  return { status, headers, isChunked, contentLength, isKept: isKept && !isClosed, keepAliveMs }
}

/** Whether a head is wrong whose end has not come; so much of it was known, and looked at before. */
export const isWrongSoFar = (text: string, known: number): boolean => {
  const from = text.charCodeAt(known - 1) === CR ? known - 1 : known
  const to = text.charCodeAt(text.length - 1) === CR ? text.length - 1 : text.length
  return NOT_IN_HEAD.test(text.slice(from, to))
}

/** Whether these lines, each with its end, are headers, as trailers must be. */
export const areHeaders = (lines: string): boolean =>
  !NOT_IN_HEAD.test(lines) &&
  lines
    .split(LINE_END)
    .slice(0, -1)
    .every((line) => {
      const colon = line.indexOf(":")
      return colon >= 0 && TOKEN.test(line.slice(0, colon))
    })

/** Control characters but the tab, and line ends that are not whole. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_IN_HEAD = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/
const LENGTH = /^[0-9]+$/
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i
const KEEP_ALIVE = /(?:^|,)[ \t]*keep-alive[ \t]*(?:,|$)/i
const TIMEOUT = /(?:^|[,; \t])timeout=([0-9]{1,9})/i

const statusOf = (head: string): number | undefined => {
  const codeAt = BEGINNING.length + 2
  if (!head.startsWith(BEGINNING) || head.charCodeAt(codeAt - 1) !== SPACE) return undefined
  const after = head.charCodeAt(codeAt + 3)
  if (head.length > codeAt + 3 && after !== SPACE && after !== CR) return undefined
  const hundreds = digitAt(head, codeAt)
  const tens = digitAt(head, codeAt + 1)
  const ones = digitAt(head, codeAt + 2)
  return hundreds < 1 || tens < 0 || ones < 0 ? undefined : hundreds * 100 + tens * 10 + ones
}

const digitAt = (text: string, at: number): number => {
  const digit = text.charCodeAt(at) - 48
  return digit >= 0 && digit <= 9 ? digit : -1
}

/** The name of a header. */
interface Name {
  /** As it comes. */
  readonly raw: string
  readonly lower: string
  /** The one that came after it last: an endpoint always sends the same, and nearly always in the same order. */
  next: Name | undefined
}

/** What comes before the first of a head. */
const FIRST: Name = { raw: "", lower: "", next: undefined }
/** By how they come: there are few. */
const names = new Map<string, Name>()
const MOST_NAMES = 1_000
const MOST_NAME_LENGTH = 64

const nameAt = (head: string, start: number, before: Name): Name | undefined => {
  const { next } = before
  if (next !== undefined && head.startsWith(next.raw, start) && head.charCodeAt(start + next.raw.length) === COLON) {
    return next
  }
  const colon = head.indexOf(":", start)
  if (colon < 0) return undefined
  const raw = head.slice(start, colon)
  const known = names.get(raw)
  if (known === undefined) return newName(raw)
  before.next = known
  return known
}

const newName = (raw: string): Name | undefined => {
  if (!TOKEN.test(raw)) return undefined
  if (names.size >= MOST_NAMES || raw.length > MOST_NAME_LENGTH) {
    return { raw, lower: raw.toLowerCase(), next: undefined }
  }
  // A copy: a part of a text keeps all of it in memory.
  const copy = Buffer.from(raw, "latin1").toString("latin1")
  const name: Name = { raw: copy, lower: copy.toLowerCase(), next: undefined }
  names.set(copy, name)
  return name
}

const trimmed = (text: string, start: number, end: number): string => {
  let from = start
  let to = end
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB

const timeoutOf = (hint: string): number | undefined => {
  const seconds = TIMEOUT.exec(hint)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}
