/** Answers as bytes on the wire (RFC 9112), each character one byte: those that are taken and those that are refused. */

/** An answer that is taken. */
export interface TakenAnswer {
  readonly what: string
  readonly raw: string
  /** Default: 200. */
  readonly status?: number
  /** All headers that are given to the caller. */
  readonly headers: Readonly<Record<string, string>>
  /** Default: empty. */
  readonly body?: string
  /** Whether the next request goes over the same connection; otherwise the client closes it. */
  readonly isReused: boolean
  /** The endpoint closes the connection after it: that is the end of the answer. */
  readonly isEndedByClose?: true
}

/** The bytes of a text in UTF-8, each as one character. */
const utf8 = (text: string) => Buffer.from(text).toString("latin1")

const OK = "HTTP/1.1 200 OK\r\n"
const EMPTY = `${OK}content-length: 0\r\n`
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`

const len = (length: number) => ({ "content-length": String(length) })
const chunked = { "transfer-encoding": "chunked" }

const lengths: ReadonlyArray<TakenAnswer> = [
  {
    what: "a body of known length",
    raw: `${OK}content-length: 5\r\n\r\nhello`,
    headers: len(5),
    body: "hello",
    isReused: true
  },
  { what: "an empty body", raw: `${EMPTY}\r\n`, headers: len(0), isReused: true },
  {
    what: "a body of more than one byte a character",
    raw: `${OK}content-length: 20\r\n\r\n${utf8("grüße, 日本 🐢")}`,
    headers: len(20),
    body: "grüße, 日本 🐢",
    isReused: true
  },
  {
    what: "a body that looks like an answer",
    raw: `${OK}content-length: 38\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`,
    headers: len(38),
    body: "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    isReused: true
  },
  {
    what: "zeros before the length",
    raw: `${OK}content-length: 0005\r\n\r\nhello`,
    headers: { "content-length": "0005" },
    body: "hello",
    isReused: true
  },
  {
    what: "spaces and tabs around the length",
    raw: `${OK}Content-Length:\t 5 \t\r\n\r\nhello`,
    headers: len(5),
    body: "hello",
    isReused: true
  }
]

const statusLines: ReadonlyArray<TakenAnswer> = [
  { what: "an empty reason", raw: "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", headers: len(0), isReused: true },
  { what: "no reason", raw: "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", headers: len(0), isReused: true },
  {
    what: "a reason with spaces, tabs and bytes over 0x7f",
    raw: "HTTP/1.1 404 Tr\xe8s  loin :\t!\r\ncontent-length: 0\r\n\r\n",
    status: 404,
    headers: len(0),
    isReused: true
  },
  {
    what: "a status of no known meaning",
    raw: "HTTP/1.1 799 ?\r\ncontent-length: 2\r\n\r\nok",
    status: 799,
    headers: len(2),
    body: "ok",
    isReused: true
  },
  { what: "an empty line before it", raw: `\r\n${EMPTY}\r\n`, headers: len(0), isReused: true },
  { what: "several empty lines before it", raw: `\r\n\r\n\r\n${EMPTY}\r\n`, headers: len(0), isReused: true }
]

const interim: ReadonlyArray<TakenAnswer> = [
  {
    what: "100 Continue before it",
    raw: `HTTP/1.1 100 Continue\r\n\r\n${OK}content-length: 2\r\n\r\nok`,
    headers: len(2),
    body: "ok",
    isReused: true
  },
  {
    what: "several interim answers before it, with headers that are not its own",
    raw:
      `HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nx-a: 1\r\n\r\nHTTP/1.1 102\r\n\r\nHTTP/1.1 199 ?\r\nx-b: 2\r\n\r\n` +
      `${OK}x-c: 3\r\ncontent-length: 2\r\n\r\nok`,
    headers: { "x-c": "3", ...len(2) },
    body: "ok",
    isReused: true
  },
  {
    what: "an interim answer and a body in chunks",
    raw: `HTTP/1.1 100 Continue\r\n\r\n${CHUNKED}2\r\nok\r\n0\r\n\r\n`,
    headers: chunked,
    body: "ok",
    isReused: true
  },
  {
    what: "an interim answer and an empty line before it",
    raw: `HTTP/1.1 100 Continue\r\n\r\n\r\n${EMPTY}\r\n`,
    headers: len(0),
    isReused: true
  }
]

const withoutBody: ReadonlyArray<TakenAnswer> = [
  { what: "204", raw: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, headers: {}, isReused: true },
  {
    what: "304",
    raw: `HTTP/1.1 304 Not Modified\r\netag: "a"\r\n\r\n`,
    status: 304,
    headers: { etag: `"a"` },
    isReused: true
  },
  {
    what: "204 that says a length of none",
    raw: "HTTP/1.1 204\r\ncontent-length: 0\r\n\r\n",
    status: 204,
    headers: len(0),
    isReused: true
  },
  {
    what: "304 that says the length which the body would have",
    raw: "HTTP/1.1 304\r\ncontent-length: 100\r\n\r\n",
    status: 304,
    headers: len(100),
    isReused: true
  },
  {
    what: "304 that says the body would be in chunks",
    raw: "HTTP/1.1 304\r\ntransfer-encoding: chunked\r\n\r\n",
    status: 304,
    headers: chunked,
    isReused: true
  },
  {
    what: "204 that says to close",
    raw: "HTTP/1.1 204\r\nconnection: close\r\n\r\n",
    status: 204,
    headers: { connection: "close" },
    isReused: false
  }
]

const chunks: ReadonlyArray<TakenAnswer> = [
  { what: "one chunk", raw: `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`, headers: chunked, body: "hello", isReused: true },
  { what: "no chunk", raw: `${CHUNKED}0\r\n\r\n`, headers: chunked, isReused: true },
  {
    what: "several chunks, with upper and lower case in their sizes and zeros before them",
    raw: `${CHUNKED}1\r\nh\r\n00a\r\nello world\r\nA\r\n0123456789\r\n0000b\r\nhello world\r\n000\r\n\r\n`,
    headers: chunked,
    body: "hello world0123456789hello world",
    isReused: true
  },
  {
    what: "line ends and sizes as what is in the chunks",
    raw: `${CHUNKED}7\r\n0\r\n\r\n5\r\r\n2\r\n\r\n\r\n0\r\n\r\n`,
    headers: chunked,
    body: "0\r\n\r\n5\r\r\n",
    isReused: true
  },
  {
    what: "chunk extensions",
    raw: `${CHUNKED}5;a\r\nhello\r\n1;a=b;c=d\r\n!\r\n1;q="x; y"\r\n?\r\n0;last=1\r\n\r\n`,
    headers: chunked,
    body: "hello!?",
    isReused: true
  },
  {
    what: "trailers, which are no headers",
    raw: `${CHUNKED}2\r\nok\r\n0\r\nx-sum: 1\r\nX-Long:  a b \r\ncontent-type: a\r\n\r\n`,
    headers: chunked,
    body: "ok",
    isReused: true
  },
  {
    what: "the coding in another case, with spaces and tabs around it",
    raw: `${OK}Transfer-Encoding: \t CHUNKED\t \r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    headers: { "transfer-encoding": "CHUNKED" },
    body: "ok",
    isReused: true
  },
  {
    what: "a character cut by the end of a chunk",
    raw: `${CHUNKED}2\r\n\xf0\x9f\r\n2\r\n\x90\xa2\r\n0\r\n\r\n`,
    headers: chunked,
    body: "🐢",
    isReused: true
  },
  {
    what: "chunks, and then to close",
    raw: `${OK}transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    headers: { ...chunked, connection: "close" },
    body: "ok",
    isReused: false
  }
]

const untilClose: ReadonlyArray<TakenAnswer> = [
  {
    what: "a body until close",
    raw: `${OK}\r\nhello`,
    headers: {},
    body: "hello",
    isReused: false,
    isEndedByClose: true
  },
  {
    what: "an empty body until close",
    raw: `${OK}x-a: 1\r\n\r\n`,
    headers: { "x-a": "1" },
    isReused: false,
    isEndedByClose: true
  },
  {
    what: "a body until close though the connection should be kept",
    raw: `${OK}connection: keep-alive\r\n\r\nhello`,
    headers: { connection: "keep-alive" },
    body: "hello",
    isReused: false,
    isEndedByClose: true
  },
  {
    what: "a body until close of HTTP/1.0",
    raw: "HTTP/1.0 200 OK\r\n\r\nhello",
    headers: {},
    body: "hello",
    isReused: false,
    isEndedByClose: true
  }
]

const connections: ReadonlyArray<TakenAnswer> = [
  {
    what: "connection: close",
    raw: `${EMPTY}connection: close\r\n\r\n`,
    headers: { ...len(0), connection: "close" },
    isReused: false
  },
  {
    what: "connection: close in another case",
    raw: `${EMPTY}Connection: \tClose \r\n\r\n`,
    headers: { ...len(0), connection: "Close" },
    isReused: false
  },
  {
    what: "close in a list",
    raw: `${EMPTY}connection: x-a , close\r\n\r\n`,
    headers: { ...len(0), connection: "x-a , close" },
    isReused: false
  },
  {
    what: "close in a list without spaces",
    raw: `${EMPTY}connection: close,x-a\r\n\r\n`,
    headers: { ...len(0), connection: "close,x-a" },
    isReused: false
  },
  {
    what: "close in the first of two such headers",
    raw: `${EMPTY}connection: close\r\nconnection: x-a\r\n\r\n`,
    headers: { ...len(0), connection: "x-a" },
    isReused: false
  },
  {
    what: "connection: keep-alive",
    raw: `${EMPTY}connection: keep-alive\r\n\r\n`,
    headers: { ...len(0), connection: "keep-alive" },
    isReused: true
  },
  {
    what: "a connection header that says something else",
    raw: `${EMPTY}connection: closed, x-close\r\n\r\n`,
    headers: { ...len(0), connection: "closed, x-close" },
    isReused: true
  },
  {
    what: "HTTP/1.0",
    raw: "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    headers: len(2),
    body: "ok",
    isReused: false
  },
  {
    what: "HTTP/1.0 with connection: keep-alive",
    raw: "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok",
    headers: { connection: "Keep-Alive", ...len(2) },
    body: "ok",
    isReused: true
  },
  {
    what: "HTTP/1.0 with another connection header",
    raw: "HTTP/1.0 200 OK\r\nconnection: x-a\r\ncontent-length: 2\r\n\r\nok",
    headers: { connection: "x-a", ...len(2) },
    body: "ok",
    isReused: false
  }
]

const beyond: ReadonlyArray<TakenAnswer> = [
  {
    what: "bytes beyond its length",
    raw: `${OK}content-length: 5\r\n\r\nhello there`,
    headers: len(5),
    body: "hello",
    isReused: false
  },
  { what: "an empty line beyond it", raw: `${EMPTY}\r\n\r\n`, headers: len(0), isReused: false },
  {
    what: "another answer beyond it",
    raw: `${OK}content-length: 2\r\n\r\nokHTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno`,
    headers: len(2),
    body: "ok",
    isReused: false
  },
  {
    what: "bytes beyond its last chunk",
    raw: `${CHUNKED}2\r\nok\r\n0\r\n\r\n0\r\n\r\n`,
    headers: chunked,
    body: "ok",
    isReused: false
  },
  { what: "a body of 204", raw: "HTTP/1.1 204 No Content\r\n\r\nhello", status: 204, headers: {}, isReused: false },
  {
    what: "a body of 304 that says its length",
    raw: "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello",
    status: 304,
    headers: len(5),
    isReused: false
  }
]

const headers: ReadonlyArray<TakenAnswer> = [
  {
    what: "names in any case, and values without the spaces and tabs around them",
    raw: `${EMPTY}X-Request-ID:r1\r\nX-TABS:\t \tr2\t \t\r\nx-inner: a \t b: c\r\n\r\n`,
    headers: { ...len(0), "x-request-id": "r1", "x-tabs": "r2", "x-inner": "a \t b: c" },
    isReused: true
  },
  {
    what: "empty values",
    raw: `${EMPTY}x-a:\r\nx-b: \r\nx-c: \t \r\n\r\n`,
    headers: { ...len(0), "x-a": "", "x-b": "", "x-c": "" },
    isReused: true
  },
  {
    what: "repeated headers, of which the last counts",
    raw: `${EMPTY}x-part: first\r\nx-once: once\r\nX-Part: second\r\nset-cookie: a\r\nset-cookie: b\r\nx-part: last\r\n\r\n`,
    headers: { ...len(0), "x-part": "last", "x-once": "once", "set-cookie": "b" },
    isReused: true
  },
  {
    what: "bytes over 0x7f in values",
    raw: `${EMPTY}x-a: caf\xe9 \x80\xff\r\nx-b: \xa0\r\n\r\n`,
    headers: { ...len(0), "x-a": "caf\xe9 \x80\xff", "x-b": "\xa0" },
    isReused: true
  },
  {
    what: "every character that a name may have",
    raw: `${EMPTY}!#$%&'*+-.^_\`|~09azAZ: 1\r\n\r\n`,
    headers: { ...len(0), "!#$%&'*+-.^_`|~09azaz": "1" },
    isReused: true
  },
  {
    what: "names that mean something in JavaScript",
    raw: `${EMPTY}constructor: 1\r\ntoString: 2\r\nhasOwnProperty: 3\r\n\r\n`,
    headers: { ...len(0), constructor: "1", tostring: "2", hasownproperty: "3" },
    isReused: true
  },
  {
    what: "names that begin like those that the client reads",
    raw: `${OK}content-lengt: 7\r\ncontent-lengthy: 8\r\ntransfer-encodings: gzip\r\nx-connection: close\r\ncontent-length: 2\r\n\r\nok`,
    headers: {
      "content-lengt": "7",
      "content-lengthy": "8",
      "transfer-encodings": "gzip",
      "x-connection": "close",
      ...len(2)
    },
    body: "ok",
    isReused: true
  }
]

