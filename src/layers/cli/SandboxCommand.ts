/** `genai-dispatcher sandbox`: the sandbox server on the command line. */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { formatDuration } from "../../domain/config/DurationText.ts"
import { FaultName, formatFailureMix } from "../../domain/sandbox/FailureMix.ts"
import { formatLatency } from "../../domain/sandbox/Latency.ts"
import { SandboxError } from "../../domain/sandbox/SandboxError.ts"
import {
  ANY_MODEL,
  type SandboxInput,
  type SandboxOptions,
  settleOptions
} from "../../domain/sandbox/SandboxOptions.ts"
import type { SandboxStats } from "../../domain/sandbox/SandboxStats.ts"

const text = (name: string, metavar: string, description: string, fallback: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.withDefault(fallback))

const number = (name: string, description: string) =>
  Flag.Int(name).pipe(Flag.withMetavar("N"), Flag.withDescription(description))

const flags = {
  port: number("port", "Port to listen on, 0 for any free one. Default: 8080").pipe(Flag.withDefault(8080)),
  host: text("host", "ADDRESS", "Address to listen on. Default: 127.0.0.1, this machine only", "127.0.0.1"),
  seed: number("seed", "Decides latencies, failures and answers: the same seed gives the same ones. Default: 1").pipe(
    Flag.withDefault(1)
  ),
  latency: text(
    "latency",
    "SPEC",
    "How long answers take: fixed:50ms, uniform:50ms-500ms, normal:MEAN,DEVIATION such as normal:200ms,50ms, or " +
      "lognormal:MEDIAN,SIGMA such as lognormal:200ms,0.5. Default: fixed:0ms",
    "fixed:0ms"
  ),
  failures: text(
    "failures",
    "MIX",
    `Failures and their shares, such as 429=0.02,500=0.01. Names: ${FaultName.literals.join(", ")}. Default: none`,
    ""
  ),
  retryAfter: text("retry-after", "TIME", "What the failure 429-retry-after asks to wait. Default: 1s", "1s"),
  requestsPerSecond: number(
    "requests-per-second",
    "Answer 429 above so many requests in any second. Default: no limit"
  ).pipe(Flag.optional),
  requestsPerMinute: number(
    "requests-per-minute",
    "Answer 429 above so many requests in any minute. Default: no limit"
  ).pipe(Flag.optional),
  apiKeyEnv: Flag.String("api-key-env").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription(
      "The environment variable that holds an accepted API key; may be repeated, or name several with commas between. " +
        "Default: any key is accepted, and none"
    ),
    Flag.atLeast(0)
  ),
  answerTokens: number(
    "answer-tokens",
    "Mean length of the answers in tokens, about four characters each. Default: 64"
  ).pipe(Flag.withDefault(64)),
  streamChunks: number(
    "stream-chunks",
    "How many pieces the text of a streamed answer comes in, fewer when it is shorter. Default: 8"
  ).pipe(Flag.withDefault(8)),
  chunkDelay: Flag.String("chunk-delay").pipe(
    Flag.withMetavar("TIME"),
    Flag.withDescription(
      "Time from each piece of a streamed answer to the next; the first then comes after the latency. " +
        "Default: the pieces are spread evenly over the latency"
    ),
    Flag.optional
  ),
  model: Flag.String("model").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("A model that there is, others get a 404; may be repeated. Default: any model"),
    Flag.atLeast(0)
  ),
  maxConcurrency: number("max-concurrency", "Answer 503 above so many requests at once. Default: no limit").pipe(
    Flag.optional
  )
}

/** Runs a sandbox server until it is interrupted. Fails with `SandboxError` when a setting is wrong. */
export const sandboxCommand = Command.make(
  "sandbox",
  flags,
  Effect.fnUntraced(function* (given) {
    const {
      apiKeyEnv,
      model: models,
      requestsPerSecond,
      requestsPerMinute,
      maxConcurrency,
      chunkDelay,
      ...plain
    } = given
    const apiKeys = yield* readKeys(apiKeyEnv)
    const options = yield* Effect.fromResult(
      settleOptions(
        {
          ...plain,
          requestsPerSecond: Option.getOrUndefined(requestsPerSecond),
          requestsPerMinute: Option.getOrUndefined(requestsPerMinute),
          maxConcurrency: Option.getOrUndefined(maxConcurrency),
          chunkDelay: Option.getOrUndefined(chunkDelay),
          apiKeys,
          models: isNonEmpty(models) ? models : undefined
        },
        flagOf
      )
    )
    // The other commands need not wait for `node:http`, with which Node loads its client for the web: a sixth of their start.
    const { serve } = yield* Effect.promise(() => import("../sandbox/SandboxServer.ts"))
    const sandbox = yield* serve(options)
    const model = options.models?.[0] ?? ANY_MODEL
    yield* Console.log(`sandbox listening on ${sandbox.url} (${describe(options)})`)
    yield* Console.log(`  use it:         genai-dispatcher run FILE --endpoint ${sandbox.url},model=${model}`)
    yield* Console.log(`  other formats:  ${baseUrls(sandbox.origin)}`)
    yield* Console.log(`  what it sees:   curl ${sandbox.origin}/stats`)
    yield* Console.log(`  take it down:   curl -d '{"mode":"refuse","for":"10s"}' ${sandbox.origin}/control`)
    return yield* Effect.never.pipe(
      Effect.ensuring(Effect.flatMap(sandbox.stats, (stats) => Console.log(`sandbox stopped: ${summarize(stats)}`)))
    )
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Run a made-up LLM endpoint to try settings without spending money. It speaks the formats of OpenAI, Azure, " +
      "Gemini, Vertex AI, Anthropic and Cloudflare at once, by path, streamed answers included. POST /control with " +
      `{"mode": "up|refuse|hang|429|dead", "retryAfter"?: "3s", "for"?: "10s"} takes it down while it runs.`
  ),
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

/** What to give as the base URL for each format besides OpenAI's. */
const baseUrls = (origin: string): string =>
  [
    `anthropic ${origin}`,
    `gemini ${origin}/v1beta`,
    `vertex ${origin}/v1/projects/P/locations/L/publishers/google`,
    `azure ${origin}/openai/deployments/D?api-version=V`,
    `cloudflare ${origin}/client/v4/accounts/A/ai`
  ].join(", ")

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

/** The settings that are not the default, in few words. */
function describe(options: SandboxOptions): string {
  const { failures, requestsPerSecond, requestsPerMinute, apiKeys, models, maxConcurrency, chunkDelay } = options
  return [
    `seed ${options.seed}`,
    `latency ${formatLatency(options.latency)}`,
    failures.length > 0 && `failures ${formatFailureMix(failures)}`,
    requestsPerSecond !== undefined && `at most ${requestsPerSecond} requests/s`,
    requestsPerMinute !== undefined && `at most ${requestsPerMinute} requests/min`,
    maxConcurrency !== undefined && `at most ${maxConcurrency} at once`,
    chunkDelay !== undefined && `${formatDuration(chunkDelay)} between pieces`,
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
    ...(stats.cut === 0 ? [] : [`${stats.cut} cut`]),
    `${stats.inflight} in flight`,
    `at most ${stats.maxPerSlidingSecond}/s`
  ].join(", ")
}
