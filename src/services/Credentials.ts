/** What endpoints let requests in with: keys that stay, and access tokens that are renewed. */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ConnectionFailed, Unauthorized } from "../domain/genai/GenAiError.ts"
import type { Credential } from "../domain/providers/Provider.ts"

/** No credential could be had, so nothing was sent. */
export class CredentialError extends Schema.TaggedError<CredentialError>()("CredentialError", {
  /** A sentence for people that says what to do, without secrets. */
  message: Schema.String,
  /**
   * `Unauthorized` when it was refused or there is none to be found (status 401 when nobody was asked): trying again does
   * not help. `ConnectionFailed` when the token's issuer could not be reached or failed (code `HTTP_503` and the like).
   */
  reason: Schema.Union([Unauthorized, ConnectionFailed])
}) {}

/** The same for as long as the endpoint lives; `undefined` for endpoints that need none. */
export interface FixedCredential {
  readonly _tag: "Fixed"
  readonly credential: Credential
}

/** Renewed from time to time. */
export interface RenewedCredential {
  readonly _tag: "Renewed"
  /**
   * A credential that is good for a while. Nearly always at hand; otherwise waits until it is there, together with all
   * others who want it. Interrupting it leaves the others alone.
   */
  readonly get: Effect.Effect<string, CredentialError>
  /**
   * The endpoint refused this one. True when the next `get` gives another; false when it is just a moment old, so that
   * another would be refused too.
   */
  readonly refused: (credential: string) => boolean
}

/** Where one endpoint's credentials come from. */
export type CredentialSource = FixedCredential | RenewedCredential
