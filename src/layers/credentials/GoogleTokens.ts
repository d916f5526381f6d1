/**
 * Access tokens for Google Cloud: from a service account's key file, from application default credentials (a key file, a
 * user's login, workload identity, the metadata server), and by impersonation.
 *
 * @see https://cloud.google.com/docs/authentication/application-default-credentials
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AuthClient } from "google-auth-library"
import * as Json from "../../domain/providers/Json.ts"
import { CredentialError } from "../../services/Credentials.ts"
import { CALL_MS, clientFor, SCOPE } from "./GoogleClients.ts"
import { fromCall, isFromCall, misconfigured } from "./GoogleErrors.ts"
import type { AccessToken } from "./TokenCache.ts"

export interface GoogleTokenOptions {
  /** Path of a service account's key file. Default: application default credentials. */
  readonly keyFile?: string | undefined
  /** E-mail of a service account to impersonate. Default: none. */
  readonly serviceAccount?: string | undefined
  /**
   * Where `GOOGLE_APPLICATION_CREDENTIALS` (path of the credentials) and `CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS`
   * (base URL of the IAM credentials API, as for gcloud) are looked up. Default: the process's environment; the library
   * reads that too, for `GCE_METADATA_HOST` and the like.
   */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

/** A token without a stated end is used for five minutes. */
const UNSTATED_MS = 300_000

/** The base URL of the IAM credentials API, which impersonates. */
const IAM_URL = "https://iamcredentials.googleapis.com/"

/**
 * Asks for a new token. Nothing is kept between two calls: key files are read anew, so that a key may be replaced while the
 * program runs. The library is loaded with the first one.
 */
export const issue = (options: GoogleTokenOptions): Effect.Effect<AccessToken, CredentialError> =>
  Effect.tryPromise({
    try: () => issueToken(options),
    catch: (error) => (error instanceof CredentialError ? error : misconfigured(unexpected(error)))
  })

const issueToken = async (options: GoogleTokenOptions): Promise<AccessToken> => {
  const { keyFile, serviceAccount, environment = process.env } = options
  const client = await clientFor(keyFile, environment)
  const own = await ownToken(client)
  if (serviceAccount === undefined) return own
  return impersonate(client, serviceAccount, environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"] || IAM_URL)
}

const ownToken = async (client: AuthClient): Promise<AccessToken> => {
  const { token } = await client.getAccessToken().catch((error: unknown) => {
    throw isFromCall(error) ? fromCall(error, "Google's token endpoint", RENEW_LOGIN) : misconfigured(unusable(error))
  })
  return accessToken(token, client.credentials.expiry_date, "Google's token endpoint")
}

const RENEW_LOGIN =
  "is the key deleted or disabled, or the clock wrong? Make a new key, or log in again with `gcloud auth application-default login`"

/** A token for another account, in the name of the client's own. */
const impersonate = async (client: AuthClient, account: string, iamUrl: string): Promise<AccessToken> => {
  const url = new URL(`v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:generateAccessToken`, iamUrl)
  const data = { scope: [SCOPE], lifetime: "3600s" }
  const answer = await client
    .request<unknown>({ url, method: "POST", data, timeout: CALL_MS })
    .catch((error: unknown) => {
      throw fromCall(
        error,
        "Google's IAM credentials API",
        `give the caller the role Service Account Token Creator on ${account}, and enable the API in its project`
      )
    })
  const expiry = Date.parse(Json.text(Json.field(answer.data, "expireTime")) ?? "")
  return accessToken(Json.text(Json.field(answer.data, "accessToken")), expiry, "Google's IAM credentials API")
}

const accessToken = (token: unknown, expiresAtMs: unknown, from: string): AccessToken => {
  if (typeof token !== "string" || token === "") throw misconfigured(`${from} answered without an access token`)
  const isStated = typeof expiresAtMs === "number" && Number.isFinite(expiresAtMs)
  return { token: Redacted.make(token), expiresAtMs: isStated ? expiresAtMs : Date.now() + UNSTATED_MS }
}

/** The library's own complaints may quote what they are about, such as a key that is none: only their code is shown. */
const unusable = (error: unknown): string =>
  `the Google credentials cannot be used${codeIn(error)}: is the private key whole, and did the token endpoint answer with an access token?`

const unexpected = (error: unknown): string =>
  `no Google access token could be had${codeIn(error)}: check keyFile, GOOGLE_APPLICATION_CREDENTIALS and the gcloud login`

const codeIn = (error: unknown): string => {
  const code = Json.text(Json.field(error, "code"))
  return code === undefined ? "" : ` (${code})`
}
