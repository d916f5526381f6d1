/** Checking the bodies that clients send: strict about the types of what is known, silent about everything else. */
import type { GenAiAnswer } from "../genai/GenAiResponse.ts"
import { isDeeper, isObject, type JsonObject, shown } from "../JsonText.ts"
import { Problem } from "../server/Problem.ts"

/** What a field must be, in words, and whether a value is that. Absent fields and `null` are not checked. */
export type Check = readonly [expected: string, holds: (value: unknown) => boolean]

export const invalid = (field: string, expected: string, value: unknown): Problem =>
  new Problem({ kind: "InvalidRequest", message: `${field}: expected ${expected}, got ${shown(value)}`, field })

/** The first field that is not what it must be; `prefix` is the path to the object, with its dot. */
export const wrongField = (
  object: JsonObject,
  checks: ReadonlyArray<readonly [name: string, check: Check]>,
  prefix = ""
): Problem | undefined => {
  for (const [name, [expected, holds]] of checks) {
    const value = object[name]
    if (value !== undefined && value !== null && !holds(value)) return invalid(prefix + name, expected, value)
  }
  return undefined
}

export const isText = (value: unknown): value is string => typeof value === "string"
const isNumber = (value: unknown): boolean => Number.isFinite(value)
const isFlag = (value: unknown): boolean => typeof value === "boolean"

export const FLAG: Check = ["true or false", isFlag]
export const NUMBER: Check = ["a number", isNumber]
export const LIST: Check = ["a list", Array.isArray]
export const OBJECT: Check = ["an object", isObject]
export const TEXT: Check = ["text", isText]
export const COUNT: Check = ["a whole number above 0", (value) => Number.isSafeInteger(value) && Number(value) > 0]

export { isModelName } from "../ModelName.ts"

/** What JSON.parse reads without recursion, JSON.stringify cannot take up again. */
const MAX_DEPTH = 500

/** The body as an object, or why it is none that can be sent on. */
export const objectIn = (body: unknown): JsonObject | Problem => {
  if (!isObject(body)) {
    return new Problem({ kind: "InvalidRequest", message: `body: expected a JSON object, got ${shown(body)}` })
  }
  if (!isDeeper(body, MAX_DEPTH)) return body
  return new Problem({ kind: "InvalidRequest", message: `the body is nested more than ${MAX_DEPTH} levels deep` })
}

/** The list of objects in a field, which must be there and not be empty. */
export const objectsIn = (body: JsonObject, name: string, what: string): ReadonlyArray<JsonObject> | Problem => {
  const list = body[name]
  if (!Array.isArray(list)) return invalid(name, `a list of ${what}s`, list)
  if (list.length === 0) return invalid(name, `at least one ${what}`, list)
  const objects: Array<JsonObject> = []
  for (const [at, value] of list.entries()) {
    if (!isObject(value)) return invalid(`${name}[${at}]`, "an object", value)
    objects.push(value)
  }
  return objects
}

/** The provider's own answer as JSON; `undefined` when it is not there, or is nested too deeply to be written. */
export const ownJson = ({ raw, rawText }: GenAiAnswer): string | undefined =>
  rawText ?? (raw === undefined ? undefined : jsonOf(raw))

const jsonOf = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
