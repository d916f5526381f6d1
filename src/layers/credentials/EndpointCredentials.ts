/** Where the credentials of a configured endpoint come from. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { CredentialSource } from "../../services/Credentials.ts"
import * as GoogleTokens from "./GoogleTokens.ts"
import * as TokenCache from "./TokenCache.ts"

/**
 * The source of one endpoint's credentials.
 *
 * An endpoint with a key uses that: for kind `vertex` an access token that somebody else renews. Else `vertex` has tokens of
 * Google, unless it brings an `authorization` header of its own; all other kinds have nothing. Tokens of an account that the
 * endpoint does not name in `keyFile`, such as the user's login, go to Google's own hosts only.
 */
export const make = (endpoint: EndpointConfig): Effect.Effect<CredentialSource, never, Scope.Scope> => {
  if (endpoint.apiKey !== undefined) return fixed(Redacted.value(endpoint.apiKey))
  if (endpoint.kind !== "vertex" || hasAuthorization(endpoint)) return fixed(undefined)
  if (endpoint.keyFile === undefined && !isGoogles(endpoint.baseUrl)) return fixed(undefined)
  return TokenCache.make(GoogleTokens.issue(endpoint))
}

const isGoogles = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" && hostname.endsWith(".googleapis.com")

const fixed = (credential: string | undefined) => Effect.succeed<CredentialSource>({ _tag: "Fixed", credential })

const hasAuthorization = ({ headers }: EndpointConfig): boolean =>
  Object.keys(headers).some((name) => name.toLowerCase() === "authorization")