export const takenAnswers: ReadonlyArray<TakenAnswer> = [
  ...lengths,
  ...statusLines,
  ...interim,
  ...withoutBody,
  ...chunks,
  ...untilClose,
  ...connections,
  ...beyond,
  ...headers
]

/** Something of each answer that a failure must not tell. */
export const MARK = "zebra"

/** A head with a header line that is wrong. */
const line = (wrong: string) => `${EMPTY}x-mark: ${MARK}\r\n${wrong}\r\nx-after: ${MARK}\r\n\r\n`
/** A head that says so about its body. */
const framed = (...lines: ReadonlyArray<string>) => `${OK}${lines.join("\r\n")}\r\n\r\n${MARK}`
const inChunks = (body: string) => `${CHUNKED}${body}`

/** Answers that are refused with code `INVALID_ANSWER`, though the endpoint neither goes on nor closes. */
export const refusedAnswers: ReadonlyArray<readonly [what: string, raw: string]> = [
  ["another protocol", `SSH-2.0-OpenSSH_9.6 ${MARK}\r\n`],
  ["a page without a head", `<html>${MARK}</html>`],
  ["a request", `GET /${MARK} HTTP/1.1\r\n\r\n`],
  ["ICY", `ICY 200 OK\r\n\r\n${MARK}`],
  ["a TLS alert", `\x15\x03\x03\x00\x02\x02\x46${MARK}`],
  ["zeros", "\0\0\0\0\0\0\0\0\0\0"],

  ["HTTP/2.0", `HTTP/2.0 200 OK\r\n\r\n${MARK}`],
  ["HTTP/1.2", `HTTP/1.2 200 OK\r\n\r\n${MARK}`],
  ["HTTP/0.9", `HTTP/0.9 200 OK\r\n\r\n${MARK}`],
  ["HTTP/1.10", `HTTP/1.10 200 OK\r\n\r\n${MARK}`],
  ["HTTP/11.1", `HTTP/11.1 200 OK\r\n\r\n${MARK}`],
  ["HTTP/1", `HTTP/1 200 OK\r\n\r\n${MARK}`],
  ["http/1.1", `http/1.1 200 OK\r\n\r\n${MARK}`],
  ["HTTPS/1.1", `HTTPS/1.1 200 OK\r\n\r\n${MARK}`],
  ["a space before the status line", ` ${EMPTY}\r\n${MARK}`],
  ["a bare LF before the status line", `\n${EMPTY}\r\n${MARK}`],
  ["a bare CR before the status line", `\r${EMPTY}\r\n${MARK}`],
  ["something before the status line", `${MARK}\r\n${EMPTY}\r\n`],
  ["two spaces before the status", `HTTP/1.1  200 OK\r\n\r\n${MARK}`],
  ["a tab before the status", `HTTP/1.1\t200 OK\r\n\r\n${MARK}`],
  ["no space before the status", `HTTP/1.1200 OK\r\n\r\n${MARK}`],
  ["no status", `HTTP/1.1 \r\n\r\n${MARK}`],
  ["a status line that is only the version", `HTTP/1.1\r\n\r\n${MARK}`],
  ["a reason for a status", `HTTP/1.1 OK\r\n\r\n${MARK}`],
  ["a status of two digits", `HTTP/1.1 20 OK\r\n\r\n${MARK}`],
  ["a status of four digits", `HTTP/1.1 2000 OK\r\n\r\n${MARK}`],
  ["a status with a letter", `HTTP/1.1 2O0 OK\r\n\r\n${MARK}`],
  ["a negative status", `HTTP/1.1 -20 OK\r\n\r\n${MARK}`],
  ["a status with a fraction", `HTTP/1.1 200.1 OK\r\n\r\n${MARK}`],
  ["no space before the reason", `HTTP/1.1 200OK\r\n\r\n${MARK}`],
  ["a NUL in the reason", `HTTP/1.1 200 ${MARK}\0\r\n\r\n`],
  ["a control character in the reason", `HTTP/1.1 200 ${MARK}\x1b[31m\r\n\r\n`],
  ["a DEL in the reason", `HTTP/1.1 200 ${MARK}\x7f\r\n\r\n`],
  ["a bare CR in the reason", `HTTP/1.1 200 O\rK\r\n\r\n${MARK}`],
  ["a bare LF after the status line", `HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n${MARK}`],
  ["a bare LF after a status without a reason", `HTTP/1.1 200\ncontent-length: 0\r\n\r\n${MARK}`],
  ["a bare CR after the status line", `HTTP/1.1 200 OK\rcontent-length: 0\r\n\r\n${MARK}`],

  ["101 Switching Protocols", `HTTP/1.1 101 Switching Protocols\r\nupgrade: ${MARK}\r\nconnection: upgrade\r\n\r\n`],
  ["101 without an upgrade", `HTTP/1.1 101\r\n\r\n${OK}content-length: 5\r\n\r\n${MARK}`],
  [
    "an interim answer that is no HTTP",
    `HTTP/1.1 100 Continue\r\nnocolon\r\n\r\n${OK}content-length: 5\r\n\r\n${MARK}`
  ],
  ["no HTTP after an interim answer", `HTTP/1.1 100 Continue\r\n\r\n${MARK}\r\n\r\n`],

  ["a bare LF after a header", line("x-a: 1\nx-b: 2")],
  ["a bare CR after a header", line("x-a: 1\rx-b: 2")],
  ["a bare CR at the end of a header", `${EMPTY}x-a: ${MARK}\r\r\n\r\n`],
  ["a bare LF at the end of the head", `${EMPTY}x-a: ${MARK}\r\n\n`],
  ["a bare CR at the end of the head", `${EMPTY}x-a: 1\r\n\r${MARK}\r\n\r\n`],
  ["nothing but bare LF", `HTTP/1.1 200 OK\nx-a: ${MARK}\n\n`],
  ["a NUL in a value", line("x-a: a\0b")],
  ["a control character in a value", line("x-a: a\x01b")],
  ["a vertical tab in a value", line("x-a: a\x0bb")],
  ["an escape in a value", line("x-a: a\x1bb")],
  ["a DEL in a value", line("x-a: a\x7fb")],
  ["a control character alone as a value", line("x-a: \x02")],
  ["a space before the colon", line("x-a : 1")],
  ["a tab before the colon", line("x-a\t: 1")],
  ["a space before the colon of the length", `${OK}content-length : 5\r\n\r\n${MARK}`],
  ["a value folded by a space", line("x-a: 1\r\n 2")],
  ["a value folded by a tab", line("x-a: 1\r\n\t2")],
  ["an empty value folded", line("x-a:\r\n 2")],
  ["a space before the first header", `${OK} content-length: 5\r\n\r\n${MARK}`],
  ["a line of only a space", line(" ")],
  ["a header without a colon", line("x-a")],
  ["a header without a name", line(": 1")],
  ["only a colon", line(":")],
  ...Array.from(`"(),/;<=>?@[\\]{} `, (character) => [`a name with ${character}`, line(`x${character}a: 1`)] as const),
  ["a NUL in a name", line("x\0a: 1")],
  ["a control character in a name", line("x\x01a: 1")],
  ["a DEL in a name", line("x\x7fa: 1")],
  ["a byte over 0x7f in a name", line("x\xe9a: 1")],
  ["a bare CR in a name", line("x\ra: 1")],

  ["no length", framed("content-length:")],
  ["a length of spaces", framed("content-length:  ")],
  ["a length with a sign", framed("content-length: +5")],
  ["a negative length", framed("content-length: -5")],
  ["a length with a fraction", framed("content-length: 5.0")],
  ["a length with an exponent", framed("content-length: 5e0")],
  ["a length in hexadecimal digits", framed("content-length: 0x5")],
  ["a length with a letter", framed("content-length: 5b")],
  ["a length with a space", framed("content-length: 5 5")],
  ["a length in quotes", framed(`content-length: "5"`)],
  ["a list of lengths", framed("content-length: 5, 5")],
  ["a length with a byte over 0x7f", framed("content-length: \xb2")],
  ["two lengths", framed("content-length: 5", "content-length: 6")],
  ["the same length twice", framed("content-length: 5", "Content-Length: 5")],
  ["no length and a length", framed("content-length:", "content-length: 5")],

  ["chunks and a length", `${OK}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\n${MARK}\r\n0\r\n\r\n`],
  ["a length and chunks", `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\n${MARK}\r\n0\r\n\r\n`],
  ["gzip and a length", framed("transfer-encoding: gzip", "content-length: 5")],
  ["chunks on HTTP/1.0", `HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n${MARK}\r\n0\r\n\r\n`],
  [
    "chunks on HTTP/1.0 that is kept",
    `HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n5\r\n${MARK}\r\n0\r\n\r\n`
  ],
  ...[
    "",
    "gzip",
    "identity",
    "xchunked",
    "chunkedx",
    "chunked;q=1",
    "chunk",
    '"chunked"',
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    ", chunked",
    "chunked chunked"
  ].map((coding) => [`the transfer coding '${coding}'`, framed(`transfer-encoding: ${coding}`)] as const),
  ["chunked twice", framed("transfer-encoding: chunked", "transfer-encoding: chunked")],
  ["gzip and then chunked", framed("transfer-encoding: gzip", "transfer-encoding: chunked")],
  ["chunked and then gzip", framed("transfer-encoding: chunked", "transfer-encoding: gzip")],
  ["chunked and then identity", framed("transfer-encoding: chunked", "transfer-encoding: identity")],

  ["a chunk size that is no number", inChunks(`${MARK}\r\n`)],
  ["a chunk size that ends in a letter", inChunks(`5g\r\n${MARK}\r\n0\r\n\r\n`)],
  ["no chunk size", inChunks(`\r\n${MARK}\r\n0\r\n\r\n`)],
  ["no chunk size but an extension", inChunks(`;a=b\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a negative chunk size", inChunks(`-5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk size with a sign", inChunks(`+5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk size with 0x", inChunks(`0x5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk size with an underscore", inChunks(`0_5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a space before the chunk size", inChunks(` 5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a space after the chunk size", inChunks(`5 \r\n${MARK}\r\n0\r\n\r\n`)],
  ["a tab after the chunk size", inChunks(`5\t\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a bare LF after the chunk size", inChunks(`5\n${MARK}\r\n0\r\n\r\n`)],
  ["a bare CR after the chunk size", inChunks(`5\r${MARK}\r\n0\r\n\r\n`)],
  ["a bare LF after an extension", inChunks(`5;a\n${MARK}\r\n0\r\n\r\n`)],
  ["a bare CR in an extension", inChunks(`5;a\rb\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a NUL in an extension", inChunks(`5;a\0b\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk size of 20 digits", inChunks(`fffffffffffffffffff5\r\n${MARK}`)],
  ["a chunk size of 2^64 and the right one", inChunks(`10000000000000005\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk size of 300 zeros and the right one", inChunks(`${"0".repeat(300)}5\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk that is longer than its size", inChunks(`4\r\n${MARK}\r\n0\r\n\r\n`)],
  ["a chunk without a line end", inChunks(`5\r\n${MARK}0\r\n\r\n`)],
  ["a bare LF after a chunk", inChunks(`5\r\n${MARK}\n0\r\n\r\n`)],
  ["a bare CR after a chunk", inChunks(`5\r\n${MARK}\r0\r\n\r\n`)],
  ["a bare LF after the last chunk", inChunks(`5\r\n${MARK}\r\n0\n\r\n`)],
  ["a bare LF at the end of the chunks", inChunks(`5\r\n${MARK}\r\n0\r\n\n`)],
  ["a bare CR at the end of the chunks", inChunks(`5\r\n${MARK}\r\n0\r\n\r0`)],
  ["a trailer without a colon", inChunks(`5\r\n${MARK}\r\n0\r\nx-sum\r\n\r\n`)],
  ["a trailer without a name", inChunks(`5\r\n${MARK}\r\n0\r\n: 1\r\n\r\n`)],
  ["a trailer with a space before the colon", inChunks(`5\r\n${MARK}\r\n0\r\nx-sum : 1\r\n\r\n`)],
  ["a bare LF after a trailer", inChunks(`5\r\n${MARK}\r\n0\r\nx-sum: 1\n\r\n`)],
  ["a bare CR in a trailer", inChunks(`5\r\n${MARK}\r\n0\r\nx-sum: 1\r2\r\n\r\n`)],
  ["a NUL in a trailer", inChunks(`5\r\n${MARK}\r\n0\r\nx-sum: \0\r\n\r\n`)],
  ["another answer after the last chunk", inChunks(`5\r\n${MARK}\r\n0\r\n${EMPTY}\r\n`)]
]

/** Answers whose end says itself, in each of the ways. */
export const wholeAnswers: ReadonlyArray<readonly [what: string, raw: string]> = [
  ["a body of known length", `${OK}x-a: 1\r\ncontent-length: 5\r\n\r\nhello`],
  ["a length of none", `\r\n${EMPTY}\r\n`],
  ["no body", "HTTP/1.1 204 No Content\r\n\r\n"],
  ["chunks and trailers", `${CHUNKED}5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 1\r\n\r\n`],
  ["an interim answer before it", `HTTP/1.1 100 Continue\r\n\r\n${OK}connection: close\r\ncontent-length: 2\r\n\r\nok`],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"]
]
