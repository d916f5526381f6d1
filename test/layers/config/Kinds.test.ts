// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold such text
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { describe as describeConfig, describeText } from "../../../src/domain/config/Describe.ts"
import { complaints, loadCase } from "./harness.ts"

const file = (endpoint: string) => ({ "dispatcher.yaml": `endpoints:\n  - { name: one, ${endpoint} }\n` })

const load = (endpoint: string, env: Record<string, string> = {}) =>
  Effect.map(loadCase({ files: file(endpoint), file: "dispatcher.yaml", env }), ({ config }) => ({
    config,
    endpoint: config.endpoints[0]!
  }))

const refused = (endpoint: string, env: Record<string, string> = {}) =>
  Effect.map(complaints(file(endpoint)["dispatcher.yaml"], env), (lines) =>
    lines.map((line) => line.replace("dispatcher.yaml: ", ""))
  )

const google = {
  GOOGLE_CLOUD_PROJECT: "env-project",
  GOOGLE_CLOUD_LOCATION: "us-central1",
  GOOGLE_CLOUD_SERVICE_ACCOUNT: "sa@env-project.iam.gserviceaccount.com",
  MODEL_ID: "gemini-of-env"
}

describe("kind vertex", () => {
  it.live("takes what is not written from Google's usual variables", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* load("kind: vertex", google)
      assert.strictEqual(
        endpoint.baseUrl.href,
        "https://us-central1-aiplatform.googleapis.com/v1/projects/env-project/locations/us-central1/publishers/google"
      )
      assert.strictEqual(endpoint.model, "gemini-of-env")
      assert.strictEqual(endpoint.serviceAccount, "sa@env-project.iam.gserviceaccount.com")
      assert.isTrue(endpoint.adaptiveConcurrency)
      assert.isUndefined(endpoint.apiKey)
    })
  )

  it.live("takes what is written before the variables", () =>
    Effect.gen(function* () {
      const { config, endpoint } = yield* load(
        "kind: vertex, project: own, location: global, model: mine, keyFile: key.json, serviceAccount: a@b.c, adaptiveConcurrency: false",
        google
      )
      assert.strictEqual(
        endpoint.baseUrl.href,
        "https://aiplatform.googleapis.com/v1/projects/own/locations/global/publishers/google"
      )
      assert.deepInclude(endpoint, { model: "mine", keyFile: "key.json", serviceAccount: "a@b.c" })
      assert.isFalse(endpoint.adaptiveConcurrency)
      assert.include(describeText(config), "key the key file key.json as a@b.c")
    })
  )

  it.live("with a URL of its own needs no project, and no variable can lead it elsewhere", () =>
    Effect.gen(function* () {
      const env = { GOOGLE_CLOUD_LOCATION: "evil.example/#" }
      const { endpoint } = yield* load("kind: vertex, baseUrl: 'http://127.0.0.1:1/v1'", env)
      assert.strictEqual(endpoint.baseUrl.href, "http://127.0.0.1:1/v1")
    })
  )

  it.live("names what is missing, and variables that hold what cannot be", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refused("kind: vertex"), [
        "endpoints[0].project: missing; write project: ID, or set GOOGLE_CLOUD_PROJECT"
      ])
      assert.deepStrictEqual(yield* refused("kind: vertex", { ...google, GOOGLE_CLOUD_LOCATION: "evil.example/#" }), [
        "GOOGLE_CLOUD_LOCATION: must be global or a region, such as europe-west4"
      ])
      assert.deepStrictEqual(
        yield* refused("kind: vertex, baseUrl: 'https://h'", { GOOGLE_CLOUD_SERVICE_ACCOUNT: "../x" }),
        [
          "GOOGLE_CLOUD_SERVICE_ACCOUNT: must be the e-mail address of a service account, such as name@my-project.iam.gserviceaccount.com"
        ]
      )
      assert.deepStrictEqual(yield* refused("kind: vertex, project: 'a/../b', location: 'h.example/'"), [
        "dispatcher.yaml has 2 problems:",
        "endpoints[0].project: must be the ID or the number of a project, such as my-project-123",
        "endpoints[0].location: must be global or a region, such as europe-west4"
      ])
    })
  )
})

