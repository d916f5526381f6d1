// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold such text
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { kinds } from "../../../src/domain/providers/Providers.ts"
import { complaints } from "./harness.ts"

const oneOfKinds = `${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}`

const endpoint = (...lines: ReadonlyArray<string>) =>
  [
    "endpoints:",
    "  - name: east",
    "    kind: openai",
    "    baseUrl: https://h/v1",
    ...lines.map((line) => `    ${line}`)
  ].join("\n")

const settings = (...lines: ReadonlyArray<string>) => [...lines, endpoint()].join("\n")

const key = "sk-0123456789abcdefghij"

const useEnv =
  "credentials do not go into a config; put this one in an environment variable and write its name: apiKeyEnv: NAME"
const plainHeader =
  'looks like a credential in plain text; put it in an environment variable and write its name: "${NAME}"'
const notDuration = "is not a duration; write a number and a unit, such as 250ms, 5s, 10m or 1h"
const noEndpoints =
  "no endpoints; give one with --endpoint URL, name a file that has some with --config FILE, or start one to try with: genai-dispatcher sandbox"

/** What is wrong with the file, the file, and the one line of the error after `dispatcher.yaml: `. */
const table: ReadonlyArray<readonly [title: string, yaml: string, line: string]> = [
  ["an unknown field at the top", settings("maxAttempt: 3"), 'maxAttempt: unknown field; did you mean "maxAttempts"?'],
  [
    "an unknown field of an endpoint",
    endpoint("weigth: 3"),
    'endpoints[0].weigth: unknown field; did you mean "weight"?'
  ],
  [
    "an unknown field with its words set apart otherwise",
    settings("max_attempts: 3"),
    'max_attempts: unknown field; did you mean "maxAttempts"?'
  ],
  [
    "an unknown field like no other",
    endpoint("limits: { burst: 3 }"),
    "endpoints[0].limits.burst: unknown field; known here: requestsPerSecond, requestsPerMinute, tokensPerMinute, inputTokensPerMinute, outputTokensPerMinute"
  ],
  [
    "a field in the wrong place",
    endpoint("requestsPerMinute: 3"),
    'endpoints[0].requestsPerMinute: unknown field here; "requestsPerMinute" belongs in the endpoint\'s limits'
  ],
  ["an endpoint's field at the top", settings("model: m"), 'model: unknown field here; "model" belongs in an endpoint'],
  [
    "an unknown policy",
    settings("policy: wieghted"),
    'policy: "wieghted" is none of least-loaded, weighted, weighted-random or p2c-ewma; did you mean weighted?'
  ],
  [
    "another word for auto",
    endpoint("concurrency: atuo"),
    'endpoints[0].concurrency: "atuo" is neither a number nor auto; did you mean auto?'
  ],
  [
    "a number in quotes",
    endpoint('concurrency: "64"'),
    "endpoints[0].concurrency: expected a number or auto, got text; remove the quotes"
  ],
  [
    "no concurrency",
    endpoint("concurrency:"),
    "endpoints[0].concurrency: expected a number or auto, got nothing; give a value or remove the field"
  ],
  ["text for a number", settings("maxAttempts: five"), "maxAttempts: expected a number, got text"],
  ["a number in quotes", settings('maxAttempts: "5"'), "maxAttempts: expected a number, got text; remove the quotes"],
  ["a number for text", endpoint("model: 4"), "endpoints[0].model: expected text, got a number; put it in quotes"],
  ["empty text", endpoint('model: " "'), "endpoints[0].model: must not be empty"],
  [
    "a field without a value",
    endpoint("weight:"),
    "endpoints[0].weight: expected a number, got nothing; give a value or remove the field"
  ],
  ["a list for fields", settings("retry: [1]"), "retry: expected fields such as base: 500ms, got a list"],
  [
    "text for true or false",
    settings("affinity: { sliding: maybe }"),
    "affinity.sliding: expected true or false, got text"
  ],
  [
    "text for endpoints",
    "endpoints: east",
    "endpoints: expected a list of endpoints, each starting with a dash, got text"
  ],
  ["text for an endpoint", "endpoints: [east]", "endpoints[0]: expected fields such as name: east, got text"],
  ["a file that is a list", "- east", "expected fields such as endpoints, got a list"],
  ["a file that is a text", "just words", "expected fields such as endpoints, got text"],
  ["weight 0", endpoint("weight: 0"), "endpoints[0].weight: must be a number above 0, got 0"],
  ["weight NaN", endpoint("weight: .nan"), "endpoints[0].weight: must be a number above 0, got NaN"],
  ["endless weight", endpoint("weight: .inf"), "endpoints[0].weight: must be a number above 0, got Infinity"],
  [
    "concurrency 0",
    endpoint("concurrency: 0"),
    "endpoints[0].concurrency: must be a whole number of at least 1, got 0"
  ],
  [
    "half a slot",
    endpoint("concurrency: 1.5"),
    "endpoints[0].concurrency: must be a whole number of at least 1, got 1.5"
  ],
  [
    "a negative queue",
    endpoint("queueCapacity: -1"),
    "endpoints[0].queueCapacity: must be a whole number of at least 1, got -1"
  ],
  ["no attempts", settings("maxAttempts: 0"), "maxAttempts: must be a whole number of at least 1, got 0"],
  ["rate 0", settings("maxRequestsPerSecond: 0"), "maxRequestsPerSecond: must be a number above 0, got 0"],
  [
    "a negative limit",
    endpoint("limits: { requestsPerSecond: -1 }"),
    "endpoints[0].limits.requestsPerSecond: must be a number above 0, got -1"
  ],
  [
    "a factor that shrinks",
    settings("retry: { factor: 0.5 }"),
    "retry.factor: must be a number of at least 1, got 0.5"
  ],
  [
    "a cap below the base",
    settings("retry: { base: 2s, cap: 1s }"),
    "retry.cap: 1s is shorter than retry.base, 2s; make it at least as long"
  ],
  [
    "affinity for nobody",
    settings("affinity: { capacity: 0 }"),
    "affinity.capacity: must be a whole number of at least 1, got 0"
  ],
  [
    "an unknown choice",
    settings("affinity: { onUnavailable: strict }"),
    'affinity.onUnavailable: "strict" is none of wait or spill'
  ],
  ["a duration without unit", settings("deadline: 600"), "deadline: 600 has no unit; write 600ms, 600s, 600m or 600h"],
  ["a duration in words", settings("deadline: ten minutes"), `deadline: "ten minutes" ${notDuration}`],
  [
    "a negative duration",
    settings("deadline: -5s"),
    "deadline: must not be negative; write it without the minus, such as 5s"
  ],
  ["no time at all", endpoint("timeouts: { total: 0s }"), "endpoints[0].timeouts.total: must be above 0, such as 5s"],
  [
    "a duration that is none",
    settings("deadline: [5s]"),
    "deadline: expected a duration such as 250ms, 5s, 10m or 1h, got a list"
  ],
  ["no endpoints", "endpoints: []", `endpoints: ${noEndpoints}`],
  ["no endpoints field", "policy: weighted", `endpoints: ${noEndpoints}`],
  ["an empty file", "# nothing\n", `endpoints: ${noEndpoints}`],
  [
    "a long name",
    endpoint().replace("east", "e".repeat(65)),
    "endpoints[0].name: must be at most 64 letters on one line"
  ],
  [
    "no name",
    "endpoints: [{ kind: raw, baseUrl: 'http://h' }]",
    "endpoints[0].name: missing; give each endpoint a name of its own"
  ],
  [
    "no kind",
    "endpoints: [{ name: e, baseUrl: 'http://h' }]",
    `endpoints[0].kind: missing; write kind: openai (any compatible server); kinds are ${kinds.join(", ")}`
  ],
  ["no URL", "endpoints: [{ name: e, kind: raw }]", "endpoints[0].baseUrl: missing; write baseUrl: https://host/v1"],
  [
    "an unknown kind",
    endpoint().replace("kind: openai", "kind: opnai"),
    `endpoints[0].kind: "opnai" is none of ${oneOfKinds}; did you mean openai?`
  ],
  [
    "a negative priority",
    endpoint("priority: -1"),
    "endpoints[0].priority: must be a whole number of at least 0, got -1"
  ],
  [
    "a priority between two",
    endpoint("priority: 0.5"),
    "endpoints[0].priority: must be a whole number of at least 0, got 0.5"
  ],
  [
    "a token limit of nothing",
    endpoint("limits: { outputTokensPerMinute: 0 }"),
    "endpoints[0].limits.outputTokensPerMinute: must be a number above 0, got 0"
  ],
  [
    "half a price",
    endpoint("prices: { input: 0.15 }"),
    "endpoints[0].prices.output: missing; prices need both input and output, per 1,000,000 tokens"
  ],
  [
    "a negative price",
    endpoint("prices: { input: -1, output: 2 }"),
    "endpoints[0].prices.input: must be a number of at least 0, got -1"
  ],
  [
    "a price with its currency",
    endpoint("prices: { input: $1, output: 2 }"),
    "endpoints[0].prices.input: expected a number, got text"
  ],
  [
    "one price for all tokens",
    endpoint("prices: 0.15"),
    "endpoints[0].prices: expected fields such as input: 0.15, got a number"
  ],
  [
    "a price in the wrong place",
    endpoint("cachedInput: 0.1"),
    'endpoints[0].cachedInput: unknown field here; "cachedInput" belongs in the endpoint\'s prices'
  ],
  [
    "a word for adaptive concurrency",
    endpoint("adaptiveConcurrency: auto"),
    "endpoints[0].adaptiveConcurrency: expected true or false, got text"
  ],
  [
    "a breaker that never closes",
    endpoint("breaker: { failures: 0 }"),
    "endpoints[0].breaker.failures: must be a whole number of at least 1, got 0"
  ],
  [
    "a breaker's time without a unit",
    endpoint("breaker: { open: 5 }"),
    "endpoints[0].breaker.open: 5 has no unit; write 5ms, 5s, 5m or 5h"
  ],
  [
    "a negative retry budget",
    settings("retryBudget: { ratio: -0.1 }"),
    "retryBudget.ratio: must be a number of at least 0, got -0.1"
  ],
  [
    "a hedge after the slowest of all",
    settings("hedge: { afterQuantile: 1 }"),
    "hedge.afterQuantile: must be between 0 and 1, got 1"
  ],
  [
    "a hedge for more than every request",
    settings("hedge: { maxExtra: 5 }"),
    "hedge.maxExtra: must be above 0 and at most 1, got 5"
  ],
  [
    "a hedge that is only switched on",
    settings("hedge: true"),
    "hedge: expected fields such as afterQuantile: 0.95, got true"
  ],
  [
    "a field of another kind",
    endpoint("project: my-project"),
    "endpoints[0].project: belongs to kind vertex; remove it here"
  ],
  [
    "a URL that is none",
    endpoint().replace("https://h/v1", "h/v1"),
    "endpoints[0].baseUrl: is no URL; write it whole, such as https://host/v1"
  ],
  [
    "a URL without scheme",
    endpoint().replace("https://h/v1", "localhost:80/v1"),
    "endpoints[0].baseUrl: must start with http:// or https://"
  ],
  ["another scheme", endpoint().replace("https:", "ftp:"), "endpoints[0].baseUrl: must start with http:// or https://"],
  [
    "a part of a page",
    endpoint().replace("/v1", "/v1#top"),
    "endpoints[0].baseUrl: must not hold a # part: it is never sent"
  ],
  [
    "a password in the URL",
    endpoint().replace("https://h", "https://user:hunter2@h"),
    "endpoints[0].baseUrl: must not hold a user name or password; put the key in a variable and name that in apiKeyEnv"
  ],
  [
    "a key in the URL",
    endpoint().replace("/v1", `/v1?key=${key}`),
    'endpoints[0].baseUrl: must not hold a key in its query; send it as a header from a variable, such as x-api-key: "${NAME}"'
  ],
  ["a plain key", endpoint(`apiKey: ${key}`), `endpoints[0].apiKey: ${useEnv}`],
  ["a plain token", endpoint(`token: ${key}`), `endpoints[0].token: ${useEnv}`],
  ["a plain key at the top", settings(`api_key: ${key}`), `api_key: ${useEnv}`],
  ["a key among fields", endpoint(`timeouts: { password: ${key} }`), `endpoints[0].timeouts.password: ${useEnv}`],
  [
    "a key as a field",
    endpoint(`limits: { "${key}": 1 }`),
    'endpoints[0].limits["..."]: unknown field; known here: requestsPerSecond, requestsPerMinute, tokensPerMinute, inputTokensPerMinute, outputTokensPerMinute'
  ],
  [
    "a key for a choice",
    settings(`policy: ${key}`),
    "policy: this text is none of least-loaded, weighted, weighted-random or p2c-ewma"
  ],
  ["a key for a duration", settings(`deadline: ${key}`), `deadline: this text ${notDuration}`],
  [
    "the key in place of its variable's name",
    endpoint(`apiKeyEnv: ${key}`),
    "endpoints[0].apiKeyEnv: must be the name of an environment variable, such as EAST_API_KEY, not the key itself"
  ],
  [
    "a key that could be a variable's name",
    endpoint("apiKeyEnv: gsk_0123456789abcdefghij"),
    "endpoints[0].apiKeyEnv: names an environment variable that is not set; is it the key itself? Put the key in a variable and write that one's name"
  ],
  [
    "a key among the parameters",
    endpoint(`parameters: { api_key: ${key} }`),
    "endpoints[0].parameters.api_key: credentials do not go into parameters; put this one in an environment variable and name it in apiKeyEnv"
  ],
  [
    "a parameter that JSON has not",
    endpoint("parameters: { a: [1, .nan] }"),
    "endpoints[0].parameters.a[1]: JSON has no NaN"
  ],
  [
    "a parameter that holds itself",
    endpoint("parameters: { a: &a [*a] }"),
    "endpoints[0].parameters.a[0]: holds itself; JSON cannot say that"
  ],
  [
    "a plain authorization header",
    endpoint(`headers: { Authorization: Bearer ${key} }`),
    `endpoints[0].headers.Authorization: ${plainHeader}`
  ],
  [
    "a plain x-api-key header",
    endpoint("headers: { x-api-key: open-sesame }"),
    `endpoints[0].headers.x-api-key: ${plainHeader}`
  ],
  [
    "a plain api-key header",
    endpoint("headers: { api-key: open-sesame }"),
    `endpoints[0].headers.api-key: ${plainHeader}`
  ],
  [
    "a key under a harmless name",
    endpoint(`headers: { x-team: ${key} }`),
    `endpoints[0].headers.x-team: ${plainHeader}`
  ],
  [
    "a key beside a variable",
    endpoint(`headers: { x-team: "${key} \${TEAM}" }`),
    `endpoints[0].headers.x-team: ${plainHeader}`
  ],
  [
    "a header that is no text",
    endpoint("headers: { x-team: 3 }"),
    "endpoints[0].headers.x-team: expected text, got a number; put it in quotes"
  ],
  [
    "a header's name that is none",
    endpoint('headers: { "a b": c }'),
    'endpoints[0].headers["a b"]: is no name for an HTTP header; use letters, digits and dashes'
  ],
  [
    "a header on two lines",
    endpoint('headers: { a: "b\\nc" }'),
    "endpoints[0].headers.a: must be plain letters on one line"
  ],
  [
    "a header of the client's",
    endpoint("headers: { Content-Length: '3' }"),
    "endpoints[0].headers.Content-Length: is set by the HTTP client itself; remove it"
  ],
  [
    "a header twice",
    endpoint("headers: { x-a: b, X-A: c }"),
    "endpoints[0].headers.X-A: is there twice; upper and lower case are the same"
  ],
  [
    "a header's bad variable",
    endpoint('headers: { a: "${b c}" }'),
    'endpoints[0].headers.a: has a ${ that names no variable; write "${NAME}", or $${ for a plain ${'
  ],
  [
    "a header's open variable",
    endpoint('headers: { a: "${b" }'),
    'endpoints[0].headers.a: has a ${ that names no variable; write "${NAME}", or $${ for a plain ${'
  ],
  [
    "an unset variable",
    endpoint("apiKeyEnv: EAST_KEY"),
    "endpoints[0].apiKeyEnv: the environment variable EAST_KEY is not set or empty; set it first: export EAST_KEY=..."
  ],
  [
    "an empty variable",
    endpoint("apiKeyEnv: EMPTY"),
    "endpoints[0].apiKeyEnv: the environment variable EMPTY is not set or empty; set it first: export EMPTY=..."
  ],
  [
    "a variable that is only the start of others",
    endpoint("apiKeyEnv: BROKEN"),
    "endpoints[0].apiKeyEnv: the environment variable BROKEN is not set or empty; set it first: export BROKEN=..."
  ],
  [
    "a header's unset variable",
    endpoint('headers: { x-a: "${TEAM_KEY}" }'),
    "endpoints[0].headers.x-a: the environment variable TEAM_KEY is not set or empty; set it first: export TEAM_KEY=..."
  ],
  [
    "a key with a line break",
    endpoint("apiKeyEnv: BROKEN_KEY"),
    "endpoints[0].apiKeyEnv: the value of BROKEN_KEY has letters that no header can carry (a line break, a space?); export it anew"
  ],
  [
    "a syntax error",
    "endpoints:\n  - name: [east\n    kind: raw\n",
    "line 3, column 5: the indentation does not fit the lines above; or is a bracket or quote above not closed?"
  ],
  [
    "a field twice",
    `deadline: 5s\ndeadline: 6s\n${endpoint()}`,
    "line 2, column 1: this field is there twice; keep one of the two"
  ],
  [
    "an open quote",
    `deadline: "5s\n`,
    "line 2, column 1: something is missing here: a colon, a comma, a dash, a quote or a closing bracket"
  ],
  ["a tab", "endpoints:\n\t- name: east\n", "line 2, column 1: a tab indents this line; use spaces"],
  [
    "two documents",
    `${endpoint()}\n---\na: 1\n`,
    "line 5, column 1: there is a second document after ---; put everything into one"
  ],
  [
    "an alias of nothing",
    "endpoints: *east\n",
    "its aliases (*name) name nothing, or expand to too much; write the values out"
  ]
]

