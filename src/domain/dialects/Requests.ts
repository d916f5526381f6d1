/** What the requests of all dialects have in common: paths and API keys. */
import type { Route } from "./Dialect.ts"

/** Headers of a request, names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>

/** A route that takes one method. */
export const only = (wanted: string, method: string, route: Route): Route | "MethodNotAllowed" =>
  method === wanted ? route : "MethodNotAllowed"

/** A model's name in a path, where slashes may be written as they are; `undefined` when it is no text. */
export const modelInPath = (written: string): string | undefined => {
  if (written === "") return undefined
  try {
    return decodeURIComponent(written)
  } catch {
    return undefined
  }
}

/** The token of an `authorization: Bearer`. */
export const bearer = ({ authorization }: RequestHeaders): string | undefined =>
  /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1]

/** The text, when there is any. */
export const given = (text: string | null | undefined): string | undefined => text || undefined
