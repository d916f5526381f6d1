/** The account that this process is for Google, as a client of google-auth-library. */
import { readFile } from "node:fs/promises"
import type { AuthClient } from "google-auth-library"
import * as Json from "../../domain/providers/Json.ts"
import { misconfigured } from "./GoogleErrors.ts"

/** What the tokens are for. */
export const SCOPE = "https://www.googleapis.com/auth/cloud-platform"

/** How long one call to Google may take, in milliseconds. */
export const CALL_MS = 10_000

const TOKEN_URL = "https://oauth2.googleapis.com/token"

/** Loading it takes a while, which runs without such endpoints need not pay. */
const library = () => import("google-auth-library")

/**
 * The account of the key file, else of `GOOGLE_APPLICATION_CREDENTIALS`, else of the gcloud login, else of the machine
 * (metadata server). Rejects with `CredentialError` when there is none.
 */
export const clientFor = async (
  keyFile: string | undefined,
  environment: Readonly<Record<string, string | undefined>>
): Promise<AuthClient> => {
  const path = keyFile ?? environment["GOOGLE_APPLICATION_CREDENTIALS"]
  if (path === undefined || path === "") return defaultClient()
  const source = keyFile === undefined ? "GOOGLE_APPLICATION_CREDENTIALS" : "keyFile"
  const key = await readKey(path, source)
  if (key.type === "service_account") return serviceAccountClient(key, path)
  if (keyFile === undefined) return defaultClient()
  throw misconfigured(
    `${quoted(path)} is no service account's key (its type is ${quoted(key.type)}): name it in GOOGLE_APPLICATION_CREDENTIALS instead of keyFile`
  )
}

/** The library looks at the environment, the gcloud login and the metadata server. */
const defaultClient = async (): Promise<AuthClient> => {
  const { GoogleAuth } = await library()
  // The project is in the endpoint's URL; one that is given spares the library a long search for it.
  const auth = new GoogleAuth({
    scopes: SCOPE,
    projectId: "given-by-the-endpoint",
    clientOptions: { transporterOptions: { timeout: CALL_MS } }
  })
  return auth.getClient().catch((error: unknown) => {
    const isMissing = String(Json.field(error, "message")).startsWith("Could not load the default credentials")
    throw misconfigured(isMissing ? NO_CREDENTIALS : UNUSABLE_CREDENTIALS)
  })
}

const NO_CREDENTIALS =
  "no Google credentials found: run `gcloud auth application-default login`, or name a key file in keyFile or GOOGLE_APPLICATION_CREDENTIALS"

/** The library's message is not passed on: it may quote the file. */
const UNUSABLE_CREDENTIALS =
  "the Google credentials that were found are no good: check the file in GOOGLE_APPLICATION_CREDENTIALS, or log in again with `gcloud auth application-default login`"

interface Key {
  readonly type: string
  readonly client_email: string | undefined
  readonly private_key: string | undefined
  readonly private_key_id: string | undefined
  readonly token_uri: string | undefined
}

const readKey = async (path: string, source: string): Promise<Key> => {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    const code = Json.text(Json.field(error, "code")) ?? "unreadable"
    throw misconfigured(`the credentials file ${quoted(path)} cannot be read (${code}): check ${source}`)
  })
  const document = Json.parse(text)
  const member = (name: string) => Json.text(Json.field(document, name))
  const type = member("type")
  if (type === undefined) {
    throw misconfigured(`${quoted(path)} is not a JSON file with credentials of Google: check ${source}`)
  }
  return {
    type,
    client_email: member("client_email"),
    private_key: member("private_key"),
    private_key_id: member("private_key_id"),
    token_uri: member("token_uri")
  }
}

const serviceAccountClient = async (key: Key, path: string): Promise<AuthClient> => {
  const { client_email, private_key, private_key_id, token_uri = TOKEN_URL } = key
  if (client_email === undefined || private_key === undefined || !URL.canParse(token_uri)) {
    throw misconfigured(
      `the key file ${quoted(path)} lacks client_email, private_key or a good token_uri: download it anew`
    )
  }
  const { gaxios, JWT } = await library()
  const transporter = new gaxios.Gaxios({ timeout: CALL_MS })
  // The library asks Google's own token endpoint, whatever the key file says.
  transporter.interceptors.request.add({
    resolved: async (request) =>
      request.url.href === TOKEN_URL ? { ...request, url: new URL(token_uri), retryConfig: { retry: 0 } } : request
  })
  return new JWT({
    email: client_email,
    key: private_key,
    ...(private_key_id === undefined ? {} : { keyId: private_key_id }),
    scopes: [SCOPE],
    additionalClaims: { aud: token_uri },
    transporter
  })
}

const quoted = (text: string): string => JSON.stringify(text)
