/** Our dialects against the sandbox's: two readings of the same formats, over real HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Result, Stream } from "effect"
import type { EndpointKind } from "../../src/domain/config/DispatcherConfig.ts"
import type { GenAiErrorReason } from "../../src/domain/genai/GenAiError.ts"
import type { EncodeMode, ProviderTarget } from "../../src/domain/providers/Provider.ts"
import * as Providers from "../../src/domain/providers/Providers.ts"
import type { StreamItem } from "../../src/domain/providers/StreamDecoder.ts"
import type { FaultName } from "../../src/domain/sandbox/FailureMix.ts"
import type { SandboxInput } from "../../src/domain/sandbox/SandboxOptions.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import * as Http1Transport from "../../src/layers/transport/Http1Transport.ts"

const BASES: Readonly<Record<Exclude<EndpointKind, "raw">, string>> = {
  openai: "/v1",
  azure: "/openai/deployments/model-1?api-version=2024-10-21",
  gemini: "/v1beta",
  vertex: "/v1/projects/p1/locations/europe-west4/publishers/google",
  anthropic: "/",
  cloudflare: "/client/v4/accounts/a1/ai"
}
const timeouts = { connectMs: 10_000, firstByteMs: 10_000, idleMs: 10_000, totalMs: 20_000 }
const KEY = "k-1"

/** Starts a sandbox, and gives what sends it one request in this dialect. */
const start = Effect.fnUntraced(function* (kind: keyof typeof BASES, input: SandboxInput = {}) {
  const sandbox = yield* SandboxServer.make(input)
  const transport = yield* Http1Transport.make()
  const make = (options: Partial<ProviderTarget> = {}) =>
    Providers.make(kind, {
      baseUrl: new URL(BASES[kind], sandbox.url),
      model: kind === "azure" ? undefined : "model-1",
      parameters: {},
      headers: {},
      ...options
    })
  const encode = (mode: EncodeMode, key: string, options: Partial<ProviderTarget> = {}) => {
    const request = { system: "Be brief.", messages: [{ role: "user", content: "hello" }], maxTokens: 500 } as const
    return { ...Result.getOrThrow(make(options).encode(request, key, mode)), timeouts }
  }

  const answer = (key = KEY, options: Partial<ProviderTarget> = {}) =>
    Effect.map(transport.send(encode("answer", key, options)), (response) => make().decode(response, key, Date.now()))

  const stream = Effect.scoped(
    Effect.gen(function* () {
      const { status, body } = yield* transport.open(encode("stream", KEY))
      assert.strictEqual(status, 200)
      const decoder = make().stream(KEY, Date.now())
      const items: Array<StreamItem> = []
      yield* Stream.runForEach(body, (bytes) => Effect.sync(() => items.push(...decoder.push(bytes))))
      return [...items, ...decoder.end()]
    })
  )
  return { answer, stream }
})

const textOf = (items: ReadonlyArray<StreamItem>) =>
  items.map((item) => (item._tag === "TextDelta" ? item.text : "")).join("")

/** What a sandbox makes up, and what it is for us. */
const FAULTS: ReadonlyArray<readonly [fault: FaultName, reason: GenAiErrorReason["_tag"]]> = [
  ["429", "RateLimited"],
  ["429-retry-after", "RateLimited"],
  ["503", "Overloaded"],
  ["529", "Overloaded"],
  ["500", "ServerError"],
  ["html", "ServerError"],
  ["truncated", "InvalidAnswer"],
  ["empty", "InvalidAnswer"]
]

for (const kind of Providers.kinds) {
  if (kind === "raw") continue

  describe(`the ${kind} dialect, spoken with a sandbox`, () => {
    it.live("gets an answer", () =>
      Effect.gen(function* () {
        const { answer } = yield* start(kind)
        const { text, usage } = Result.getOrThrow(yield* answer())
        assert.isAbove(text.length, 0)
        assert.isAbove(usage?.inputTokens ?? 0, 0)
        assert.isAbove(usage?.outputTokens ?? 0, 0)
      })
    )

    it.live("gets the same answer as a stream, in pieces", () =>
      Effect.gen(function* () {
        const { answer } = yield* start(kind, { seed: 7 })
        const { stream } = yield* start(kind, { seed: 7 })
        const whole = Result.getOrThrow(yield* answer())
        const items = yield* stream
        assert.strictEqual(textOf(items), whole.text)
        assert.isAbove(items.filter(({ _tag }) => _tag === "TextDelta").length, 1)
        const usage = items.findLast((item) => item._tag === "UsageReport")
        assert(usage?._tag === "UsageReport")
        assert.strictEqual(usage.usage.outputTokens, whole.usage?.outputTokens)
        const { finishReason, model } = whole
        assert.deepStrictEqual(items.at(-1), { _tag: "Finish", finishReason, model })
      })
    )

    it.live("understands every failure", () =>
      Effect.gen(function* () {
        for (const [fault, tag] of FAULTS) {
          const { answer } = yield* start(kind, { failures: `${fault}=1`, retryAfter: "3s" })
          const result = yield* answer()
          assert(Result.isFailure(result), fault)
          const { reason } = result.failure
          assert.strictEqual(reason._tag, tag, fault)
          // Vertex AI gives no hints.
          if (fault === "429-retry-after" && kind !== "vertex") assert.propertyVal(reason, "retryAfterMs", 3_000)
        }
      })
    )

    it.live("understands that the key is wrong, and that a model is not there", () =>
      Effect.gen(function* () {
        const { answer } = yield* start(kind, { apiKeys: [Redacted.make(KEY)], models: ["model-1"] })
        assert.isTrue(Result.isSuccess(yield* answer()))
        const wrongKey = yield* answer("k-2")
        assert(Result.isFailure(wrongKey))
        assert.strictEqual(wrongKey.failure.reason._tag, "Unauthorized")
        if (kind === "azure") return
        const wrongModel = yield* answer(KEY, { model: "model-2" })
        assert(Result.isFailure(wrongModel))
        assert.strictEqual(wrongModel.failure.reason._tag, "NotFound")
      })
    )

    it.live("understands a failure in the middle of a stream, and an end before its time", () =>
      Effect.gen(function* () {
        const faults: ReadonlyArray<readonly [FaultName, ReadonlyArray<string>]> = [
          ["stream-error", ["Overloaded", "RateLimited", "ServerError"]],
          ["truncated", ["InvalidAnswer"]]
        ]
        for (const [fault, tags] of faults) {
          const { stream } = yield* start(kind, { failures: `${fault}=1` })
          const items = yield* stream
          assert.isAbove(textOf(items).length, 0, fault)
          const last = items.at(-1)
          assert(last?._tag === "StreamFailed", fault)
          assert.include(tags, last.failure.reason._tag)
        }
      })
    )
  })
}
