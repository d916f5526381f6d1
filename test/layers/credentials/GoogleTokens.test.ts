import { NodeServices } from "@effect/platform-node"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Redacted } from "effect"
import { type GoogleTokenOptions, issue } from "../../../src/layers/credentials/GoogleTokens.ts"
import { ACCOUNT, keyFileOf, makeServers, PRIVATE_KEY } from "./GoogleServers.ts"

const TARGET = "target@p-2.iam.gserviceaccount.com"
const IAM = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"

/** What the library reads of the environment; nothing of this machine's own may be used. */
const LIBRARY_VARIABLES = {
  GOOGLE_APPLICATION_CREDENTIALS: undefined,
  GCE_METADATA_HOST: "127.0.0.1:1",
  GCE_METADATA_IP: undefined,
  METADATA_SERVER_DETECTION: "none",
  CLOUDSDK_CONFIG: "/nonexistent"
}
const before = Object.keys(LIBRARY_VARIABLES).map((name) => [name, process.env[name]] as const)
const setEnvironment = (variables: Iterable<readonly [string, string | undefined]>) => {
  for (const [name, value] of variables) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
beforeEach(() => setEnvironment(Object.entries(LIBRARY_VARIABLES)))
afterEach(() => setEnvironment(before))

const tokenOf = (options: GoogleTokenOptions) =>
  Effect.map(issue({ environment: {}, ...options }), ({ token }) => Redacted.value(token))
const failureOf = (options: GoogleTokenOptions) => Effect.flip(issue({ environment: {}, ...options }))

const run = <A, E>(
  what: string,
  test: Effect.Effect<A, E, FileSystem.FileSystem | Effect.Services<typeof makeServers>>
) => it.live(what, () => Effect.provide(test, NodeServices.layer))

describe("tokens of Google", () => {
  run(
    "come from the token endpoint that a service account's key file names, for what its key has signed",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key())
      const { token, expiresAtMs } = yield* issue({ keyFile, environment: {} })
      assert.strictEqual(Redacted.value(token), "key-1")
      assert.approximately(expiresAtMs, Date.now() + 3_600_000, 60_000)
      assert.deepStrictEqual(
        servers.asked.map(({ what }) => what),
        ["key"]
      )
    })
  )

  run(
    "are asked for anew each time, with the key that is in the file by then",
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key({ client_email: "old@p-1.iam.gserviceaccount.com" }))
      assert.include((yield* failureOf({ keyFile })).message, "invalid_grant")
      yield* files.writeFileString(keyFile, servers.key())
      assert.strictEqual(yield* tokenOf({ keyFile }), "key-2")
      assert.strictEqual(yield* tokenOf({ keyFile }), "key-3")
    })
  )

  run(
    "come from the file in GOOGLE_APPLICATION_CREDENTIALS, unless another is named",
    Effect.gen(function* () {
      const [servers, others] = [yield* makeServers, yield* makeServers]
      const environment = { GOOGLE_APPLICATION_CREDENTIALS: yield* keyFileOf(servers.key()) }
      assert.strictEqual(yield* tokenOf({ environment }), "key-1")
      assert.strictEqual(yield* tokenOf({ environment, keyFile: yield* keyFileOf(others.key()) }), "key-1")
      assert.deepStrictEqual([servers.asked.length, others.asked.length], [1, 1])
    })
  )

  run(
    "may be another account's, by impersonation",
    Effect.gen(function* () {
      const servers = yield* makeServers
      servers.lifetimeS = 1800
      const options = {
        keyFile: yield* keyFileOf(servers.key()),
        serviceAccount: TARGET,
        environment: { [IAM]: servers.url }
      }
      const { token, expiresAtMs } = yield* issue(options)
      assert.strictEqual(Redacted.value(token), `impersonated-${TARGET}`)
      assert.approximately(expiresAtMs, Date.now() + 1_800_000, 60_000)
      assert.deepStrictEqual(
        servers.asked.map(({ what }) => what),
        ["key", "impersonation"]
      )
      assert.strictEqual(servers.asked[1]?.secret, "key-1")
      assert.deepStrictEqual(JSON.parse(servers.asked[1]?.body ?? ""), {
        scope: ["https://www.googleapis.com/auth/cloud-platform"],
        lifetime: "3600s"
      })
    })
  )

  run(
    "come from the metadata server of the machine when nothing else is there, also to impersonate",
    Effect.gen(function* () {
      const servers = yield* makeServers
      setEnvironment([
        ["GCE_METADATA_HOST", new URL(servers.url).host],
        ["METADATA_SERVER_DETECTION", "assume-present"]
      ])
      assert.strictEqual(yield* tokenOf({}), "metadata-1")
      const impersonating = { serviceAccount: TARGET, environment: { [IAM]: servers.url } }
      assert.strictEqual(yield* tokenOf(impersonating), `impersonated-${TARGET}`)
      assert.strictEqual(servers.asked.at(-1)?.secret, "metadata-2")
    })
  )

  run(
    "cannot be had without credentials, and the error says where to put some",
    Effect.gen(function* () {
      const { message, reason } = yield* failureOf({})
      assert.deepInclude(reason, { _tag: "Unauthorized", status: 401 })
      assert.include(message, "gcloud auth application-default login")
      assert.include(message, "GOOGLE_APPLICATION_CREDENTIALS")
    })
  )

  run(
    "cannot be had from a login that is not whole, and the error quotes nothing of it",
    Effect.gen(function* () {
      const login = JSON.stringify({ type: "authorized_user", client_id: "c", client_secret: "s3cret" })
      const path = yield* keyFileOf(login)
      setEnvironment([["GOOGLE_APPLICATION_CREDENTIALS", path]])
      const { message, reason } = yield* failureOf({ environment: { GOOGLE_APPLICATION_CREDENTIALS: path } })
      assert.deepInclude(reason, { _tag: "Unauthorized", status: 401 })
      assert.include(message, "check the file in GOOGLE_APPLICATION_CREDENTIALS")
      assert.notInclude(message, "s3cret")
    })
  )

  run(
    "cannot be had from a file that is no key, and the error says which file, and who named it",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const missing = yield* failureOf({ keyFile: "/nonexistent/key.json" })
      assert.strictEqual(
        missing.message,
        'the credentials file "/nonexistent/key.json" cannot be read (ENOENT): check keyFile'
      )
      for (const [content, says] of [
        ["{", "is not a JSON file with credentials"],
        ["{}", "is not a JSON file with credentials"],
        [servers.key({ type: "authorized_user" }), 'its type is "authorized_user"'],
        [servers.key({ private_key: 7 }), "lacks client_email, private_key"],
        [servers.key({ token_uri: "nowhere" }), "lacks client_email, private_key or a good token_uri"],
        [servers.key({ private_key: "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n" }), "private key"]
      ] as const) {
        const keyFile = yield* keyFileOf(content)
        const { message, reason } = yield* failureOf({ keyFile })
        assert.deepInclude(reason, { _tag: "Unauthorized", status: 401, retry: "elsewhere" })
        assert.include(message, says)
        assert.notInclude(message, "PRIVATE KEY")
      }
      const environment = { GOOGLE_APPLICATION_CREDENTIALS: "/nonexistent/key.json" }
      assert.include((yield* failureOf({ environment })).message, "check GOOGLE_APPLICATION_CREDENTIALS")
      assert.strictEqual(servers.asked.length, 0)
    })
  )

  run(
    "are refused with what the server says, and what to do",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key())
      const body = { error: "invalid_grant", error_description: "Invalid JWT Signature." }
      servers.instead.key.push({ status: 400, body })
      const { message, reason } = yield* failureOf({ keyFile })
      assert.deepInclude(reason, { _tag: "Unauthorized", status: 400 })
      assert.include(message, "answered 400 (invalid_grant: Invalid JWT Signature.)")
      assert.include(message, "key deleted or disabled")

      servers.instead.key.push({ status: 200, body: { token_type: "Bearer" } })
      assert.include((yield* failureOf({ keyFile })).message, "did the token endpoint answer with an access token?")
    })
  )

  run(
    "say who may not impersonate, and which role is missing",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const error = {
        code: 403,
        message: "Permission 'iam.serviceAccounts.getAccessToken' denied",
        status: "PERMISSION_DENIED"
      }
      const options = {
        keyFile: yield* keyFileOf(servers.key()),
        serviceAccount: TARGET,
        environment: { [IAM]: servers.url }
      }
      servers.instead.impersonation.push({ status: 403, body: { error } })
      const { message, reason } = yield* failureOf(options)
      assert.deepInclude(reason, { _tag: "Unauthorized", status: 403 })
      assert.include(message, "Permission 'iam.serviceAccounts.getAccessToken' denied")
      assert.include(message, `Service Account Token Creator on ${TARGET}`)
    })
  )

  run(
    "may be had later when the server fails or cannot be reached",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key())
      for (const [status, code] of [
        [503, "HTTP_503"],
        [500, "HTTP_500"],
        [429, "HTTP_429"]
      ] as const) {
        servers.instead.key.push({ status, body: "<html><h1>Sorry</h1></html>" })
        const { message, reason } = yield* failureOf({ keyFile })
        assert.deepInclude(reason, { _tag: "ConnectionFailed", code, retry: "anywhere" })
        assert.include(message, `answered ${status}`)
      }
      assert.strictEqual(servers.asked.length, 3)

      const nowhere = yield* keyFileOf(servers.key({ token_uri: "http://127.0.0.1:1/token" }))
      const { message, reason } = yield* failureOf({ keyFile: nowhere })
      assert.deepInclude(reason, { _tag: "ConnectionFailed", code: "ECONNREFUSED" })
      assert.include(message, "cannot be reached (ECONNREFUSED)")
    })
  )

  run(
    "never show in an error what was sent to get them",
    Effect.gen(function* () {
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key())
      for (const status of [400, 401, 503]) {
        servers.instead.key.push({ status, body: { error: "no" } })
        const error = yield* failureOf({ keyFile })
        const shown = `${String(error)} ${JSON.stringify(error)} ${error.stack} ${JSON.stringify(error.cause)}`
        assert.notInclude(shown, servers.asked.at(-1)!.secret.split(".")[2]!)
        assert.notInclude(shown, PRIVATE_KEY.split("\n")[1]!)
        assert.notInclude(shown, ACCOUNT)
      }
    })
  )
})
