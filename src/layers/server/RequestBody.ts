/** Request bodies: read up to a length, and as JSON. */
import { isUtf8 } from "node:buffer"
import type { IncomingMessage } from "node:http"
import * as Result from "effect/Result"
import { isDeeper } from "../../domain/JsonText.ts"
import { Problem } from "../../domain/server/Problem.ts"

/** JSON that is nested deeper than this is refused: what reads and writes it may recurse. */
const MAX_DEPTH = 128

export interface ReadOptions {
  readonly maxBytes: number
  /** Is called when the body is wanted: for clients that wait to be told. */
  readonly beforeBody: (() => void) | undefined
}

/**
 * Reads a body as JSON and calls back once: with the value, or with why the body is refused, in the moment that this is
 * known. Never calls back when the connection breaks first. The rest of a body that is refused is not read.
 */
export const readJson = (
  request: IncomingMessage,
  { beforeBody, maxBytes }: ReadOptions,
  done: (value: Result.Result<unknown, Problem>) => void
): void => {
  const refused = refusal(request, maxBytes)
  if (refused !== undefined) {
    done(Result.fail(refused))
    return
  }
  beforeBody?.()
  let chunks: Array<Buffer> | undefined
  let first: Buffer | undefined
  let length = 0
  const onData = (chunk: Buffer): void => {
    length += chunk.length
    if (length > maxBytes) {
      request.off("data", onData)
      request.off("end", onEnd)
      done(Result.fail(tooLarge(maxBytes)))
    } else if (first === undefined) first = chunk
    else if (chunks === undefined) chunks = [first, chunk]
    else chunks.push(chunk)
  }
  const onEnd = (): void => done(parse(chunks === undefined ? (first ?? EMPTY) : Buffer.concat(chunks, length)))
  request.on("data", onData)
  request.on("end", onEnd)
}

/** Why a body is refused before it is read; `undefined` when it is not. */
const refusal = ({ headers }: IncomingMessage, maxBytes: number): Problem | undefined => {
  const encoding = headers["content-encoding"]
  if (encoding !== undefined && encoding !== "" && encoding.toLowerCase() !== "identity") return encoded
  if (!isJson(headers["content-type"])) return notJson
  return Number(headers["content-length"] ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined
}

const EMPTY = Buffer.alloc(0)

/** The JSON value in a body. What is told of a wrong one holds nothing of its contents. */
const parse = (body: Buffer): Result.Result<unknown, Problem> => {
  if (body.length === 0) return Result.fail(empty)
  if (!isUtf8(body)) return Result.fail(notUtf8)
  let value: unknown
  try {
    value = JSON.parse(body.toString("utf8"))
  } catch {
    return Result.fail(malformed)
  }
  return isDeeper(value, MAX_DEPTH) ? Result.fail(tooDeep) : Result.succeed(value)
}

/** JSON by its name. A page in a browser cannot send that to another site unasked, unlike text or no type at all. */
const isJson = (type: string | undefined): boolean => {
  if (type === undefined) return false
  if (type === "application/json") return true
  const end = type.indexOf(";")
  const name = (end < 0 ? type : type.slice(0, end)).trim().toLowerCase()
  return name === "application/json" || (name.startsWith("application/") && name.endsWith("+json"))
}

const invalid = (code: string, message: string): Problem => new Problem({ kind: "InvalidRequest", code, message })

const empty = invalid("empty_body", "The request has no body: send a JSON object.")
const notUtf8 = invalid("invalid_utf8", "The body is not UTF-8.")
const malformed = invalid("invalid_json", "The body is not JSON.")
const tooDeep = invalid("invalid_json", `The body is nested deeper than ${MAX_DEPTH} levels.`)

const encoded = new Problem({
  kind: "UnsupportedMediaType",
  code: "unsupported_encoding",
  message: "Compressed bodies are not taken: send it without content-encoding."
})

const notJson = new Problem({
  kind: "UnsupportedMediaType",
  code: "unsupported_media_type",
  message: "The body must be JSON: send it with the header content-type: application/json."
})

const tooLarge = (maxBytes: number): Problem =>
  new Problem({
    kind: "TooLarge",
    code: "body_too_large",
    message: `The body is longer than the ${maxBytes} bytes that this service takes.`
  })
