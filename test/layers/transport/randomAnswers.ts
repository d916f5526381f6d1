/** Random answers (RFC 9112): valid ones with what a client must make of them, and ones that are wrong in some way. */
import { Schema } from "effect"
import { bytesOf } from "./rawServer.ts"

const Count = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const ListOf = <S extends Schema.Constraint>(item: S, most: number) =>
  Schema.Array(item).check(Schema.isMaxLength(most))

const Header = Schema.Struct({
  name: ListOf(Schema.Literals([..."abcXYZ019-_.!~"]), 12),
  value: ListOf(Schema.Literals([..."ab19 \t:;,=\"'\\/{}<>\x80\xa0\xff"]), 12),
  before: Schema.Literals(["", " ", "  ", "\t "]),
  after: Schema.Literals(["", " ", "\t"])
})
type Header = typeof Header.Type

const Chunk = Schema.Struct({
  size: Count(1, 40),
  zeros: Count(0, 3),
  isUpper: Schema.Boolean,
  extension: Schema.Literals(["", ";a", ";a=b", ";a=b;c", ';a="b; c"'])
})

/** What an answer is made of. */
export const Answer = Schema.Struct({
  emptyLines: Schema.Literals([0, 0, 0, 1, 2]),
  interim: ListOf(Schema.Struct({ status: Schema.Literals([100, 102, 103, 199]), headers: ListOf(Header, 3) }), 3),
  version: Schema.Literals(["1.1", "1.1", "1.0"]),
  status: Schema.Literals([200, 200, 201, 204, 302, 304, 400, 429, 503, 599]),
  reason: Schema.Literals(["", " ", " OK", " Not  so\tgood: \xe9"]),
  headers: ListOf(Header, 8),
  /** Where among the headers those about the connection and the body stand. */
  framedAt: Count(0, 8),
  framing: Schema.Literals(["length", "length", "chunked", "chunked", "chunked", "close"]),
  connection: Schema.Literals(["", "", "", "close", "Close", "keep-alive", "Keep-Alive", "x-a, close"]),
  body: ListOf(Schema.Literals([..."a1{} \r\n0:\0\x7f\x80\xc3\xa9\xff"]), 60),
  /** How often the body's bytes are repeated. */
  times: Schema.Literals([1, 1, 1, 1, 3, 50, 2_000]),
  chunks: ListOf(Chunk, 6),
  lastChunk: Schema.Literals(["0", "000", "0;a=b"]),
  trailers: ListOf(Header, 3)
})
export type Answer = typeof Answer.Type

export interface Rendered {
  readonly bytes: Buffer
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly isReused: boolean
  readonly isEndedByClose: boolean
}

const FRAMING = ["content-length", "transfer-encoding", "connection", "keep-alive"]

const nameOf = ({ name }: Header) => {
  const text = name.join("")
  return text === "" || FRAMING.includes(text.toLowerCase()) ? "x-a" : text
}
const linesOf = (headers: ReadonlyArray<Header>) =>
  headers.map((header) => `${nameOf(header)}:${header.before}${header.value.join("")}${header.after}\r\n`)

/** The answer as it is on the wire, and what it says. */
export const rendered = (answer: Answer): Rendered => {
  const { status, connection, headers } = answer
  const isChunked = answer.framing === "chunked"
  const version = isChunked ? "1.1" : answer.version
  const hasBody = status !== 204 && status !== 304
  const body = hasBody ? bytesOf(answer.body.join("").repeat(answer.times)) : Buffer.alloc(0)

  const framing: Record<string, string> = {}
  if (connection !== "") framing["connection"] = connection
  if (isChunked) framing["transfer-encoding"] = "chunked"
  else if (answer.framing === "length") framing["content-length"] = String(body.length)
  const lines = linesOf(headers)
  lines.splice(answer.framedAt, 0, ...Object.entries(framing).map(([name, value]) => `${name}: ${value}\r\n`))

  const interim = answer.interim.map((before) => `HTTP/1.1 ${before.status}\r\n${linesOf(before.headers).join("")}\r\n`)
  const head = `HTTP/${version} ${status}${answer.reason}\r\n${lines.join("")}\r\n`
  const isEndedByClose = hasBody && answer.framing === "close"
  return {
    bytes: Buffer.concat([
      bytesOf("\r\n".repeat(answer.emptyLines) + interim.join("") + head),
      hasBody && isChunked ? inChunks(answer, body) : body
    ]),
    status,
    headers: {
      ...Object.fromEntries(
        headers.map((header) => [nameOf(header).toLowerCase(), header.value.join("").replace(/^[ \t]+|[ \t]+$/g, "")])
      ),
      ...framing
    },
    body,
    isReused: !(isEndedByClose || /close/i.test(connection)) && (version === "1.1" || /keep-alive/i.test(connection)),
    isEndedByClose
  }
}

const inChunks = ({ chunks, times, lastChunk, trailers }: Answer, body: Buffer): Buffer => {
  const parts: Array<Buffer> = []
  for (let at = 0, i = 0; at < body.length; i++) {
    const chunk = chunks[i % Math.max(1, chunks.length)]
    const part = body.subarray(at, at + (chunk?.size ?? body.length) * times)
    const size = "0".repeat(chunk?.zeros ?? 0) + part.length.toString(16)
    const line = (chunk?.isUpper ? size.toUpperCase() : size) + (chunk?.extension ?? "")
    parts.push(bytesOf(`${line}\r\n`), part, bytesOf("\r\n"))
    at += part.length
  }
  return Buffer.concat([...parts, bytesOf(`${lastChunk}\r\n${linesOf(trailers).join("")}\r\n`)])
}

/** Bytes that mean something in an answer, and some that do not. */
const Byte = Schema.Literals([...'\r\n\t\0 :;,=019fgFX-+"\x7f\x80\xff'])

/** Something done to the bytes, at so many thousandths of their length. */
export const Damage = Schema.Struct({
  at: Count(0, 999),
  how: Schema.Literals(["replace", "insert", "remove", "double", "move"]),
  size: Schema.Literals([1, 1, 2, 3, 10, 40]),
  byte: Byte
})
export type Damage = typeof Damage.Type

export const damaged = (bytes: Buffer, damages: ReadonlyArray<Damage>): Buffer => {
  let damaged = bytes
  for (const { at, how, size, byte } of damages) {
    const from = Math.floor((damaged.length * at) / 1_000)
    const before = damaged.subarray(0, from)
    const part = damaged.subarray(from, from + size)
    const after = damaged.subarray(from + size)
    switch (how) {
      case "replace":
        damaged = Buffer.concat([before, bytesOf(byte), damaged.subarray(from + 1)])
        break
      case "insert":
        damaged = Buffer.concat([before, bytesOf(byte), damaged.subarray(from)])
        break
      case "remove":
        damaged = Buffer.concat([before, after])
        break
      case "double":
        damaged = Buffer.concat([before, part, part, after])
        break
      case "move":
        damaged = Buffer.concat([part, before, after])
    }
  }
  return damaged
}

/** Pieces that answers are made of, in any order, and bytes that are in none. */
export const Garbage = ListOf(
  Schema.Union([
    Schema.Literals([
      "HTTP/1.1",
      "HTTP/1.0",
      " 200 OK\r\n",
      " 100\r\n",
      " 304\r\n",
      "\r\n\r\n",
      "content-length: ",
      "transfer-encoding: chunked",
      "connection: close",
      "5\r\nhello\r\n",
      "0\r\n",
      "99999999999999999999",
      "x-a: 1"
    ]),
    Byte
  ]),
  40
)
