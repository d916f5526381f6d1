/** Stand-ins for the servers that Google's tokens come from, on loopback, and credentials that lead to them. */
import { createVerify, generateKeyPairSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { Effect } from "effect"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"
import { httpServer, readBody } from "../transport/servers.ts"

const { privateKey, publicKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" }
})

/** The path of a file with this content; gone with the scope. */
export const keyFileOf = (content: string) =>
  Effect.map(temporaryFolder, (folder) => {
    const path = folder("key.json")
    writeFileSync(path, content)
    return path
  })

export const PRIVATE_KEY = privateKey
export const ACCOUNT = "robot@p-1.iam.gserviceaccount.com"

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** What was asked for, and the assertion or the bearer token that came along. */
export interface Asked {
  readonly what: "key" | "impersonation" | "metadata"
  readonly secret: string
  readonly body: string
}

export class GoogleServers {
  readonly asked: Array<Asked> = []
  /** Answers instead of tokens, in turn. */
  readonly instead: Record<Asked["what"], Array<Answer>> = { key: [], impersonation: [], metadata: [] }
  url = ""
  lifetimeS = 3600

  get tokenUri(): string {
    return `${this.url}/token`
  }

  /** The content of a service account's key file. */
  key(changes: Record<string, unknown> = {}): string {
    return JSON.stringify({
      type: "service_account",
      project_id: "p-1",
      private_key_id: "kid-1",
      private_key: PRIVATE_KEY,
      client_email: ACCOUNT,
      token_uri: this.tokenUri,
      universe_domain: "googleapis.com",
      ...changes
    })
  }

  answer(request: IncomingMessage, body: string): Answer {
    const { pathname } = new URL(request.url!, this.url)
    const bearer = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1] ?? ""
    if (pathname === "/token") return this.withKey(new URLSearchParams(body), body)
    if (pathname.endsWith(":generateAccessToken")) {
      this.asked.push({ what: "impersonation", secret: bearer, body })
      return (
        this.instead.impersonation.shift() ?? {
          status: 200,
          body: {
            accessToken: `impersonated-${decodeURIComponent(/serviceAccounts\/(.*):/.exec(pathname)![1]!)}`,
            expireTime: new Date(Date.now() + this.lifetimeS * 1000).toISOString()
          }
        }
      )
    }
    if (request.headers["metadata-flavor"] !== "Google") return { status: 403, body: "no flavor" }
    if (!pathname.endsWith("/service-accounts/default/token")) return { status: 200, body: "{}" }
    this.asked.push({ what: "metadata", secret: "", body })
    return this.instead.metadata.shift() ?? this.token(`metadata-${this.asked.length}`)
  }

  private withKey(form: URLSearchParams, body: string): Answer {
    const assertion = form.get("assertion") ?? ""
    this.asked.push({ what: "key", secret: assertion, body })
    const instead = this.instead.key.shift()
    if (instead !== undefined) return instead
    const [head = "", payload = "", signature = ""] = assertion.split(".")
    const isSigned = createVerify("RSA-SHA256").update(`${head}.${payload}`).verify(publicKey, signature, "base64url")
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
    const isGood =
      isSigned &&
      form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer" &&
      claims.iss === ACCOUNT &&
      claims.aud === this.tokenUri &&
      claims.scope === "https://www.googleapis.com/auth/cloud-platform"
    return isGood ? this.token(`key-${this.asked.length}`) : { status: 400, body: { error: "invalid_grant" } }
  }

  private token(access_token: string): Answer {
    return { status: 200, body: { access_token, expires_in: this.lifetimeS, token_type: "Bearer" } }
  }
}

/** They run for as long as the scope. */
export const makeServers = Effect.gen(function* () {
  const servers = new GoogleServers()
  const { origin } = yield* httpServer(async (request, response) => {
    const { status, body } = servers.answer(request, await readBody(request))
    response.writeHead(status, { "content-type": "application/json", "metadata-flavor": "Google" })
    response.end(typeof body === "string" ? body : JSON.stringify(body))
  })
  servers.url = origin
  return servers
})
