/** JSON values in words, for messages about what people wrote. */

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Whether a parsed value is a JSON object. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A path such as `messages[0].role`; an empty text stands for any position of a list. */
export const fieldPath = (keys: ReadonlyArray<string | number>): string =>
  keys.map((key, at) => (typeof key === "number" || key === "" ? `[${key}]` : at === 0 ? key : `.${key}`)).join("")

const SHOWN = 40

/** A value as a message shows it: short, and never more than one line. */
export const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list"
  if (typeof value === "object" && value !== null) return "an object"
  const text = JSON.stringify(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN).toWellFormed()}...` : text
}

/**
 * Where in a JSON value there is text with half of a surrogate pair: its path, or `undefined`.
 *
 * Such text has no UTF-8 form (RFC 3629), so it can be neither sent nor written.
 */
export const brokenText = (value: unknown, path: ReadonlyArray<string | number> = []): string | undefined => {
  if (typeof value === "string") return value.isWellFormed() ? undefined : fieldPath(path)
  if (typeof value !== "object" || value === null) return undefined
  for (const [key, inner] of Object.entries(value)) {
    if (!key.isWellFormed()) return fieldPath([...path, key.toWellFormed()])
    const found = brokenText(inner, [...path, Array.isArray(value) ? Number(key) : key])
    if (found !== undefined) return found
  }
  return undefined
}

/** Whether a JSON value has lists and objects inside each other for more than so many levels. Goes no deeper itself. */
export const isDeeper = (value: unknown, levels: number): boolean => {
  // Every body that the service takes is walked: no list of values is made for each object.
  if (Array.isArray(value)) {
    if (levels === 0) return true
    for (const inner of value) if (isDeeper(inner, levels - 1)) return true
    return false
  }
  if (!isObject(value)) return false
  if (levels === 0) return true
  for (const name in value) if (isDeeper(value[name], levels - 1)) return true
  return false
}
