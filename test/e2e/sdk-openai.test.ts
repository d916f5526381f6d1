/** The `openai` package, as its users have it, against the sandbox: so the sandbox speaks the real format. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import OpenAI, { AzureOpenAI } from "openai"
import { makeAnswer } from "../../src/domain/sandbox/Answer.ts"
import type { SandboxInput } from "../../src/domain/sandbox/SandboxOptions.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"

const prompt = "Why is the sky blue?"
const messages = [{ role: "user" as const, content: prompt }]
const expected = makeAnswer(3, { texts: [prompt], maxTokens: undefined }, 40)

const start = Effect.fnUntraced(function* (input: SandboxInput = {}, maxRetries = 0) {
  const sandbox = yield* SandboxServer.make({ seed: 3, answerTokens: 40, ...input })
  const client = new OpenAI({ apiKey: "sk-test", baseURL: sandbox.url, maxRetries, timeout: 10_000 })
  const azure = new AzureOpenAI({
    apiKey: "az-test",
    endpoint: sandbox.origin,
    apiVersion: "2024-10-21",
    maxRetries,
    timeout: 10_000
  })
  return { sandbox, client, azure }
})

/** What a call is rejected with. */
const rejection = (call: () => Promise<unknown>) =>
  Effect.promise(() =>
    call().then(
      () => assert.fail("the call succeeded"),
      (error: unknown) => error
    )
  )

