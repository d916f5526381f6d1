// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold such text
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import type { ConfigFlags } from "../../../src/domain/config/ConfigFlags.ts"
import { describe as describeConfig, describeText } from "../../../src/domain/config/Describe.ts"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { kinds } from "../../../src/domain/providers/Providers.ts"
import { describeSource, load } from "../../../src/layers/config/ConfigLoader.ts"
import { type Case, loadCase } from "./harness.ts"

const whole = `
policy: weighted
maxRequestsPerSecond: 10000
maxAttempts: 7
deadline: 20m
retry: { base: 250ms, factor: 3, cap: 1m }
affinity: { ttl: 10m, sliding: true, capacity: 50, onUnavailable: wait }
retryBudget: { ratio: 0.1, minPerSecond: 3 }
hedge: { afterQuantile: 0.9 }
endpoints:
  - name: east
    kind: openai
    baseUrl: https://llm.example.com/v1/
    model: some-model
    apiKeyEnv: EAST_API_KEY
    priority: 1
    weight: 3
    concurrency: 64
    adaptiveConcurrency: true
    queueCapacity: 32
    limits: { requestsPerSecond: 100, requestsPerMinute: 3000, tokensPerMinute: 9, inputTokensPerMinute: 8, outputTokensPerMinute: 7 }
    breaker: { failures: 3, window: 5s }
    prices: { input: 0.15, output: 0.6, cachedInput: 0 }
    timeouts: { connect: 1s, firstByte: 2s, idle: 3s, total: 4s }
    parameters: { temperature: 0.4, max_tokens: 120, stop: [a, null], nested: { x: true } }
    headers: { X-Team: search, x-api-key: "\${TEAM_KEY}", x-both: "a \${TEAM_KEY} b $\${c}" }
  - { name: raw, kind: raw, baseUrl: "http://127.0.0.1:8000/predict/" }
`

const small = "endpoints: [{ name: one, kind: openai, baseUrl: 'http://127.0.0.1:1/v1' }]"

/** Where a case of `loadCase` fails: its lines. */
const lines = (input: Case) =>
  loadCase(input).pipe(
    Effect.flip,
    Effect.map((failure) => failure.lines)
  )

const withSmall = (more: Case): Case => ({ files: { "dispatcher.yaml": small }, file: "dispatcher.yaml", ...more })

