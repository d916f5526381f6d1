/** Requests as HTTP/1.1 writes them (RFC 9112). */
import type { WireRequest } from "../../domain/providers/Wire.ts"

/** What is written to the connection, in one piece. */
export interface RequestMessage {
  readonly data: string | Buffer
  /** Of a string. */
  readonly encoding: "latin1" | "utf8"
  /** The request asks that its connection be closed after the answer. */
  readonly closes: boolean
}

/** A request that cannot be written; the message is the end of a sentence, without values. */
export class InvalidRequest extends Error {}

/**
 * Throws `InvalidRequest` when a name, a value or the path would not stay within its place.
 *
 * `host` is what the request is sent to, unless a header says otherwise.
 */
export const messageOf = ({ method, path, headers, body }: WireRequest, host: string): RequestMessage => {
  if (!PATH.test(path)) throw new InvalidRequest("its path has a character that must be percent-encoded")
  let own = ""
  let names = ""
  let closes = false
  let isAscii = true
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    const value = headers[at + 1] ?? ""
    if (!TOKEN.test(name)) throw new InvalidRequest(`the header name ${JSON.stringify(name)} is not one`)
    if (NOT_ASCII.test(value)) {
      if (NOT_IN_VALUE.test(value))
        throw new InvalidRequest(`invalid ${name} header: its value has a character that headers cannot have`)
      isAscii = false
    }
    switch (name.toLowerCase()) {
      case "host":
        names = `host: ${value}\r\n`
        continue
      case "connection":
        closes = value.toLowerCase() === "close"
        if (!closes && value.toLowerCase() !== "keep-alive")
          throw new InvalidRequest(`invalid connection header: it can be close or keep-alive`)
        continue
      case "content-length":
      case "transfer-encoding":
      case "keep-alive":
      case "upgrade":
      case "expect":
      case "te":
      case "trailer":
        throw new InvalidRequest(`invalid ${name} header: the transport itself says how a request is sent`)
    }
    own += `${name}: ${value}\r\n`
  }
  const length = Buffer.byteLength(body)
  const head =
    `${method} ${path} HTTP/1.1\r\n${names === "" ? `host: ${host}\r\n` : names}` +
    `connection: ${closes ? "close" : "keep-alive"}\r\n${own}` +
    (length === 0 && method === "GET" ? "\r\n" : `content-length: ${length}\r\n\r\n`)
  if (length === body.length) return { data: head + body, encoding: "latin1", closes }
  if (isAscii) return { data: head + body, encoding: "utf8", closes }
  return { data: Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body)]), encoding: "latin1", closes }
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const PATH = /^\/[\x21-\x7e]*$/
const NOT_ASCII = /[^\t\x20-\x7e]/
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/