/** All of a stream, and what it broke off with. */
const drain = (client: OpenAI) =>
  Effect.promise(async () => {
    let text = ""
    const chunks: Array<OpenAI.ChatCompletionChunk> = []
    try {
      const stream = await client.chat.completions.create({
        model: "m",
        messages,
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of stream) {
        chunks.push(chunk)
        text += chunk.choices[0]?.delta.content ?? ""
      }
      return { text, chunks, error: undefined }
    } catch (error) {
      return { text, chunks, error }
    }
  })

for (const kind of ["openai", "azure"] as const) {
  describe(`the stock OpenAI SDK, ${kind}`, () => {
    const begin = (input: SandboxInput = {}, maxRetries = 0) =>
      Effect.map(start(input, maxRetries), ({ sandbox, client, azure }) => ({
        sandbox,
        client: kind === "openai" ? client : azure
      }))

    it.live("reads a whole answer", () =>
      Effect.gen(function* () {
        const { client } = yield* begin()
        const completion = yield* Effect.promise(() => client.chat.completions.create({ model: "m", messages }))
        assert.strictEqual(completion.choices[0]?.message.content, expected.text)
        assert.strictEqual(completion.choices[0]?.finish_reason, "stop")
        assert.strictEqual(completion.model, "m")
        assert.deepInclude(completion.usage, {
          prompt_tokens: expected.promptTokens,
          completion_tokens: expected.completionTokens
        })
        assert.isString(completion._request_id)
      })
    )

    it.live("reads a streamed answer with its usage", () =>
      Effect.gen(function* () {
        const { client } = yield* begin({ latency: "fixed:40ms", streamChunks: 6 })
        const { text, chunks, error } = yield* drain(client)
        assert.isUndefined(error)
        assert.strictEqual(text, expected.text)
        assert.strictEqual(chunks.filter((chunk) => (chunk.choices[0]?.delta.content ?? "") !== "").length, 6)
        assert.strictEqual(chunks.at(-2)?.choices[0]?.finish_reason, "stop")
        assert.deepStrictEqual(chunks.at(-1)?.choices, [])
        assert.strictEqual(chunks.at(-1)?.usage?.completion_tokens, expected.completionTokens)
      })
    )

    it.live("says that an answer was cut off at its limit", () =>
      Effect.gen(function* () {
        const { client } = yield* begin()
        const completion = yield* Effect.promise(() =>
          client.chat.completions.create({ model: "m", messages, max_tokens: 3 })
        )
        assert.strictEqual(completion.choices[0]?.finish_reason, "length")
      })
    )

    const failures = [
      ["429", 429, OpenAI.RateLimitError],
      ["500", 500, OpenAI.InternalServerError],
      ["503", 503, OpenAI.InternalServerError],
      ["529", 529, OpenAI.InternalServerError],
      ["html", 502, OpenAI.InternalServerError]
    ] as const
    for (const [name, status, type] of failures) {
      it.live(`throws its typed error for ${name}`, () =>
        Effect.gen(function* () {
          const { client, sandbox } = yield* begin({ failures: `${name}=1` })
          for (const stream of [false, true]) {
            const error = yield* rejection(() => client.chat.completions.create({ model: "m", messages, stream }))
            assert.instanceOf(error, type)
            assert.strictEqual(error.status, status)
          }
          assert.strictEqual((yield* sandbox.stats).received, 2)
        })
      )
    }

    it.live("throws its typed errors for wrong keys, models and bodies", () =>
      Effect.gen(function* () {
        const right = kind === "openai" ? "sk-test" : "az-test"
        const { client } = yield* begin({ apiKeys: [Redacted.make(right)], models: ["known"] })
        const badKey = yield* rejection(() =>
          client.withOptions({ apiKey: "wrong" }).chat.completions.create({ model: "known", messages })
        )
        assert.instanceOf(badKey, OpenAI.AuthenticationError)
        const badModel = yield* rejection(() => client.chat.completions.create({ model: "unknown", messages }))
        assert.instanceOf(badModel, OpenAI.NotFoundError)
        assert.strictEqual(badModel.code, kind === "openai" ? "model_not_found" : "DeploymentNotFound")
        const badBody = yield* rejection(() => client.chat.completions.create({ model: "known", messages: [] }))
        assert.instanceOf(badBody, OpenAI.BadRequestError)
        assert.deepStrictEqual([badBody.param, badBody.code], ["messages", "empty_array"])
      })
    )

    it.live("tells broken connections and timeouts apart", () =>
      Effect.gen(function* () {
        const broken = yield* begin({ failures: "reset=1" })
        const reset = yield* rejection(() => broken.client.chat.completions.create({ model: "m", messages }))
        assert.instanceOf(reset, OpenAI.APIConnectionError)
        const silent = yield* begin({ failures: "stall=1" })
        const late = yield* rejection(() =>
          silent.client.chat.completions.create({ model: "m", messages }, { timeout: 100 })
        )
        assert.instanceOf(late, OpenAI.APIConnectionTimeoutError)
      })
    )

    it.live("waits as long as it is told, and no retry comes early", () =>
      Effect.gen(function* () {
        const { client, sandbox } = yield* begin({}, 1)
        // Its own backoff is at most half a second: without the hint the one retry would be refused, too.
        yield* sandbox.control({ mode: "429", retryAfter: "1s", for: "900ms" })
        const completion = yield* Effect.promise(() => client.chat.completions.create({ model: "m", messages }))
        assert.strictEqual(completion.choices[0]?.message.content, expected.text)
        assert.deepStrictEqual((yield* sandbox.stats).answered, { 200: 1, 429: 1 })
      })
    )

    it.live("throws when a stream tells of a failure or breaks, after the pieces that came", () =>
      Effect.gen(function* () {
        for (const fault of ["stream-error", "reset", "truncated"]) {
          const { client } = yield* begin({ failures: `${fault}=1` })
          const { text, error } = yield* drain(client)
          assert.isTrue(text.length > 0 && text.length < expected.text.length, fault)
          assert.isTrue(expected.text.startsWith(text), fault)
          assert.isDefined(error, fault)
          if (fault === "stream-error") assert.instanceOf(error, OpenAI.APIError)
        }
      })
    )
  })
}

it.live("the stock OpenAI SDK lists the models", () =>
  Effect.gen(function* () {
    const { client } = yield* start({ models: ["small", "large"] })
    const page = yield* Effect.promise(() => client.models.list())
    assert.deepStrictEqual(
      page.data.map((model) => model.id),
      ["small", "large"]
    )
  })
)