describe("a config file", () => {
  const env = { EAST_API_KEY: "key-of-east", TEAM_KEY: "key-of-team" }

  it.live("says everything there is to say", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({ files: { "my.yaml": whole }, file: "my.yaml", env })
      const east = config.endpoints[0]!
      const raw = config.endpoints[1]!
      assert.strictEqual(config.policy, "weighted")
      assert.strictEqual(config.maxRequestsPerSecond, 10_000)
      assert.strictEqual(config.maxAttempts, 7)
      assert.strictEqual(config.deadlineMs, 1_200_000)
      assert.deepStrictEqual(config.retry, { baseMs: 250, factor: 3, capMs: 60_000 })
      assert.deepStrictEqual(config.affinity, { ttlMs: 600_000, sliding: true, capacity: 50, onUnavailable: "wait" })
      assert.lengthOf(config.endpoints, 2)
      assert.strictEqual(east.name, "east")
      assert.strictEqual(east.kind, "openai")
      assert.strictEqual(east.model, "some-model")
      assert.strictEqual(east.apiKeyEnv, "EAST_API_KEY")
      assert.strictEqual(east.apiKey && Redacted.value(east.apiKey), "key-of-east")
      assert.strictEqual(east.weight, 3)
      assert.strictEqual(east.concurrency, 64)
      assert.strictEqual(east.queueCapacity, 32)
      assert.strictEqual(east.priority, 1)
      assert.isTrue(east.adaptiveConcurrency)
      assert.deepStrictEqual(east.limits, {
        requestsPerSecond: 100,
        requestsPerMinute: 3000,
        tokensPerMinute: 9,
        inputTokensPerMinute: 8,
        outputTokensPerMinute: 7
      })
      assert.deepStrictEqual(east.breaker, { failures: 3, windowMs: 5000, openMs: 5000 })
      assert.deepStrictEqual(east.prices, { input: 0.15, output: 0.6, cachedInput: 0 })
      assert.deepStrictEqual(config.retryBudget, { ratio: 0.1, minPerSecond: 3 })
      assert.deepStrictEqual(config.hedge, { afterQuantile: 0.9, maxExtra: 0.05 })
      assert.deepStrictEqual(east.timeouts, { connectMs: 1000, firstByteMs: 2000, idleMs: 3000, totalMs: 4000 })
      assert.deepStrictEqual(east.parameters, {
        temperature: 0.4,
        max_tokens: 120,
        stop: ["a", null],
        nested: { x: true }
      })
      assert.deepStrictEqual(Object.entries(east.headers), [
        ["x-team", "search"],
        ["x-api-key", "key-of-team"],
        ["x-both", "a key-of-team b ${c}"]
      ])
      assert.strictEqual(raw.baseUrl.href, "http://127.0.0.1:8000/predict/")
    })
  )

  it.live("needs no more than a name, a kind and a URL", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase(withSmall({}))
      assert.deepStrictEqual(
        { ...config, endpoints: [] },
        {
          policy: "least-loaded",
          maxRequestsPerSecond: undefined,
          maxAttempts: 5,
          deadlineMs: 600_000,
          retry: { baseMs: 500, factor: 2, capMs: 30_000 },
          retryBudget: { ratio: 0.5, minPerSecond: 10 },
          affinity: undefined,
          endpoints: []
        }
      )
      const { baseUrl, headers, ...endpoint } = config.endpoints[0]!
      assert.strictEqual(baseUrl.href, "http://127.0.0.1:1/v1")
      assert.deepStrictEqual(Object.entries(headers), [])
      assert.deepStrictEqual(endpoint, {
        name: "one",
        kind: "openai",
        model: undefined,
        apiKeyEnv: undefined,
        apiKey: undefined,
        priority: 0,
        weight: 1,
        concurrency: 256,
        autoConcurrency: false,
        adaptiveConcurrency: false,
        queueCapacity: 1024,
        limits: {},
        breaker: { failures: 10, windowMs: 30_000, openMs: 5000 },
        timeouts: { connectMs: 5000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 },
        parameters: {}
      })
    })
  )

  it.live("takes concurrency: auto from a file, a flag and an --endpoint, with a bound that fits into memory", () =>
    Effect.gen(function* () {
      const auto = [{ concurrency: 32_768, autoConcurrency: true }]
      const concurrencyOf = ({ config }: { readonly config: DispatcherConfig }) =>
        config.endpoints.map(({ autoConcurrency, concurrency }) => ({ concurrency, autoConcurrency }))
      const text = "endpoints: [{ name: a, kind: raw, baseUrl: 'http://h', concurrency: auto }]"
      const file = yield* loadCase({ files: { "a.yaml": text }, file: "a.yaml" })
      assert.deepStrictEqual(concurrencyOf(file), auto)
      assert.strictEqual(describeConfig(file.config).endpoints[0]?.concurrency, "auto")
      assert.match(describeText(file.config), /as many at once as do best/)
      const flag = yield* loadCase({ flags: { endpoints: ["http://h"], concurrency: "auto" } })
      assert.deepStrictEqual(concurrencyOf(flag), auto)
      const option = yield* loadCase({ flags: { endpoints: ["http://h,concurrency=auto"], concurrency: 9 } })
      assert.deepStrictEqual(concurrencyOf(option), auto)
      const number = yield* loadCase({ files: { "a.yaml": text }, file: "a.yaml", flags: { concurrency: 9 } })
      assert.deepStrictEqual(concurrencyOf(number), [{ concurrency: 9, autoConcurrency: false }])
    })
  )

  it.live("fills in what an affinity and a retry leave out", () =>
    Effect.gen(function* () {
      const text = `affinity: { sliding: true }\nretry: { base: 1m }\n${small}`
      const { config } = yield* loadCase({ files: { "a.yaml": text }, file: "a.yaml" })
      assert.deepStrictEqual(config.affinity, {
        ttlMs: 300_000,
        sliding: true,
        capacity: 100_000,
        onUnavailable: "spill"
      })
      assert.deepStrictEqual(config.retry, { baseMs: 60_000, factor: 2, capMs: 60_000 })
    })
  )

  it.live("can be JSON, start with a byte order mark, and share settings by merge keys", () =>
    Effect.gen(function* () {
      const json = JSON.stringify({ maxAttempts: 2, endpoints: [{ name: "j", kind: "raw", baseUrl: "http://h/x" }] })
      const asJson = yield* loadCase({ files: { "a.json": json }, file: "a.json" })
      assert.strictEqual(asJson.config.endpoints[0]?.name, "j")
      const marked = yield* loadCase({ files: { "a.yaml": `\uFEFF${small}` }, file: "a.yaml" })
      assert.strictEqual(marked.config.endpoints[0]?.name, "one")
      const merged = yield* loadCase({
        files: {
          "a.yaml": [
            "endpoints:",
            "  - &one { name: one, kind: raw, baseUrl: 'http://h/x', weight: 2 }",
            "  - { <<: *one, name: two }"
          ].join("\n")
        },
        file: "a.yaml"
      })
      assert.deepStrictEqual(
        merged.config.endpoints.map(({ name, weight }) => [name, weight]),
        [
          ["one", 2],
          ["two", 2]
        ]
      )
    })
  )

  it.live.each([
    ["https://host/v1", "https://host/v1"],
    ["https://host/v1/", "https://host/v1"],
    ["https://host/v1//", "https://host/v1"],
    ["https://host", "https://host/"],
    ["http://host:8080/v1/?a=b", "http://host:8080/v1?a=b"]
  ] as const)("takes %s as %s", ([written, settled]) =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({ flags: { endpoints: [written] } })
      assert.strictEqual(config.endpoints[0]?.baseUrl.href, settled)
    })
  )

  it.live("that is not there, or is a directory, or is no config at all, is named with a way out", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lines({ file: "missing.yaml" }), [
        "missing.yaml: there is no such file; check the path"
      ])
      assert.deepStrictEqual(yield* lines({ env: { GENAI_DISPATCHER_CONFIG: "@/missing.yaml" } }), [
        "missing.yaml: there is no such file; check the variable GENAI_DISPATCHER_CONFIG"
      ])
      const directory = yield* lines({ file: "." })
      assert.match(directory.join(), /: is a directory; give the path of a YAML or JSON file$/)
      assert.deepStrictEqual(yield* lines({ files: { big: "#".repeat(1_048_577) }, file: "big" }), [
        "big: is larger than 1 MiB; is it really the config?"
      ])
    })
  )
})

