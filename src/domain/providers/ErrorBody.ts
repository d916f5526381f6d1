/** Reads what a provider says of a failure, in any of the shapes that are seen in the wild. */
import { field } from "./Json.ts"

/** What an error body says; absent fields were not said. */
export interface ErrorBody {
  readonly message?: string | undefined
  /** The provider's own code or status word, such as `rate_limit_exceeded`; numbers as text. */
  readonly code?: string | undefined
  /** The provider's class of error, such as `invalid_request_error`. */
  readonly type?: string | undefined
}

/**
 * The error that a JSON document tells of, `undefined` when it tells of none.
 *
 * Knows `{error: {message, code, type}}` (OpenAI), `{error: "text"}` (Ollama), `{object: "error", message}` (vLLM),
 * `{detail}` (FastAPI), `{errors: [...]}` (Cloudflare), `{message}`, and any of them in an array.
 */
export const read = (document: unknown): ErrorBody | undefined => readAt(document, 0)

const readAt = (document: unknown, depth: number): ErrorBody | undefined => {
  if (typeof document === "string") return document === "" ? undefined : { message: document }
  if (depth === MAX_DEPTH || typeof document !== "object" || document === null) return undefined
  if (Array.isArray(document)) return readAt(document[0], depth + 1)
  const inner = INNER.map((name) => readAt(field(document, name), depth + 1)).find((found) => found !== undefined)
  const message = word(document, "message") ?? word(document, "msg") ?? inner?.message
  const code = inner?.code ?? word(document, "code") ?? word(document, "status")
  const type = inner?.type ?? word(document, "type")
  return message === undefined && code === undefined && type === undefined ? undefined : { message, code, type }
}

/** The members that an error is wrapped into. */
const INNER = ["error", "errors", "detail"]

/** Deeper than any provider wraps its errors; keeps a hostile document from filling the stack. */
const MAX_DEPTH = 4

/** Whether a document that came with a success status tells of a failure all the same. */
export const isError = (document: unknown): boolean => {
  const error = field(document, "error")
  return error === true || field(document, "object") === "error" || read(error) !== undefined
}

const word = (document: unknown, name: string): string | undefined => {
  const value = field(document, name)
  if (typeof value === "number") return String(value)
  return typeof value === "string" && value !== "" ? value : undefined
}
