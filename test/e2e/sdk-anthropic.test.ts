/** The `@anthropic-ai/sdk` package, as its users have it, against the sandbox. */
import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { makeAnswer } from "../../src/domain/sandbox/Answer.ts"
import type { SandboxInput } from "../../src/domain/sandbox/SandboxOptions.ts"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"

const prompt = "Why is the sky blue?"
const asked = { model: "m", max_tokens: 1000, messages: [{ role: "user" as const, content: prompt }] }
const expected = makeAnswer(3, { texts: [prompt], maxTokens: 1000 }, 40)

const start = Effect.fnUntraced(function* (input: SandboxInput = {}, maxRetries = 0) {
  const sandbox = yield* SandboxServer.make({ seed: 3, answerTokens: 40, ...input })
  const client = new Anthropic({ apiKey: "sk-test", baseURL: sandbox.origin, maxRetries, timeout: 10_000 })
  return { sandbox, client }
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
const drain = (client: Anthropic) =>
  Effect.promise(async () => {
    let text = ""
    const types: Array<string> = []
    try {
      for await (const event of await client.messages.create({ ...asked, stream: true })) {
        types.push(event.type)
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text
      }
      return { text, types, error: undefined }
    } catch (error) {
      return { text, types, error }
    }
  })

describe("the stock Anthropic SDK", () => {
  it.live("reads a whole answer", () =>
    Effect.gen(function* () {
      const { client } = yield* start()
      const message = yield* Effect.promise(() => client.messages.create({ ...asked, system: "Be short." }))
      const answer = makeAnswer(3, { texts: ["Be short.", prompt], maxTokens: 1000 }, 40)
      const [block] = message.content
      assert.strictEqual(block?.type === "text" ? block.text : undefined, answer.text)
      assert.deepStrictEqual([message.stop_reason, message.role, message.model], ["end_turn", "assistant", "m"])
      assert.strictEqual(message.usage.input_tokens, answer.promptTokens)
      assert.strictEqual(message.usage.output_tokens, answer.completionTokens)
      assert.match(String(message._request_id), /^req_/)
    })
  )

  it.live("reads a streamed answer, event by event", () =>
    Effect.gen(function* () {
      const { client } = yield* start({ latency: "fixed:40ms", streamChunks: 3 })
      const { text, types, error } = yield* drain(client)
      assert.isUndefined(error)
      assert.strictEqual(text, expected.text)
      const delta = "content_block_delta"
      // The SDK keeps pings to itself.
      assert.deepStrictEqual(types, [
        "message_start",
        "content_block_start",
        delta,
        delta,
        delta,
        "content_block_stop",
        "message_delta",
        "message_stop"
      ])
    })
  )

  it.live("puts the events of a stream together to one message", () =>
    Effect.gen(function* () {
      const { client } = yield* start()
      const message = yield* Effect.promise(() => client.messages.stream({ ...asked, max_tokens: 5 }).finalMessage())
      const answer = makeAnswer(3, { texts: [prompt], maxTokens: 5 }, 40)
      assert.strictEqual(message.content[0]?.type === "text" ? message.content[0].text : undefined, answer.text)
      assert.strictEqual(message.stop_reason, "max_tokens")
      assert.strictEqual(message.usage.input_tokens, answer.promptTokens)
      assert.strictEqual(message.usage.output_tokens, answer.completionTokens)
    })
  )

  const failures = [
    ["429", 429, "rate_limit_error", Anthropic.RateLimitError],
    ["500", 500, "api_error", Anthropic.InternalServerError],
    ["529", 529, "overloaded_error", Anthropic.APIError]
  ] as const
  for (const [name, status, type, class_] of failures) {
    it.live(`throws its typed error for ${name}`, () =>
      Effect.gen(function* () {
        const { client, sandbox } = yield* start({ failures: `${name}=1` })
        for (const stream of [false, true]) {
          const error = yield* rejection(() => client.messages.create({ ...asked, stream }))
          assert.instanceOf(error, class_)
          assert.deepStrictEqual([error.status, error.type], [status, type])
        }
        assert.strictEqual((yield* sandbox.stats).received, 2)
      })
    )
  }

  it.live("throws its typed errors for wrong keys, models and bodies", () =>
    Effect.gen(function* () {
      const { client } = yield* start({ apiKeys: [Redacted.make("sk-test")], models: ["known"] })
      const known = { ...asked, model: "known" }
      const badKey = yield* rejection(() => client.withOptions({ apiKey: "wrong" }).messages.create(known))
      assert.instanceOf(badKey, Anthropic.AuthenticationError)
      assert.strictEqual(badKey.type, "authentication_error")
      const badModel = yield* rejection(() => client.messages.create(asked))
      assert.instanceOf(badModel, Anthropic.NotFoundError)
      const badBody = yield* rejection(() => client.messages.create({ ...known, max_tokens: 0 }))
      assert.instanceOf(badBody, Anthropic.BadRequestError)
      assert.include(badBody.message, "max_tokens: must be greater than or equal to 1")
    })
  )

  it.live("waits as long as it is told, and no retry comes early", () =>
    Effect.gen(function* () {
      const { client, sandbox } = yield* start({}, 1)
      // Its own backoff is at most half a second: without the hint the one retry would be refused, too.
      yield* sandbox.control({ mode: "429", retryAfter: "1s", for: "900ms" })
      const message = yield* Effect.promise(() => client.messages.create(asked))
      assert.strictEqual(message.stop_reason, "end_turn")
      assert.deepStrictEqual((yield* sandbox.stats).answered, { 200: 1, 429: 1 })
    })
  )

  it.live("throws when a stream tells of a failure or breaks, after the pieces that came", () =>
    Effect.gen(function* () {
      for (const fault of ["stream-error", "reset"]) {
        const { client } = yield* start({ failures: `${fault}=1` })
        const { text, error } = yield* drain(client)
        assert.isTrue(text.length > 0 && text.length < expected.text.length, fault)
        assert.isDefined(error, fault)
        if (fault === "stream-error") {
          assert.instanceOf(error, Anthropic.APIError)
          assert.strictEqual(error.type, "overloaded_error")
        }
      }
    })
  )
})