describe("precedence", () => {
  const file = `policy: weighted\nmaxRequestsPerSecond: 20\nmaxAttempts: 2\ndeadline: 2m\n${small}`
  const env = {
    GENAI_DISPATCHER_POLICY: "weighted-random",
    GENAI_DISPATCHER_MAX_REQUESTS_PER_SECOND: "30",
    GENAI_DISPATCHER_MAX_ATTEMPTS: "3"
  }
  const flags = { policy: "least-loaded", maxRequestsPerSecond: 10, maxAttempts: 1, deadline: "1m" }

  it.live.each([
    ["flags first", { file, env, flags }, ["least-loaded", 10, 1, 60_000]],
    ["the file without flags", { file, env, flags: {} }, ["weighted", 20, 2, 120_000]],
    ["the environment without either", { file: small, env, flags: {} }, ["weighted-random", 30, 3, 600_000]],
    ["the defaults at last", { file: small, env: {}, flags: {} }, ["least-loaded", undefined, 5, 600_000]],
    [
      "each setting on its own",
      { file: `maxAttempts: 2\n${small}`, env, flags: { policy: "weighted" } },
      ["weighted", 30, 2, 600_000]
    ],
    [
      "no empty variables",
      { file: small, env: { GENAI_DISPATCHER_MAX_ATTEMPTS: " " }, flags: {} },
      ["least-loaded", undefined, 5, 600_000]
    ]
  ] as const)("takes %s", ([, given, expected]) =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({
        files: { "a.yaml": given.file },
        file: "a.yaml",
        env: given.env,
        flags: given.flags
      })
      assert.deepStrictEqual(
        [config.policy, config.maxRequestsPerSecond, config.maxAttempts, config.deadlineMs],
        [...expected]
      )
    })
  )

  it.live("names the variable or the flag that is wrong", () =>
    Effect.gen(function* () {
      const problems = yield* lines(
        withSmall({
          env: { GENAI_DISPATCHER_MAX_ATTEMPTS: "many", GENAI_DISPATCHER_POLICY: "wieghted" },
          flags: { maxRequestsPerSecond: 0, deadline: "5", concurrency: 1.5, model: "", apiKeyEnv: "a-b" }
        })
      )
      assert.deepStrictEqual(problems, [
        "dispatcher.yaml has 7 problems:",
        "--max-requests-per-second: must be a number above 0, got 0",
        "--deadline: 5 has no unit; write 5ms, 5s, 5m or 5h",
        "--model: must not be empty",
        "--concurrency: must be a whole number of at least 1, got 1.5",
        "--api-key-env: must be the name of an environment variable, such as EAST_API_KEY, not the key itself",
        'GENAI_DISPATCHER_POLICY: "wieghted" is none of least-loaded, weighted, weighted-random or p2c-ewma; did you mean weighted?',
        "GENAI_DISPATCHER_MAX_ATTEMPTS: expected a number, got text"
      ])
    })
  )

  it.live("does not look into a variable that is overridden", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase(
        withSmall({ env: { GENAI_DISPATCHER_MAX_ATTEMPTS: "many" }, flags: { maxAttempts: 4 } })
      )
      assert.strictEqual(config.maxAttempts, 4)
    })
  )

  it.live("lets --model, --concurrency and --api-key-env override every endpoint of the file", () =>
    Effect.gen(function* () {
      const text =
        "endpoints: [{ name: a, kind: raw, baseUrl: 'http://h', model: own, concurrency: 2, apiKeyEnv: OWN }, { name: b, kind: raw, baseUrl: 'http://h' }]"
      const { config } = yield* loadCase({
        files: { "a.yaml": text },
        file: "a.yaml",
        env: { GIVEN: "given-key" },
        flags: { model: "m", concurrency: 9, apiKeyEnv: "GIVEN" }
      })
      for (const endpoint of config.endpoints) {
        assert.deepStrictEqual([endpoint.model, endpoint.concurrency, endpoint.apiKeyEnv], ["m", 9, "GIVEN"])
        assert.strictEqual(endpoint.apiKey && Redacted.value(endpoint.apiKey), "given-key")
      }
      assert.deepStrictEqual(yield* lines(withSmall({ flags: { apiKeyEnv: "GIVEN" } })), [
        "dispatcher.yaml: --api-key-env: the environment variable GIVEN is not set or empty; set it first: export GIVEN=..."
      ])
    })
  )
})

