// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold such text
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Formatter, Logger, Redacted } from "effect"
import { describe as describeConfig, describeText } from "../../../src/domain/config/Describe.ts"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { loadCase } from "./harness.ts"

const apiKey = "sk-open-sesame-0123456789"
const teamKey = "hush-team-key"
const secrets = [apiKey, teamKey, "open-sesame", "hush"]

const file = `
endpoints:
  - name: east
    kind: openai
    baseUrl: https://h/v1
    model: m
    apiKeyEnv: EAST_KEY
    weight: 3
    limits: { requestsPerSecond: 5, requestsPerMinute: 60 }
    headers: { x-api-key: "\${TEAM_KEY}", x-team: search }
  - { name: west, kind: raw, baseUrl: "http://127.0.0.1:1/x", headers: { authorization: "Bearer \${TEAM_KEY}" } }
`

const loaded = loadCase({
  files: { "a.yaml": file },
  file: "a.yaml",
  env: { EAST_KEY: apiKey, TEAM_KEY: teamKey }
})

/** Every way that a value usually gets into a log, a report or a terminal. */
const printed = (value: unknown): string =>
  [
    inspect(value, { depth: null }),
    inspect(value, { depth: null, showHidden: true, getters: true }),
    JSON.stringify(value),
    String(value),
    Formatter.format(value),
    Formatter.formatJson(value)
  ].join("\n")

const logged = Effect.fnUntraced(function* (value: unknown) {
  const lines: Array<string> = []
  const capture = (format: Logger.Logger<unknown, string>) => Logger.map(format, (line) => void lines.push(line))
  yield* Effect.logError("a message", value).pipe(
    Effect.annotateLogs("value", value),
    Effect.provide(Logger.layer([capture(Logger.formatLogFmt), capture(Logger.formatJson)]))
  )
  assert.lengthOf(lines, 2)
  return lines.join("\n")
})

const assertClean = (text: string) => {
  for (const secret of secrets) assert.notInclude(text, secret)
}