describe("the usual key of a provider", () => {
  it.live.each([
    ["kind: gemini", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com/v1beta"],
    ["kind: anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com/"],
    ["kind: cloudflare, account: abc", "CLOUDFLARE_API_TOKEN", "https://api.cloudflare.com/client/v4/accounts/abc/ai"],
    ["kind: openai, baseUrl: 'https://api.openai.com/v1'", "OPENAI_API_KEY", "https://api.openai.com/v1"]
  ] as const)("of { %s } is %s, for its own host", ([endpoint, variable, url]) =>
    Effect.gen(function* () {
      const { config, endpoint: settled } = yield* load(endpoint, { [variable]: "open-sesame" })
      assert.strictEqual(settled.baseUrl.href, url)
      assert.strictEqual(settled.apiKeyEnv, variable)
      assert.strictEqual(settled.apiKey && Redacted.value(settled.apiKey), "open-sesame")
      assert.notInclude(JSON.stringify(describeConfig(config)) + describeText(config), "open-sesame")
      assert.deepStrictEqual(yield* refused(endpoint), [
        `endpoints[0]: the environment variable ${variable} is not set or empty; set it first: export ${variable}=...`
      ])
    })
  )

  it.live.each(["gemini", "anthropic", "cloudflare", "openai", "azure, deployment: d", "vertex", "raw"])(
    "is not sent to another host (%s)",
    (kind) =>
      Effect.gen(function* () {
        const keys = {
          ...{ GEMINI_API_KEY: "a", ANTHROPIC_API_KEY: "b", CLOUDFLARE_API_TOKEN: "c" },
          ...{ OPENAI_API_KEY: "d", AZURE_OPENAI_API_KEY: "e" }
        }
        const { endpoint } = yield* load(`kind: ${kind}, baseUrl: 'https://llm.example.com'`, keys)
        assert.isUndefined(endpoint.apiKey)
        assert.isUndefined(endpoint.apiKeyEnv)
      })
  )

  it.live("is not asked for when a header carries a credential, or another variable is named", () =>
    Effect.gen(function* () {
      const env = { OWN: "own-key" }
      const byHeader = yield* load('kind: anthropic, headers: { x-api-key: "${OWN}" }', env)
      assert.isUndefined(byHeader.endpoint.apiKey)
      const byName = yield* load("kind: anthropic, apiKeyEnv: OWN", env)
      assert.strictEqual(byName.endpoint.apiKeyEnv, "OWN")
    })
  )
})

describe("--endpoint", () => {
  it.live("takes prices, priorities, token limits and deployments", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({
        flags: {
          endpoints: [
            "a=https://res.openai.azure.com,kind=azure,deployment=gpt,apiVersion=2025-01-01,priority=1,tokensPerMinute=9,inputTokensPerMinute=8,outputTokensPerMinute=7,inputPrice=0.15,outputPrice=0.6,cachedInputPrice=0.07"
          ]
        }
      })
      const endpoint = config.endpoints[0]!
      assert.strictEqual(
        endpoint.baseUrl.href,
        "https://res.openai.azure.com/openai/deployments/gpt?api-version=2025-01-01"
      )
      assert.strictEqual(endpoint.priority, 1)
      assert.deepStrictEqual(endpoint.limits, { tokensPerMinute: 9, inputTokensPerMinute: 8, outputTokensPerMinute: 7 })
      assert.deepStrictEqual(endpoint.prices, { input: 0.15, output: 0.6, cachedInput: 0.07 })
      assert.include(describeText(config), "prices 0.15 in, 0.07 cached, 0.6 out per million tokens")
    })
  )
})