describe("a bad file", () => {
  it.live.each([...table])("with %s", ([, yaml, line]) =>
    Effect.gen(function* () {
      const lines = yield* complaints(yaml, { EMPTY: "", BROKEN_KEY: "two\nlines" })
      assert.deepStrictEqual(lines, [`dispatcher.yaml: ${line}`])
      assert.notInclude(lines.join(), key)
      assert.notInclude(lines.join(), "hunter2")
    })
  )

  it.live("is told all its problems at once, those of the environment too", () =>
    Effect.gen(function* () {
      const lines = yield* complaints(`
policy: fast
deadline: 600
endpoints:
  - { name: east, kind: openai, baseUrl: nowhere, apiKeyEnv: EAST_KEY, weigth: 3, headers: { x-api-key: abc } }
  - { name: east, kind: bedrock, baseUrl: "https://h", weight: -1, timeouts: { conect: 5s, total: 5 } }
  - { name: west, kind: raw, baseUrl: "https://h", apiKeyEnv: WEST_KEY }
`)
      assert.deepStrictEqual(lines, [
        "dispatcher.yaml has 12 problems:",
        'policy: "fast" is none of least-loaded, weighted, weighted-random or p2c-ewma',
        "deadline: 600 has no unit; write 600ms, 600s, 600m or 600h",
        "endpoints[1].name: endpoints[0] has this name already; give each endpoint a name of its own",
        'endpoints[0].weigth: unknown field; did you mean "weight"?',
        "endpoints[0].baseUrl: is no URL; write it whole, such as https://host/v1",
        `endpoints[0].headers.x-api-key: ${plainHeader}`,
        `endpoints[1].kind: "bedrock" is none of ${oneOfKinds}`,
        "endpoints[1].weight: must be a number above 0, got -1",
        'endpoints[1].timeouts.conect: unknown field; did you mean "connect"?',
        "endpoints[1].timeouts.total: 5 has no unit; write 5ms, 5s, 5m or 5h",
        "endpoints[0].apiKeyEnv: the environment variable EAST_KEY is not set or empty; set it first: export EAST_KEY=...",
        "endpoints[2].apiKeyEnv: the environment variable WEST_KEY is not set or empty; set it first: export WEST_KEY=..."
      ])
    })
  )

  it.live("that would grow without bound by its aliases is refused", () =>
    Effect.gen(function* () {
      const layers = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const laughs = layers.map((name, index) => {
        const inner = index === 0 ? "lol" : `*${layers[index - 1]}`
        return `${name}: &${name} [${Array.from({ length: 9 }, () => inner).join(", ")}]`
      })
      const lines = yield* complaints(laughs.join("\n"))
      assert.deepStrictEqual(lines, [
        "dispatcher.yaml: its aliases (*name) name nothing, or expand to too much; write the values out"
      ])
    })
  )
})