describe("the secrets of a configuration", () => {
  it.live("are there to be sent", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded
      const [east, west] = config.endpoints
      assert.strictEqual(Redacted.value(east!.apiKey!), apiKey)
      assert.deepStrictEqual({ ...east!.headers }, { "x-api-key": teamKey, "x-team": "search" })
      assert.deepStrictEqual(Object.entries(west!.headers), [["authorization", `Bearer ${teamKey}`]])
    })
  )

  it.live("show in no way of printing, serializing or logging it", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded
      for (const value of [config, config.endpoints, config.endpoints[0], config.endpoints[0]!.headers]) {
        assertClean(printed(value))
        assertClean(yield* logged(value))
      }
      assert.include(inspect(config, { depth: null }), "${TEAM_KEY}")
      assert.include(JSON.stringify(config), "${TEAM_KEY}")
    })
  )

  it.live("show in no description, which names their variables", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded
      const description = describeConfig(config)
      assertClean(printed(description))
      assertClean(describeText(config))
      assert.strictEqual(description.endpoints[0]?.apiKeyEnv, "EAST_KEY (set)")
      assert.deepStrictEqual(description.endpoints[0]?.headers, { "x-api-key": "${TEAM_KEY}", "x-team": "search" })
      assert.deepStrictEqual(description.endpoints[1]?.headers, { authorization: "Bearer ${TEAM_KEY}" })
      assert.deepStrictEqual(describeText(config).split("\n"), [
        "policy least-loaded, no overall rate limit, up to 5 attempts within 10m, backoff 500ms x2 up to 30s, no session affinity",
        "  east: openai https://h/v1, model m, weight 3 (75 %), 256 at once, at most 5/s, at most 60/min, key EAST_KEY (set)",
        "  west: raw http://127.0.0.1:1/x, no model of its own, weight 1 (25 %), 256 at once, key none"
      ])
    })
  )

  it.live("are hidden in the description of a configuration made by hand, too", () =>
    Effect.gen(function* () {
      const { config } = yield* loaded
      const byHand: DispatcherConfig = {
        ...config,
        affinity: { ttlMs: 90_000, sliding: false, capacity: 1, onUnavailable: "wait" },
        endpoints: config.endpoints.map((endpoint) => ({
          ...endpoint,
          baseUrl: new URL("https://user:hush@h/v1"),
          apiKey: Redacted.make(apiKey),
          apiKeyEnv: undefined,
          headers: { Authorization: `Bearer ${teamKey}`, "x-any": apiKey, "x-team": "search" }
        }))
      }
      const description = describeConfig(byHand)
      assertClean(printed(description))
      assertClean(describeText(byHand))
      assert.strictEqual(description.endpoints[0]?.apiKeyEnv, "set by the program")
      assert.strictEqual(description.endpoints[0]?.headers["x-team"], "search")
      assert.deepStrictEqual(description.affinity, { ttl: "90s", sliding: false, capacity: 1, onUnavailable: "wait" })
    })
  )

  it.live("show in no error, wherever in a file or on a command line they were put", () =>
    Effect.gen(function* () {
      const misplaced = [
        `apiKey: ${apiKey}`,
        `policy: ${apiKey}`,
        `deadline: ${apiKey}`,
        `${apiKey}: 1`,
        `maxAttempts: ${apiKey}`,
        `"apiKey=${apiKey}": 1`,
        "endpoints:",
        `  - { name: [${apiKey}], kind: ${apiKey}, baseUrl: "${apiKey}", apiKeyEnv: "${apiKey}" }`,
        `  - { name: b, kind: raw, baseUrl: "https://x:${apiKey}@h/${apiKey}", token: ${apiKey}, ${apiKey}: x }`,
        `  - { name: c, kind: raw, baseUrl: "https://h?key=${apiKey}", headers: { x-api-key: ${apiKey}, x-t: "${apiKey}" } }`,
        `  - { name: d, kind: raw, baseUrl: "https://h", parameters: { apiKey: ${apiKey} }, timeouts: { total: "${apiKey}" } }`,
        `  - { name: e, kind: raw, baseUrl: "https://h", headers: { "${apiKey}": a, authorization: "${teamKey} \${${apiKey}}" } }`,
        "  - { name: f, kind: raw, baseUrl: 'https://h', apiKeyEnv: BROKEN_KEY }"
      ].join("\n")
      const refused = yield* Effect.flip(
        loadCase({
          files: { "a.yaml": misplaced },
          file: "a.yaml",
          env: { BROKEN_KEY: `${teamKey}\n` },
          flags: {
            policy: apiKey,
            deadline: apiKey,
            apiKeyEnv: apiKey
          }
        })
      )
      const flags = yield* Effect.flip(
        loadCase({
          flags: {
            endpoints: [
              apiKey,
              `https://u:${apiKey}@h`,
              `http://h,${apiKey},apiKey=${apiKey},${apiKey}=1,weight=${apiKey}`
            ]
          }
        })
      )
      const broken = [
        `apiKey: "${apiKey}`,
        `apiKey: [${apiKey}`,
        `apiKey: ${apiKey}: x`,
        `apiKey: *${apiKey}`,
        `apiKey: !${apiKey} x`,
        `? ${apiKey}\n- x`,
        `a: "\\q${apiKey}"`
      ]
      const syntax = yield* Effect.forEach(broken, (text) =>
        Effect.flip(loadCase({ files: { "a.yaml": text }, file: "a.yaml" }))
      )
      assert.isAtLeast(refused.error.problems.length, 20)
      for (const { error } of [refused, flags, ...syntax]) {
        assertClean(printed(error))
        assertClean(`${error.stack}`)
        assertClean(Cause.pretty(Cause.fail(error)))
        assertClean(yield* logged(error))
        assert.isAtLeast(error.problems.length, 1)
      }
    })
  )
})