describe("--endpoint", () => {
  const endpoints = (...endpoints: ReadonlyArray<string>): Partial<ConfigFlags> => ({ endpoints })

  it.live("takes a URL, a name and options", () =>
    Effect.gen(function* () {
      const { config, source } = yield* loadCase({
        flags: endpoints(
          "http://127.0.0.1:8080/v1",
          "east=https://host/v1?a=b,weight=3,model=x=y,apiKeyEnv=EAST_KEY,kind=raw,concurrency=64,queueCapacity=8,requestsPerSecond=0.5,requestsPerMinute=3000"
        ),
        env: { EAST_KEY: "east-key" }
      })
      const plain = config.endpoints[0]!
      const east = config.endpoints[1]!
      assert.strictEqual(plain.name, "127.0.0.1:8080")
      assert.strictEqual(plain.kind, "openai")
      assert.isUndefined(plain.apiKey)
      assert.strictEqual(east.name, "east")
      assert.strictEqual(east.baseUrl.href, "https://host/v1?a=b")
      assert.strictEqual(east.kind, "raw")
      assert.strictEqual(east.model, "x=y")
      assert.strictEqual(east.weight, 3)
      assert.strictEqual(east.concurrency, 64)
      assert.strictEqual(east.queueCapacity, 8)
      assert.deepStrictEqual(east.limits, { requestsPerSecond: 0.5, requestsPerMinute: 3000 })
      assert.strictEqual(east.apiKey && Redacted.value(east.apiKey), "east-key")
      assert.strictEqual(describeSource(source), "endpoints from --endpoint")
    })
  )

  it.live("takes --model and --concurrency where it says nothing of its own", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({
        flags: { ...endpoints("a=http://h", "b=http://h,model=own,concurrency=2"), model: "m", concurrency: 9 }
      })
      assert.deepStrictEqual(
        config.endpoints.map(({ model, concurrency }) => [model, concurrency]),
        [
          ["m", 9],
          ["own", 2]
        ]
      )
    })
  )

  it.live("gives endpoints without a name the name of their host, once each", () =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({ flags: endpoints("http://h:1", "http://h/v2", "h-2=http://h", "http://h") })
      assert.deepStrictEqual(
        config.endpoints.map(({ name }) => name),
        ["h:1", "h", "h-2", "h-3"]
      )
    })
  )

  it.live("replaces the endpoints of the file and keeps its settings", () =>
    Effect.gen(function* () {
      const { config, source } = yield* loadCase({
        files: { "a.yaml": "maxAttempts: 9\nendpoints: [{ broken: true }]" },
        file: "a.yaml",
        flags: endpoints("http://h/v1")
      })
      assert.strictEqual(config.maxAttempts, 9)
      assert.deepStrictEqual(
        config.endpoints.map(({ name }) => name),
        ["h"]
      )
      assert.strictEqual(describeSource(source), "endpoints from --endpoint, settings from a.yaml")
    })
  )

  it.live("is refused with all its problems", () =>
    Effect.gen(function* () {
      const problems = yield* lines({
        flags: endpoints(
          "h/v1,wieght=3,apiKey=sk-0123456789,foo,,model=,model=a,model=b",
          "x=http://h,weight=heavy,kind=bedrock,requestsPerSecond=0",
          "x=http://h,apiKeyEnv=UNSET"
        )
      })
      assert.deepStrictEqual(problems, [
        "The flags have 12 problems:",
        '--endpoint[0]: "wieght" is no option; did you mean weight?',
        "--endpoint[0]: credentials do not go on a command line; put this one in an environment variable and write its name: apiKeyEnv=NAME",
        '--endpoint[0]: "foo" is no option; options are kind, model, apiKeyEnv, deployment, apiVersion, weight, priority, concurrency, queueCapacity, requestsPerSecond, requestsPerMinute, tokensPerMinute, inputTokensPerMinute, outputTokensPerMinute, inputPrice, outputPrice, cachedInputPrice, and a comma inside the URL is written %2C',
        "--endpoint[0]: has an empty option; remove the surplus comma",
        "--endpoint[0]: model has no value; write model=...",
        "--endpoint[0]: model is there twice",
        "--endpoint[2].name: --endpoint[1] has this name already; give each endpoint a name of its own",
        "--endpoint[0].baseUrl: is no URL; write it whole, such as https://host/v1",
        `--endpoint[1].kind: "bedrock" is none of ${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}`,
        "--endpoint[1].weight: expected a number, got text",
        "--endpoint[1].limits.requestsPerSecond: must be a number above 0, got 0",
        "--endpoint[2].apiKeyEnv: the environment variable UNSET is not set or empty; set it first: export UNSET=..."
      ])
    })
  )

  const openAi = { OPENAI_API_KEY: "openai-key" }

  it.live.each([
    ["https://api.openai.com/v1", "OPENAI_API_KEY"],
    ["https://api.openai.com/v1,apiKeyEnv=OWN", "OWN"],
    ["https://api.openai.com.example.com/v1", undefined],
    ["https://example.com/api.openai.com", undefined],
    ["http://api.openai.com/v1", undefined],
    ["https://api.openai.com/v1,kind=raw", undefined],
    ["http://127.0.0.1:8080/v1", undefined]
  ] as const)("%s gets the key of %s", ([endpoint, variable]) =>
    Effect.gen(function* () {
      const { config } = yield* loadCase({ flags: endpoints(endpoint), env: { ...openAi, OWN: "own-key" } })
      assert.strictEqual(config.endpoints[0]?.apiKeyEnv, variable)
      assert.strictEqual(config.endpoints[0]?.apiKey === undefined, variable === undefined)
    })
  )

  it.live("to OpenAI without a key is refused", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lines({ flags: endpoints("https://api.openai.com/v1") }), [
        "--endpoint: the environment variable OPENAI_API_KEY is not set or empty; set it first: export OPENAI_API_KEY=..."
      ])
    })
  )
})

