/** Text of others in our messages: short, on one line, without secrets. */
import type { Credential, ProviderTarget } from "./Provider.ts"

/** Longest provider message that is shown, in UTF-16 units. */
export const MESSAGE_LIMIT = 500

/** Longest piece of a body that is shown, in UTF-16 units. */
export const EXCERPT_LIMIT = 200

/** At most `limit` units of the text, with an ellipsis when something was cut; never half a surrogate pair. */
export const cut = (text: string, limit: number): string => {
  if (text.length <= limit) return text
  const kept = text.slice(0, limit - 1)
  const last = kept.charCodeAt(kept.length - 1)
  return `${last >= 0xd800 && last <= 0xdbff ? kept.slice(0, -1) : kept}…`
}

/** The text on one line: runs of white space and control characters become one space. */
export const oneLine = (text: string): string => text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim()

/** The words of an HTML page, or the text itself when it is none. Only the first 8,192 units are looked at. */
export const words = (body: string): string => {
  const head = body.slice(0, 8192)
  return /^\s*</.test(head) ? head.replaceAll(/<(script|style)\b.*?<\/\1>|<[^>]*>/gis, " ") : head
}

/** Hides secrets in texts that others wrote. */
export type Hide = (text: string, credential: Credential) => string

const SECRET_NAME = /auth|key|token|secret|cookie|signature|^sig$/i

/**
 * Hides an endpoint's secrets: the credential, and what its headers and URL hold under a name that tells of a secret.
 *
 * A text that quotes the `authorization` header is covered too: the value is hidden with and without its scheme.
 */
export const makeHide = (target: ProviderTarget): Hide => {
  const values = [...Object.entries(target.headers), ...target.baseUrl.searchParams]
    .filter(([name]) => SECRET_NAME.test(name))
    .flatMap(([, value]) => [value, value.slice(value.indexOf(" ") + 1)])
  const secrets = longestFirst([...values, target.baseUrl.password])
  return (text, credential) =>
    longestFirst(credential === undefined ? secrets : [...secrets, credential]).reduce(
      (hidden, secret) => hidden.replaceAll(secret, "***"),
      text
    )
}

/** A secret that contains another is hidden first, so that nothing of it is left over. */
const longestFirst = (secrets: ReadonlyArray<string>): ReadonlyArray<string> =>
  secrets.filter((secret) => secret !== "").sort((a, b) => b.length - a.length)
