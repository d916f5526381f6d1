/** `genai-dispatcher sandbox`: the sandbox server on the command line. */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { formatFailureMix } from "../../domain/sandbox/FailureMix.ts"
import { formatLatency } from "../../domain/sandbox/Latency.ts"
import { SandboxError } from "../../domain/sandbox/SandboxError.ts"
import { type SandboxInput, type SandboxOptions, settleOptions } from "../../domain/sandbox/SandboxOptions.ts"
import type { SandboxStats } from "../../domain/sandbox/SandboxStats.ts"
import * as SandboxServer from "../sandbox/SandboxServer.ts"

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Port to listen on, 0 for any free one (default 8080)"),
    Flag.withDefault(8080)
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("Address to listen on (default 127.0.0.1, this machine only)"),
    Flag.withDefault("127.0.0.1")
  ),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Decides latencies, failures and answers: the same seed gives the same ones (default 1)"),
    Flag.withDefault(1)
  ),
  latency: Flag.String("latency").pipe(
    Flag.withDescription(
      "How long answers take: fixed:50ms, uniform:50ms-500ms, normal:MEAN,DEVIATION or lognormal:MEDIAN,SIGMA such as " +
        "lognormal:200ms,0.5 (default fixed:0ms)"
    ),
    Flag.withDefault("fixed:0ms")
  ),
  failures: Flag.String("failures").pipe(
    Flag.withDescription(
      "Failures and their shares, such as 429=0.02,500=0.01. Names: 429, 429-retry-after, 500, 503, 529, reset, stall, " +
        "stall-body, truncated, empty, html (default none)"
    ),
    Flag.withDefault("")
  ),
  retryAfter: Flag.String("retry-after").pipe(
    Flag.withDescription("What the failure 429-retry-after asks to wait (default 1s)"),
    Flag.withDefault("1s")
  ),
  requestsPerSecond: Flag.Int("requests-per-second").pipe(
    Flag.withDescription("Answer 429 above so many requests in any second (default no limit)"),
    Flag.optional
  ),
  requestsPerMinute: Flag.Int("requests-per-minute").pipe(
    Flag.withDescription("Answer 429 above so many requests in any minute (default no limit)"),
    Flag.optional
  ),
  apiKeyEnv: Flag.String("api-key-env").pipe(
    Flag.withDescription(
      "Name of an environment variable that holds an accepted API key; repeat it, or separate names by commas, for " +
        "several (default any key is accepted, and none)"
    ),
    Flag.withMetavar("NAME"),
    Flag.atLeast(0)
  ),
  answerTokens: Flag.Int("answer-tokens").pipe(
    Flag.withDescription("Mean length of the answers in tokens, about four characters each (default 64)"),
    Flag.withDefault(64)
  ),
  model: Flag.String("model").pipe(
    Flag.withDescription("A model there is, others get a 404; repeat it for several (default any model)"),
    Flag.atLeast(0)
  ),
  maxConcurrency: Flag.Int("max-concurrency").pipe(
    Flag.withDescription("Answer 503 above so many requests at once (default no limit)"),
    Flag.optional
  )
} as const

/** Runs a sandbox server until it is interrupted. Fails with `SandboxError` when a setting is wrong. */
export const sandboxCommand = Command.make(
  "sandbox",
  flags,
  Effect.fnUntraced(function* (given) {
    const { apiKeyEnv, model, requestsPerSecond, requestsPerMinute, maxConcurrency, ...plain } = given
    const apiKeys = yield* readKeys(apiKeyEnv)
    const options = yield* Effect.fromResult(
      settleOptions(
        {
          ...plain,
          requestsPerSecond: Option.getOrUndefined(requestsPerSecond),
          requestsPerMinute: Option.getOrUndefined(requestsPerMinute),
          maxConcurrency: Option.getOrUndefined(maxConcurrency),
          apiKeys,
          models: isNonEmpty(model) ? model : undefined
        },
        flagOf
      )
    )
    const sandbox = yield* SandboxServer.serve(options)
    yield* Console.log(`sandbox listening on ${sandbox.url} (${describe(options)})`)
    yield* Console.log(
      `try it: genai-dispatcher run FILE --endpoint ${sandbox.url}   what it saw: curl ${statsUrl(sandbox.url)}`
    )
    return yield* Effect.never.pipe(
      Effect.ensuring(Effect.flatMap(sandbox.stats, (stats) => Console.log(`sandbox stopped: ${summarize(stats)}`)))
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription("Run a made-up LLM endpoint (OpenAI format) to try settings without spending money"),
  Command.withExamples([
    {
      command: "genai-dispatcher sandbox --latency lognormal:200ms,0.5 --failures 429-retry-after=0.05,500=0.02",
      description: "A slow endpoint that fails now and then"
    },
    {
      command: "genai-dispatcher sandbox --port 8081 --requests-per-minute 600",
      description: "An endpoint with a rate limit"
    }
  ])
)

/** The keys in the named variables; `undefined` when no variable is named. */
const readKeys = Effect.fnUntraced(function* (
  lists: ReadonlyArray<string>
): Effect.fn.Return<SandboxInput["apiKeys"], SandboxError> {
  const names = lists.flatMap((list) => list.split(",")).map((name) => name.trim())
  const keys: Array<Redacted.Redacted<string>> = []
  for (const name of names) {
    // The cause is left out: it could hold the value.
    const key = yield* Effect.option(Config.Redacted(name))
    if (Option.isNone(key) || Redacted.value(key.value) === "") {
      return yield* new SandboxError({
        reason: "KeyVariableUnset",
        message: `--api-key-env: the environment variable "${name}" is not set: set it to the API key to accept.`
      })
    }
    keys.push(key.value)
  }
  return keys.length === 0 ? undefined : keys
})

/** The flag for a field of the settings, as users write it. */
const flagOf = (field: string): string =>
  field === "models" ? "--model" : `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const isNonEmpty = (names: ReadonlyArray<string>): names is readonly [string, ...Array<string>] => names.length > 0

const statsUrl = (url: string): string => url.replace(/\/v1$/, "/stats")

/** The settings that are not the default, in few words. */
function describe(options: SandboxOptions): string {
  const { failures, requestsPerSecond, requestsPerMinute, apiKeys, models, maxConcurrency } = options
  return [
    `seed ${options.seed}`,
    `latency ${formatLatency(options.latency)}`,
    failures.length > 0 && `failures ${formatFailureMix(failures)}`,
    requestsPerSecond !== undefined && `at most ${requestsPerSecond} requests/s`,
    requestsPerMinute !== undefined && `at most ${requestsPerMinute} requests/min`,
    maxConcurrency !== undefined && `at most ${maxConcurrency} at once`,
    apiKeys !== undefined && `${apiKeys.length} accepted ${apiKeys.length === 1 ? "key" : "keys"}`,
    models !== undefined && `models ${models.join(", ")}`
  ]
    .filter((part) => part !== false)
    .join(", ")
}

function summarize(stats: SandboxStats): string {
  const { reset } = stats.faults
  const answers = Object.entries(stats.answered).map(([status, count]) => `${count} x ${status}`)
  return [
    `${stats.received} received`,
    ...answers,
    ...(reset === undefined ? [] : [`${reset} reset`]),
    `${stats.aborted} aborted`,
    `${stats.inflight} in flight`,
    `at most ${stats.maxPerSlidingSecond}/s`
  ].join(", ")
}