describe("the file to read", () => {
  const named = (name: string) => small.replace("one", name)

  it.live.each([
    ["the flag's before all", { config: "flag.yaml" }, "flag", "endpoints and settings from flag.yaml"],
    ["the variable's", {}, "env", "endpoints and settings from env.yaml, named by GENAI_DISPATCHER_CONFIG"]
  ] as const)("is %s", ([, flags, name, sentence]) =>
    Effect.gen(function* () {
      const { config, source } = yield* loadCase({
        files: { "flag.yaml": named("flag"), "env.yaml": named("env"), "dispatcher.yaml": named("found") },
        env: { GENAI_DISPATCHER_CONFIG: "@/env.yaml" },
        flags
      })
      assert.strictEqual(config.endpoints[0]?.name, name)
      assert.strictEqual(describeSource(source), sentence)
    })
  )

  it.live.each([
    [["dispatcher.yaml", "dispatcher.yml", "dispatcher.json"], "dispatcher.yaml"],
    [["dispatcher.yml", "dispatcher.json"], "dispatcher.yml"],
    [["dispatcher.json"], "dispatcher.json"]
  ] as const)("of %j is %s when none is named, and that is said", ([files, found]) =>
    Effect.gen(function* () {
      const { source } = yield* loadCase({ files: Object.fromEntries(files.map((name) => [name, small])) })
      assert.deepStrictEqual(source, { file: found, namedBy: "found", endpoints: "file" })
      assert.strictEqual(describeSource(source), `endpoints and settings from ${found}, found in this directory`)
    })
  )

  it.live("is none when an endpoint is given, even if one lies there", () =>
    Effect.gen(function* () {
      const { config, source } = yield* loadCase({
        files: { "dispatcher.yaml": `maxAttempts: 9\n${small}` },
        flags: { endpoints: ["http://h/v1"] }
      })
      assert.strictEqual(config.maxAttempts, 5)
      assert.isUndefined(source.file)
    })
  )

  it.live("and endpoint both missing is an error that names every way out", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lines({}), [
        "no endpoints; give one with --endpoint URL, name a file that has some with --config FILE, or start one to try with: genai-dispatcher sandbox"
      ])
    })
  )
})

describe("a ConfigProvider that fails", () => {
  it.live("is an error, not an unset variable", () =>
    Effect.gen(function* () {
      const broken = ConfigProvider.make(() =>
        Effect.fail(new ConfigProvider.SourceError({ message: "vault is down" }))
      )
      const error = yield* load({ flags: { endpoints: ["http://h,apiKeyEnv=KEY"] } }).pipe(
        Effect.provideService(ConfigProvider.ConfigProvider, broken),
        Effect.provide(NodeServices.layer),
        Effect.flip
      )
      assert.include(error.message, "cannot be read")
    })
  )
})
