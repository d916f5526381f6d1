/** Requests as HTTP/1.1 writes them (RFC 9112). */
import type { WireRequest } from "../../domain/providers/Wire.ts"
import { TOKEN } from "./HttpSyntax.ts"

/** What is written to the connection, in one piece. */
export interface RequestMessage {
  readonly data: string | Buffer
  /** Of a string. */
  readonly encoding: "latin1" | "utf8"
  /** Whether the request asks that its connection be closed after the answer. */
  readonly closes: boolean
}

/** A request that cannot be written; the message is the end of a sentence, without values. */
export class InvalidRequest extends Error {}

/** What a request begins with, and all that an endpoint is sent with one credential begin alike. */
interface Beginning {
  readonly method: string
  readonly path: string
  readonly host: string
  /** Up to the line of the length, which comes last. */
  readonly lines: string
  readonly isAscii: boolean
  readonly closes: boolean
}

/** Keeps what requests begin with, so that each costs no more than its body. */
export class RequestWriter {
  /** The last of each list of headers, and gone with it. */
  private readonly beginnings = new WeakMap<ReadonlyArray<string>, Beginning>()

  /**
   * Writes a request to a host, unless a header of its own names another.
   *
   * Throws `InvalidRequest` when its path or a header would not stay in its place, or says how the request is sent, which is the
   * transport's to say.
   */
  messageOf(request: WireRequest, host: string): RequestMessage {
    const { method, body } = request
    const { lines, isAscii, closes } = this.beginningOf(request, host)
    const bytes = Buffer.byteLength(body)
    const head = bytes === 0 && method === "GET" ? `${lines}\r\n` : `${lines}content-length: ${bytes}\r\n\r\n`
    // One copy from characters to bytes: the fastest is that of characters which are a byte each.
    if (bytes === body.length) return { data: head + body, encoding: "latin1", closes }
    if (isAscii) return { data: head + body, encoding: "utf8", closes }
    return { data: Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body)]), encoding: "latin1", closes }
  }

  private beginningOf({ method, path, headers }: WireRequest, host: string): Beginning {
    const last = this.beginnings.get(headers)
    if (last !== undefined && last.path === path && last.method === method && last.host === host) return last
    const beginning = makeBeginning(method, path, headers, host)
    this.beginnings.set(headers, beginning)
    return beginning
  }
}

const makeBeginning = (method: string, path: string, headers: ReadonlyArray<string>, host: string): Beginning => {
  if (method !== "POST" && method !== "GET") throw new InvalidRequest("its method is neither POST nor GET")
  if (!PATH.test(path)) throw new InvalidRequest("its path must begin with / and have the rest percent-encoded")
  let hostLine = `host: ${host}\r\n`
  const lines: Array<string> = []
  let closes = false
  let isAscii = true
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!
    const value = headers[at + 1] ?? ""
    if (!TOKEN.test(name)) throw new InvalidRequest(`"${name.replace(NOT_PRINTED, "?")}" is no name of a header`)
    if (NOT_ASCII.test(value)) {
      if (NOT_LATIN1.test(value)) throw invalid(name, "its value has a character that headers cannot have")
      isAscii = false
    }
    switch (name.toLowerCase()) {
      case "host":
        hostLine = `host: ${value}\r\n`
        break
      case "connection":
        if (!CONNECTION.test(value)) throw invalid(name, "it can be close or keep-alive")
        closes = value.toLowerCase() === "close"
        break
      case "content-length":
      case "expect":
      case "keep-alive":
      case "te":
      case "trailer":
      case "transfer-encoding":
      case "upgrade":
        throw invalid(name, "how the request is sent is the transport's to say")
      default:
        lines.push(`${name}: ${value}\r\n`)
    }
  }
  const connectionLine = closes ? "connection: close\r\n" : "connection: keep-alive\r\n"
  // Joined, so that the text is in one piece: a sum of texts would be gone through piece by piece for each request.
  const text = [`${method} ${path} HTTP/1.1\r\n`, hostLine, connectionLine, ...lines].join("")
  return { method, path, host, lines: text, isAscii, closes }
}

const PATH = /^\/[\x21\x22\x24-\x7e]*$/
const NOT_PRINTED = /[^\x20-\x7e]/g
const NOT_ASCII = /[^\t\x20-\x7e]/
const NOT_LATIN1 = /[^\t\x20-\x7e\x80-\xff]/
const CONNECTION = /^(?:close|keep-alive)$/i

const invalid = (name: string, why: string): InvalidRequest => new InvalidRequest(`invalid ${name} header: ${why}`)
