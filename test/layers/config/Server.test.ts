// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold such text
import { hostname } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { ServerConfig } from "../../../src/domain/config/ServerConfig.ts"
import { complaints, loadCase, loadServerCase, serverComplaints } from "./harness.ts"

const endpoints = `
endpoints:
  - { name: east, kind: openai, baseUrl: "http://east.test/v1", model: gpt-4o-mini, concurrency: 10 }
  - { name: west, kind: openai, baseUrl: "http://west.test/v1", model: gpt-4o, concurrency: 5 }
`
const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
const otherHash = hash.replace("b", "c")

const whole = `${endpoints}
server:
  host: 0.0.0.0
  port: 0
  maxBodySize: 512KiB
  grace: 5s
  requestLog: text
  apiKeys:
    - { name: team-a, sha256: ${hash.toUpperCase()}, requestsPerMinute: 600, models: [fast, gpt-4o] }
    - { name: team-b, sha256: ${otherHash} }
  jobs: { store: postgres, urlEnv: DATABASE_URL, ttl: 10m, maxPending: 7, concurrency: 3, instance: one }
  webhooks: { secretEnv: WEBHOOK_SECRET, allowPrivate: true, maxAttempts: 2 }
models:
  fast: [gpt-4o-mini, west]
telemetry:
  otlp: { url: "http://127.0.0.1:4318", headers: { authorization: "Bearer \${OTLP_TOKEN}", x-team: search } }
  serviceName: mine
  sampleRatio: 0.25
`
const env = {
  DATABASE_URL: "postgres://user:secret@db.test:5432/jobs",
  WEBHOOK_SECRET: "0123456789abcdef",
  OTLP_TOKEN: "otlp-secret"
}

const load = (yaml: string) => loadServerCase({ files: { "a.yaml": yaml }, file: "a.yaml", env })

