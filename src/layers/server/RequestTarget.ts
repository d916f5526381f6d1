/** What a request line asks for. */

export interface RequestTarget {
  /** Begins with `/`, unless it is `*` or nonsense. Escapes are as they came. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly search: string
}

/** Reads all forms of a request target (RFC 9112, 3.2); of an absolute one the host is left out. */
export const parseTarget = (url: string): RequestTarget => {
  const target = url.startsWith("/") ? url : withoutOrigin(url)
  const at = target.indexOf("?")
  return at < 0 ? { path: target, search: "" } : { path: target.slice(0, at), search: target.slice(at) }
}

const withoutOrigin = (url: string): string => {
  const origin = /^https?:\/\/[^/?#]*/i.exec(url)
  if (origin === null) return url
  const rest = url.slice(origin[0].length)
  return rest.startsWith("/") ? rest : `/${rest}`
}

/** Whether all escapes of a path are well formed. */
export const isDecodable = (path: string): boolean => {
  if (!path.includes("%")) return true
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
