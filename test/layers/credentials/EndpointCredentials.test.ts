import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as EndpointCredentials from "../../../src/layers/credentials/EndpointCredentials.ts"
import { endpoint } from "../../support/Config.ts"
import { keyFileOf, makeServers } from "./GoogleServers.ts"

describe("the credentials of an endpoint", () => {
  it.effect("are its key, whatever its kind, and nothing when it has none", () =>
    Effect.gen(function* () {
      const apiKey = Redacted.make("k-123")
      for (const kind of ["openai", "gemini", "vertex"] as const) {
        const source = yield* EndpointCredentials.make(endpoint({ name: "east", kind, apiKey }))
        assert.deepStrictEqual(source, { _tag: "Fixed", credential: "k-123" })
      }
      const none = yield* EndpointCredentials.make(endpoint({ name: "east", kind: "gemini" }))
      assert.deepStrictEqual(none, { _tag: "Fixed", credential: undefined })
    })
  )

  it.effect("are not looked for when the endpoint brings an authorization header", () =>
    Effect.gen(function* () {
      const headers = { Authorization: "Bearer own" }
      const source = yield* EndpointCredentials.make(endpoint({ name: "east", kind: "vertex", headers }))
      assert.deepStrictEqual(source, { _tag: "Fixed", credential: undefined })
    })
  )

  it.effect("are those of the user's login or the machine only for hosts of Google", () =>
    Effect.gen(function* () {
      const sourceAt = (url: string, keyFile?: string) => {
        const own = { name: "east", kind: "vertex", baseUrl: new URL(url) } as const
        return Effect.map(
          EndpointCredentials.make(endpoint(keyFile === undefined ? own : { ...own, keyFile })),
          ({ _tag }) => _tag
        )
      }
      assert.strictEqual(yield* sourceAt("https://aiplatform.googleapis.com/v1"), "Renewed")
      assert.strictEqual(yield* sourceAt("https://europe-west4-aiplatform.googleapis.com/v1"), "Renewed")
      assert.strictEqual(yield* sourceAt("http://aiplatform.googleapis.com/v1"), "Fixed")
      assert.strictEqual(yield* sourceAt("https://googleapis.com.example.com/v1"), "Fixed")
      assert.strictEqual(yield* sourceAt("http://127.0.0.1:8080/v1"), "Fixed")
      assert.strictEqual(yield* sourceAt("http://127.0.0.1:8080/v1", "key.json"), "Renewed")
    })
  )

  it.live("are one token of Google for a thousand requests at once, got with one request", () =>
    Effect.gen(function* () {
      const servers = yield* makeServers
      const keyFile = yield* keyFileOf(servers.key())
      const source = yield* EndpointCredentials.make(endpoint({ name: "east", kind: "vertex", keyFile }))
      assert(source._tag === "Renewed")
      assert.strictEqual(servers.asked.length, 0)
      const tokens = yield* Effect.all(
        Array.from({ length: 1_000 }, () => source.get),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(tokens), new Set(["key-1"]))
      assert.strictEqual(servers.asked.length, 1)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live(
    "cost nothing to load for runs that need none of Google's",
    () =>
      Effect.gen(function* () {
        const script = `
        import { createRequire } from "node:module"
        const isLoaded = () =>
          Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("google-auth-library"))
        await import(${JSON.stringify(new URL("../../../src/layers/credentials/EndpointCredentials.ts", import.meta.url).href)})
        const before = isLoaded()
        await import("google-auth-library")
        console.log(before, isLoaded())
      `
        const node = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
          cwd: new URL("../../..", import.meta.url)
        })
        const { stdout } = yield* Effect.promise(() => node)
        assert.strictEqual(stdout.trim(), "false true")
      }),
    120_000
  )
})