describe("the configuration of the HTTP service", () => {
  it.live("is settled from the file", () =>
    Effect.gen(function* () {
      const { config, server } = yield* load(whole)
      assert.deepStrictEqual(
        config.endpoints.map(({ name }) => name),
        ["east", "west"]
      )
      const { jobs, telemetry, webhooks, ...plain } = server
      assert.deepStrictEqual(plain, {
        host: "0.0.0.0",
        port: 0,
        maxBodyBytes: 524_288,
        graceMs: 5000,
        requestLog: "text",
        apiKeys: [
          { name: "team-a", sha256: hash, requestsPerMinute: 600, models: new Set(["fast", "gpt-4o"]) },
          { name: "team-b", sha256: otherHash, requestsPerMinute: undefined, models: undefined }
        ],
        models: new Map([["fast", ["gpt-4o-mini", "west"]]])
      })
      const { store, ...settings } = jobs
      assert.deepStrictEqual(settings, { ttlMs: 600_000, maxPending: 7, concurrency: 3, instance: "one" })
      assert.strictEqual(store.kind === "postgres" ? Redacted.value(store.url) : "", env.DATABASE_URL)
      assert.strictEqual(webhooks.secret === undefined ? "" : Redacted.value(webhooks.secret), env.WEBHOOK_SECRET)
      assert.isTrue(webhooks.allowPrivate)
      assert.strictEqual(webhooks.maxAttempts, 2)
      assert.strictEqual(telemetry.otlpUrl?.href, "http://127.0.0.1:4318/")
      assert.deepStrictEqual(
        Object.entries(telemetry.otlpHeaders).map(([name, value]) => [name, Redacted.value(value)]),
        [
          ["authorization", "Bearer otlp-secret"],
          ["x-team", "search"]
        ]
      )
      assert.strictEqual(telemetry.serviceName, "mine")
      assert.strictEqual(telemetry.sampleRatio, 0.25)
    })
  )

  it.live("shows no secret when it is printed", () =>
    Effect.gen(function* () {
      const { server } = yield* load(whole)
      const printed = JSON.stringify(server)
      for (const secret of Object.values(env)) assert.notInclude(printed, secret)
    })
  )

  it.live("names services apart that share a database on one host", () =>
    Effect.gen(function* () {
      const named = (port: number) =>
        Effect.map(
          load(whole.replace(", instance: one", "").replace("port: 0", `port: ${port}`)),
          ({ server }) => server.jobs.instance
        )
      assert.strictEqual(yield* named(8080), `${hostname()}:8080`)
      assert.strictEqual(yield* named(8081), `${hostname()}:8081`)
      // Any free port: not known yet, nor the same at the next start.
      assert.strictEqual(yield* named(0), `${hostname()}#${process.pid}`)
    })
  )

  it.live("has a default for everything", () =>
    Effect.gen(function* () {
      const expected: ServerConfig = {
        host: "127.0.0.1",
        port: 8080,
        maxBodyBytes: 10_485_760,
        graceMs: 30_000,
        requestLog: "json",
        apiKeys: [],
        models: new Map<string, ReadonlyArray<string>>(),
        jobs: {
          store: { kind: "sqlite", file: "genai-dispatcher.db" },
          ttlMs: 3_600_000,
          maxPending: 100_000,
          concurrency: 15,
          instance: hostname()
        },
        webhooks: { secret: undefined, allowPrivate: false, maxAttempts: 8 },
        telemetry: { otlpUrl: undefined, otlpHeaders: {}, serviceName: "genai-dispatcher", sampleRatio: 1 }
      }
      const fromFile = yield* load(endpoints)
      assert.deepStrictEqual(fromFile.server, expected)
      const fromFlags = yield* loadServerCase({ flags: { endpoints: ["http://east.test/v1,concurrency=15"] } })
      assert.deepStrictEqual(fromFlags.server, expected)
    })
  )

  it.live("is overridden by flags", () =>
    Effect.gen(function* () {
      const { server } = yield* loadServerCase({
        files: { "a.yaml": whole },
        file: "a.yaml",
        env,
        server: { host: "::1", port: 9, grace: "1m", requestLog: "none" }
      })
      assert.deepStrictEqual([server.host, server.port, server.graceMs, server.requestLog], ["::1", 9, 60_000, "none"])
    })
  )

  it.live("names the flag that is wrong", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* serverComplaints(endpoints, {}, { port: 70_000, grace: "5", requestLog: "jsn" }), [
        "dispatcher.yaml has 3 problems:",
        "--port: must be a whole number from 0 to 65535, got 70000",
        "--grace: 5 has no unit; write 5ms, 5s, 5m or 5h",
        '--request-log: "jsn" is none of json, text or none; did you mean json?'
      ])
    })
  )

  it.live("is of no interest to a run, which needs none of its variables", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({ files: { "a.yaml": whole }, file: "a.yaml" })
      assert.strictEqual(config.endpoints.length, 2)
      const odd = `${endpoints}server: nonsense\nmodels: [1]\ntelemetry: 7\n`
      assert.strictEqual((yield* loadCase({ files: { "a.yaml": odd }, file: "a.yaml" })).config.endpoints.length, 2)
      assert.deepStrictEqual(yield* complaints(`${endpoints}sever: {}`), [
        'dispatcher.yaml: sever: unknown field; did you mean "server"?'
      ])
    })
  )

  it.live("reports its problems together with those of the endpoints, each once", () =>
    Effect.gen(function* () {
      const yaml = `
endpoints:
  - { name: east, kind: openai, baseUrl: "http://east.test/v1", model: m, weight: 0, apiKeyEnv: EAST_KEY }
server: { port: -1, jobs: { store: postgres, urlEnv: DATABASE_URL } }
models: { fast: [east], slow: [est] }
`
      assert.deepStrictEqual(yield* serverComplaints(yaml), [
        "dispatcher.yaml has 5 problems:",
        "endpoints[0].weight: must be a number above 0, got 0",
        "endpoints[0].apiKeyEnv: the environment variable EAST_KEY is not set or empty; set it first: export EAST_KEY=...",
        "server.port: must be a whole number from 0 to 65535, got -1",
        "server.jobs.urlEnv: the environment variable DATABASE_URL is not set or empty; set it first: export DATABASE_URL=...",
        "models.slow[0]: names neither an endpoint nor a model of one; did you mean east?"
      ])
    })
  )

  const keys = (...entries: ReadonlyArray<string>) =>
    `${endpoints}server:\n  apiKeys:\n${entries.map((entry) => `    - { ${entry} }\n`).join("")}`
  const section = (text: string) => `${endpoints}${text}\n`

  const wrong: ReadonlyArray<readonly [string, string, ...ReadonlyArray<string>]> = [
    [
      "a section that is no section",
      section("server: 8080"),
      "server: expected fields such as port: 8080, got a number"
    ],
    [
      "an empty section",
      section("server:"),
      "server: expected fields such as port: 8080, got nothing; give a value or remove the field"
    ],
    ["a mistyped field", section("server: { prot: 1 }"), 'server.prot: unknown field; did you mean "port"?'],
    [
      "a field of another section",
      section("server: { ttl: 1h }"),
      'server.ttl: unknown field here; "ttl" belongs in server.jobs'
    ],
    ["a field of the service at the top", section("port: 1"), 'port: unknown field here; "port" belongs in server'],
    [
      "a field of an endpoint in the service",
      section("server: { baseUrl: x }"),
      'server.baseUrl: unknown field here; "baseUrl" belongs in an endpoint'
    ],
    [
      "a host that is a URL",
      section('server: { host: "http://0.0.0.0" }'),
      "server.host: must be an address or a name of this machine, such as 127.0.0.1, without http:// and port"
    ],
    [
      "a host with a port",
      section('server: { host: "127.0.0.1:80" }'),
      "server.host: must be an address or a name of this machine, such as 127.0.0.1, without http:// and port"
    ],
    [
      "a port in quotes",
      section('server: { port: "80" }'),
      "server.port: expected a number, got text; remove the quotes"
    ],
    [
      "a port of no machine",
      section("server: { port: 65536 }"),
      "server.port: must be a whole number from 0 to 65535, got 65536"
    ],
    [
      "a size without a unit",
      section("server: { maxBodySize: 10 }"),
      "server.maxBodySize: 10 has no unit; write 10b, 10KiB or 10MiB"
    ],
    [
      "a size in powers of ten",
      section("server: { maxBodySize: 10MB }"),
      'server.maxBodySize: "10MB" is not a size; did you mean 10MiB?'
    ],
    [
      "a size that no text can have",
      section("server: { maxBodySize: 1000MiB }"),
      "server.maxBodySize: must be from 1KiB to 256MiB, such as 10MiB"
    ],
    [
      "a size of nothing",
      section("server: { maxBodySize: 0b }"),
      "server.maxBodySize: must be from 1KiB to 256MiB, such as 10MiB"
    ],
    [
      "a grace without a unit",
      section("server: { grace: 30 }"),
      "server.grace: 30 has no unit; write 30ms, 30s, 30m or 30h"
    ],
    [
      "an unknown request log",
      section("server: { requestLog: jsno }"),
      'server.requestLog: "jsno" is none of json, text or none; did you mean json?'
    ],
    [
      "keys that are no list",
      section("server: { apiKeys: {} }"),
      "server.apiKeys: expected a list of keys, each starting with a dash, got fields"
    ],
    [
      "a key instead of its hash",
      keys("name: a, sha256: gd_abcdefgh"),
      "server.apiKeys[0].sha256: must be the key's SHA-256, 64 hex digits, and not the key itself; make both with: genai-dispatcher key, or hash a key that you have with: genai-dispatcher key --stdin"
    ],
    [
      "a key in plain text",
      keys(`name: a, sha256: ${hash}, key: gd_abcdefgh`),
      "server.apiKeys[0].key: credentials do not go into a config; write its hash, sha256: HASH, as told by: genai-dispatcher key --stdin"
    ],
    [
      "a key without a hash",
      keys("name: a"),
      "server.apiKeys[0].sha256: missing; make a key and its hash with: genai-dispatcher key"
    ],
    [
      "a key without a name",
      keys(`sha256: ${hash}`),
      "server.apiKeys[0].name: missing; give each key a name of its own"
    ],
    [
      "two keys of one name",
      keys(`name: a, sha256: ${hash}`, `name: a, sha256: ${otherHash}`),
      "server.apiKeys[1].name: server.apiKeys[0] has this name already; give each key a name of its own"
    ],
    [
      "one key twice",
      keys(`name: a, sha256: ${hash}`, `name: b, sha256: ${hash.toUpperCase()}`),
      "server.apiKeys[1].sha256: server.apiKeys[0] is this key already; give each its own"
    ],
    [
      "no requests a minute",
      keys(`name: a, sha256: ${hash}, requestsPerMinute: 0`),
      "server.apiKeys[0].requestsPerMinute: must be a whole number of at least 1, got 0"
    ],
    [
      "more requests a minute than can be remembered",
      keys(`name: a, sha256: ${hash}, requestsPerMinute: 6000001`),
      "server.apiKeys[0].requestsPerMinute: must be at most 6000000; leave it out for no limit"
    ],
    [
      "a key for a model that nobody serves",
      `${keys(`name: a, sha256: ${hash}, models: [gpt-4o, fats, east]`)}models: { fast: [east] }\n`,
      "server.apiKeys[0].models[1]: is neither an alias nor a model of an endpoint; did you mean fast?",
      "server.apiKeys[0].models[2]: is neither an alias nor a model of an endpoint; did you mean fast?"
    ],
    [
      "a key for no model",
      keys(`name: a, sha256: ${hash}, models: []`),
      "server.apiKeys[0].models: must name a model; leave it out for all models"
    ],
    [
      "an alias of nothing",
      section("models: { fast: [nowhere] }"),
      "models.fast[0]: names neither an endpoint nor a model of one; there are east, west, gpt-4o-mini, gpt-4o"
    ],
    [
      "an alias of no endpoint",
      section("models: { fast: [] }"),
      "models.fast: must name an endpoint, or a model of one"
    ],
    [
      "an alias that is no list",
      section("models: { fast: east }"),
      "models.fast: expected a list such as [east, some-model], got text"
    ],
    [
      "an alias of an alias",
      section("models: { fast: [east], quick: [fast] }"),
      "models.quick[0]: is an alias itself; name the endpoints, or their models"
    ],
    [
      "a file for a store without one",
      section("server: { jobs: { store: memory, file: x.db } }"),
      "server.jobs.file: belongs to store sqlite; remove it here"
    ],
    [
      "two stores at once",
      section("server: { jobs: { file: x.db, urlEnv: DATABASE_URL } }"),
      "server.jobs.urlEnv: belongs to store postgres; write store: postgres too"
    ],
    [
      "a database without a URL",
      section("server: { jobs: { store: postgres } }"),
      "server.jobs.urlEnv: missing; write urlEnv: DATABASE_URL, the name of the environment variable that holds the database's URL"
    ],
    [
      "a database's URL in plain text",
      section('server: { jobs: { store: postgres, urlEnv: DATABASE_URL, url: "postgres://u:p@h/d" } }'),
      "server.jobs.url: a database's URL does not go into a config; put it in an environment variable and write its name: urlEnv: DATABASE_URL"
    ],
    [
      "a URL of something else",
      section("server: { jobs: { store: postgres, urlEnv: OTHER_URL } }"),
      "server.jobs.urlEnv: the value of OTHER_URL is no URL of a Postgres database, such as postgres://user:password@host:5432/name"
    ],
    [
      "an unknown store",
      section("server: { jobs: { store: sqllite } }"),
      'server.jobs.store: "sqllite" is none of sqlite, memory or postgres; did you mean sqlite?'
    ],
    ["jobs that end at once", section("server: { jobs: { ttl: 0s } }"), "server.jobs.ttl: must be above 0, such as 5s"],
    [
      "webhooks that nobody signs",
      section("server: { webhooks: { maxAttempts: 3 } }"),
      "server.webhooks.secretEnv: missing; webhooks are signed: write secretEnv: WEBHOOK_SECRET, the name of the variable that holds the secret"
    ],
    [
      "a secret in plain text",
      section("server: { webhooks: { secretEnv: WEBHOOK_SECRET, secret: abcdefgh } }"),
      "server.webhooks.secret: credentials do not go into a config; put this one in an environment variable and write its name: secretEnv: NAME"
    ],
    [
      "a secret that is too short",
      section("server: { webhooks: { secretEnv: SHORT } }"),
      "server.webhooks.secretEnv: the value of SHORT is too short to sign with; make one with: openssl rand -hex 32"
    ],
    [
      "a collector without a URL",
      section("telemetry: { otlp: {} }"),
      "telemetry.otlp.url: missing; write url: http://127.0.0.1:4318"
    ],
    [
      "a collector with a password",
      section('telemetry: { otlp: { url: "http://u:p@h" } }'),
      'telemetry.otlp.url: must not hold a user name or password; send it as a header from a variable, such as authorization: "${NAME}"'
    ],
    [
      "a token in plain text",
      section('telemetry: { otlp: { url: "http://h", headers: { authorization: "Bearer abcdefgh" } } }'),
      'telemetry.otlp.headers.authorization: looks like a credential in plain text; put it in an environment variable and write its name: "${NAME}"'
    ],
    [
      "a token that is not there",
      section('telemetry: { otlp: { url: "http://h", headers: { authorization: "${NO_TOKEN}" } } }'),
      "telemetry.otlp.headers.authorization: the environment variable NO_TOKEN is not set or empty; set it first: export NO_TOKEN=..."
    ],
    ["a share above all", section("telemetry: { sampleRatio: 2 }"), "telemetry.sampleRatio: must be from 0 to 1, got 2"]
  ]

  for (const [name, yaml, ...expected] of wrong) {
    it.live(`refuses ${name}`, () =>
      Effect.gen(function* () {
        const lines = yield* serverComplaints(yaml, { ...env, OTHER_URL: "mysql://h/d", SHORT: "short" })
        assert.deepStrictEqual(
          lines,
          expected.length === 1
            ? [`dispatcher.yaml: ${expected[0]}`]
            : [`dispatcher.yaml has ${expected.length} problems:`, ...expected]
        )
      })
    )
  }

  const open = `
endpoints:
  - { name: east, kind: openai, baseUrl: "http://east.test/v1", model: m }
  - { name: any, kind: openai, baseUrl: "http://any.test/v1" }
  - { name: hook, kind: raw, baseUrl: "http://hook.test" }
  - { name: blue, kind: azure, baseUrl: "http://blue.test", deployment: chat }
`

  it.live("takes any model for a key where an endpoint takes any", () =>
    Effect.gen(function* () {
      const { server } = yield* load(`${open}server: { apiKeys: [{ name: a, sha256: ${hash}, models: [x] }] }`)
      assert.deepStrictEqual(server.apiKeys[0]?.models, new Set(["x"]))
    })
  )

  it.live("takes aliases of a deployment, of a hook, and of endpoints that take any model", () =>
    Effect.gen(function* () {
      const { server } = yield* load(`${open}models: { a: [m, chat, hook], b: [any] }`)
      assert.deepStrictEqual([...server.models.keys()], ["a", "b"])
    })
  )

  it.live("refuses an alias that some of its endpoints would be asked for by that name and others not", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* serverComplaints(`${open}models: { a: [m, any] }`), [
        "dispatcher.yaml: models.a[1]: this endpoint has no model of its own, and the others here have; give it one (model: ...)"
      ])
    })
  )
})
