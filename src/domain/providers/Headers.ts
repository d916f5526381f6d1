/** The HTTP headers of an endpoint's requests. */
import type { Credential, ProviderTarget } from "./Provider.ts"

/** How a dialect sends a credential, as name and value. */
export type Authenticate = (credential: string) => readonly [name: string, value: string]

/** `authorization: Bearer ...` (RFC 6750). */
export const bearer: Authenticate = (credential) => ["authorization", `Bearer ${credential}`]

/**
 * The headers for a credential: JSON both ways, what the `dialect` always sends, the credential, and the endpoint's own, which win.
 *
 * The result is kept while the credential stays the same: nearly always for the endpoint's whole life.
 */
export const makeHeaders = (
  target: ProviderTarget,
  authenticate: Authenticate,
  dialect: ReadonlyArray<readonly [name: string, value: string]> = []
): ((credential: Credential) => ReadonlyArray<string>) => {
  const own = Object.entries(target.headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const build = (credential: Credential): ReadonlyArray<string> =>
    [
      ...new Map<string, string>([
        ["content-type", "application/json"],
        ["accept", "application/json"],
        ["user-agent", "genai-dispatcher"],
        ...dialect,
        ...(credential === undefined ? [] : [authenticate(credential)]),
        ...own
      ])
    ].flat()

  let last: { readonly credential: Credential; readonly headers: ReadonlyArray<string> } | undefined
  return (credential) => {
    if (last === undefined || last.credential !== credential) last = { credential, headers: build(credential) }
    return last.headers
  }
}
