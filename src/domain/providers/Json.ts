/** Reading JSON that others wrote, field by field: what is missing or of another type is `undefined`, never an error. */
import { isObject } from "effect/Predicate"

/** The document, or `undefined` when the text is not JSON, or not all of it. */
export const parse = (body: string): unknown => {
  try {
    return JSON.parse(withoutMark(body))
  } catch {
    return undefined
  }
}

/** The text without the byte order mark that some servers send, and which is no JSON (RFC 8259, 8.1). */
export const withoutMark = (body: string): string => (body.charCodeAt(0) === BYTE_ORDER_MARK ? body.slice(1) : body)

/** The member of this name. */
export const field = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined)

/** The first element of a list. */
export const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : undefined)

/** A text. */
export const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** A whole number from 0. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

const BYTE_ORDER_MARK = 0xfeff
