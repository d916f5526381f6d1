/** A running `serve` with endpoints of every kind, for its clients: each kind has endpoints that do as they are called. */
import { createServer } from "node:net"
import { assert } from "@effect/vitest"
import { Context, Effect, type Fiber, Layer } from "effect"
import type { SandboxInput } from "../../src/domain/sandbox/SandboxOptions.ts"
import { hashKey } from "../../src/domain/server/KeyRing.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { type Said, type Sdk, sdks, type Told } from "./Sdks.ts"
import { startService } from "./Service.ts"
import { temporaryFolder } from "./TemporaryFolder.ts"

export const kinds = ["openai", "azure", "gemini", "vertex", "anthropic", "cloudflare", "raw"] as const
export type Kind = (typeof kinds)[number]

/** How endpoints are: each kind has one of each, whose model is called `kind-behaviour`. */
export const behaviours = {
  healthy: {},
  /** An answer takes a moment, so that its pieces can be seen coming. */
  slow: { chunkDelay: "40ms" },
  /** Nobody waits for the end of its answers. */
  endless: { chunkDelay: "5s" },
  failing: { failures: "500=1" },
  silent: { failures: "stall=1" }
} satisfies Readonly<Record<string, SandboxInput>>
type Behaviour = keyof typeof behaviours

const BASES: Readonly<Record<Kind, string>> = {
  openai: "/v1",
  azure: "",
  gemini: "/v1beta",
  vertex: "/v1/projects/p1/locations/europe-west4/publishers/google",
  anthropic: "",
  cloudflare: "/client/v4/accounts/a1/ai",
  raw: "/v1/chat/completions"
}

const endpoint = (kind: Kind, what: string, origin: string) => ({
  name: `${kind}-${what}`,
  kind,
  baseUrl: `${origin}${BASES[kind]}`,
  ...(kind === "azure" ? { deployment: `${kind}-${what}` } : { model: `${kind}-${what}` }),
  apiKeyEnv: "UPSTREAM_KEY",
  breaker: { failures: 10_000, window: "1s", open: "1s" }
})

export const KEY = "gd_the-key-of-those-who-may-do-all"
export const NARROW = "gd_the-key-of-those-who-may-use-one-model"
export const onceKey = (sdk: Sdk) => `gd_the-key-for-one-request-a-minute-${sdk.name}`

const keys = [
  { name: "all", sha256: hashKey(KEY) },
  { name: "narrow", sha256: hashKey(NARROW), models: ["openai-healthy"] },
  ...sdks.map((sdk) => ({ name: `once-${sdk.name}`, sha256: hashKey(onceKey(sdk)), requestsPerMinute: 1 }))
]

/** A port that nobody listens on. */
const closedPort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => resume(Effect.succeed(typeof address === "object" ? (address?.port ?? 9) : 9)))
  })
})

/** Uses up a key's minute, and begins a second call, whose one retry comes when it is told to. */
const askTwice = Effect.fnUntraced(function* (sdk: Sdk, url: string) {
  const client = sdk.client(url, onceKey(sdk))
  const model = "openai-healthy"
  yield* Effect.promise(() => client.answer({ model }))
  const second = Effect.promise(() => client.answer({ model, maxRetries: 1 }))
  // Google's SDK retries nothing unasked, and never looks at the hint: whoever uses it does.
  const waited = Effect.flatMap(
    told(sdk, () => client.answer({ model })),
    ({ retryAfterMs = 0 }) => Effect.delay(second, retryAfterMs)
  )
  return yield* Effect.forkScoped(sdk.name === "google" ? waited : second, { startImmediately: true })
})

export class Served extends Context.Service<
  Served,
  {
    readonly url: string
    readonly sandboxes: Readonly<Record<Behaviour, Sandbox["Service"]>>
    /** Calls that come right after the only one that their key may make in a minute. */
    readonly patient: ReadonlyArray<Fiber.Fiber<Said>>
    /** One for each kind: has a rate limit when it is told to. */
    readonly limited: Readonly<Record<Kind, Sandbox["Service"]>>
  }
>()("test/Served") {
  static readonly layer = Layer.effect(
    Served,
    Effect.gen(function* () {
      const sandboxes = yield* Effect.all({
        healthy: SandboxServer.make(behaviours.healthy),
        slow: SandboxServer.make(behaviours.slow),
        endless: SandboxServer.make(behaviours.endless),
        failing: SandboxServer.make(behaviours.failing),
        silent: SandboxServer.make(behaviours.silent)
      })
      const make = SandboxServer.make({})
      const limited = yield* Effect.all({
        openai: make,
        azure: make,
        gemini: make,
        vertex: make,
        anthropic: make,
        cloudflare: make,
        raw: make
      })
      const dead = `http://127.0.0.1:${yield* closedPort}`
      const endpoints = kinds.flatMap((kind) => [
        ...Object.entries(sandboxes).map(([what, { origin }]) => endpoint(kind, what, origin)),
        endpoint(kind, "limited", limited[kind].origin),
        endpoint(kind, "dead", dead)
      ])
      const config = {
        maxAttempts: 2,
        retry: { base: "20ms" },
        retryBudget: { ratio: 1, minPerSecond: 1000 },
        endpoints,
        server: { apiKeys: keys }
      }
      const folder = yield* temporaryFolder
      const { url } = yield* startService({ folder, config, env: { UPSTREAM_KEY: "upstream-key" } })
      const patient = yield* Effect.forEach(sdks, (sdk) => askTwice(sdk, url), { concurrency: "unbounded" })
      return { url, sandboxes, limited, patient }
    })
  )
}

/** What a call is rejected with. */
export const rejection = (call: () => Promise<unknown>): Effect.Effect<unknown> =>
  Effect.promise(() =>
    call().then(
      () => assert.fail("the call succeeded"),
      (error: unknown) => error
    )
  )

export const told = (sdk: Sdk, call: () => Promise<unknown>): Effect.Effect<Told> =>
  Effect.map(rejection(call), (error) => {
    const told = sdk.told(error)
    assert(told !== undefined, `no error of the SDK: ${String(error)}`)
    return told
  })
