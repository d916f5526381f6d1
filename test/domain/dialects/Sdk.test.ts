/** What the dialects write, read by the packages that their clients have; without a network. */
import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { ApiError, GoogleGenAI } from "@google/genai"
import { Result } from "effect"
import OpenAI from "openai"
import type { ClientRequest, Reply } from "../../../src/domain/dialects/Dialect.ts"
import { dialects } from "../../../src/domain/dialects/Dialects.ts"
import type { Family } from "../../../src/domain/genai/GenAiRequest.ts"
import { Problem } from "../../../src/domain/server/Problem.ts"
import { answerOf, context, eventsIn, TEXT, worlds } from "./Worlds.ts"

const families: ReadonlyArray<Family> = ["openai", "gemini", "anthropic"]

/** How the service answers: by an endpoint of this family, or with a problem, at once or after the answer has begun. */
interface Service {
  readonly family?: Family
  readonly problem?: Problem
  readonly breaksOff?: boolean
}

/** A `fetch` that is answered as the service would, by the dialect whose path it is; and what it was asked. */
const serve = ({ breaksOff = false, family = "openai", problem }: Service) => {
  const seen: Array<{ readonly key: string | undefined; readonly request: ClientRequest }> = []
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init)
    const { pathname, search } = new URL(request.url)
    const headers = Object.fromEntries(request.headers)
    for (const dialect of dialects) {
      const route = dialect.route(request.method, pathname, search, headers)
      if (route === undefined) continue
      const answered = ({ body, headers, status }: Reply) => new Response(body, { status, headers })
      if (route === "MethodNotAllowed") return new Response(null, { status: 405 })
      if (route._tag === "ListModels") return answered(dialect.models([{ name: "a" }, { name: "org/b" }]))
      if (route._tag === "GetModel") return answered(dialect.model({ name: route.model }))
      const decoded = dialect.decode(route, await request.json())
      if (Result.isFailure(decoded)) return answered(dialect.problem(decoded.failure))
      seen.push({ key: dialect.credential(headers, search), request: decoded.success })
      if (problem !== undefined && !breaksOff) return answered(dialect.problem(problem))
      if (!decoded.success.isStreamed) return answered(dialect.answer(answerOf(family), family, context))
      const writer = dialect.stream({ ...context, wantsUsage: decoded.success.wantsUsage })
      const events = eventsIn(worlds[family].provider, worlds[family].stream, true)
      const body =
        problem === undefined ? writer.write(events) : writer.write(events.slice(0, -1)) + writer.fail(problem)
      return new Response(body, { headers: dialect.streamHeaders })
    }
    return new Response(null, { status: 404 })
  }
  return { seen, fetch }
}

const base = "http://service.test"
const chat = { model: "my-model", messages: [{ role: "user" as const, content: "hello" }] }

const openaiOf = (service: ReturnType<typeof serve>) =>
  new OpenAI({ apiKey: "k", baseURL: `${base}/v1`, fetch: service.fetch, maxRetries: 0 })
const anthropicOf = (service: ReturnType<typeof serve>) =>
  new Anthropic({ apiKey: "k", baseURL: base, fetch: service.fetch, maxRetries: 0 })
const geminiOf = (service: ReturnType<typeof serve>) =>
  new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: base, fetch: service.fetch } })

const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail("the call succeeded"),
    (error: unknown) => error
  )

const drain = async (stream: AsyncIterable<unknown>): Promise<void> => {
  for await (const _piece of stream) {
    // Only its end is of interest.
  }
}

const busy = new Problem({ kind: "RateLimited", message: "the endpoints are busy", retryAfterMs: 1_500 })

describe("the stock OpenAI SDK", () => {
  for (const family of families) {
    it(`reads answers of family ${family}, whole and streamed`, async () => {
      const service = serve({ family })
      const client = openaiOf(service)
      const whole = await client.chat.completions.create(chat)
      assert.strictEqual(whole.choices[0]?.message.content, TEXT)
      assert.strictEqual(whole.choices[0]?.finish_reason, "stop")
      assert.deepInclude(whole.usage, { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 })
      let text = ""
      let usage: unknown
      const stream = await client.chat.completions.create({
        ...chat,
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? ""
        usage = chunk.usage ?? usage
      }
      assert.strictEqual(text, TEXT)
      assert.deepInclude(usage, { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 })
      const final = await client.chat.completions.stream(chat).finalChatCompletion()
      assert.strictEqual(final.choices[0]?.message.content, TEXT)
      assert.deepStrictEqual(
        service.seen.map(({ key }) => key),
        ["k", "k", "k"]
      )
    })

    it(`gets no usage in a stream of family ${family} unless it asks for it`, async () => {
      const stream = await openaiOf(serve({ family })).chat.completions.create({ ...chat, stream: true })
      for await (const chunk of stream) {
        assert.isNotOk(chunk.usage)
        assert.isAbove(chunk.choices.length, 0)
      }
    })
  }

  it("lists models, and reads one with a slash in its name", async () => {
    const client = openaiOf(serve({}))
    const { data } = await client.models.list()
    assert.deepStrictEqual(
      data.map(({ id }) => id),
      ["a", "org/b"]
    )
    assert.strictEqual((await client.models.retrieve("org/b")).id, "org/b")
  })

  it("understands errors, before an answer and within one", async () => {
    const before = await rejection(openaiOf(serve({ problem: busy })).chat.completions.create(chat))
    assert(before instanceof OpenAI.RateLimitError)
    assert.include(before.message, "the endpoints are busy")
    assert.deepStrictEqual([before.headers?.get("retry-after"), before.headers?.get("retry-after-ms")], ["2", "1500"])
    const within = serve({ problem: busy, breaksOff: true, family: "gemini" })
    const stream = await openaiOf(within).chat.completions.create({ ...chat, stream: true })
    const broken = await rejection(drain(stream))
    assert(broken instanceof OpenAI.APIError)
    assert.include(broken.message, "the endpoints are busy")
  })
})

describe("the stock Anthropic SDK", () => {
  const asked = { ...chat, max_tokens: 100 }

  for (const family of families) {
    it(`reads answers of family ${family}, whole and streamed`, async () => {
      const service = serve({ family })
      const client = anthropicOf(service)
      const whole = await client.messages.create(asked)
      assert.deepStrictEqual(
        whole.content.map((block) => block.type === "text" && block.text),
        [TEXT]
      )
      assert.deepStrictEqual([whole.type, whole.role, whole.stop_reason], ["message", "assistant", "end_turn"])
      assert.deepInclude(whole.usage, { input_tokens: 9, output_tokens: 4 })
      const final = await client.messages.stream(asked).finalMessage()
      assert.deepStrictEqual(
        final.content.map((block) => block.type === "text" && block.text),
        [TEXT]
      )
      assert.strictEqual(final.stop_reason, "end_turn")
      assert.deepInclude(final.usage, { input_tokens: 9, output_tokens: 4 })
      assert.deepStrictEqual(
        service.seen.map(({ key }) => key),
        ["k", "k"]
      )
    })
  }

  it("lists models, and reads one with a slash in its name", async () => {
    const client = anthropicOf(serve({}))
    const { data } = await client.models.list()
    assert.deepStrictEqual(
      data.map(({ id }) => id),
      ["a", "org/b"]
    )
    assert.strictEqual((await client.models.retrieve("org/b")).id, "org/b")
  })

  it("understands errors, before an answer and within one", async () => {
    const before = await rejection(anthropicOf(serve({ problem: busy })).messages.create(asked))
    assert(before instanceof Anthropic.RateLimitError)
    assert.strictEqual(before.headers?.get("retry-after"), "2")
    const overloaded = new Problem({ kind: "Overloaded", message: "every queue is full" })
    const full = await rejection(anthropicOf(serve({ problem: overloaded })).messages.create(asked))
    assert(full instanceof Anthropic.APIError)
    assert.strictEqual(full.status, 529)
    const within = serve({ problem: overloaded, breaksOff: true, family: "openai" })
    const broken = await rejection(anthropicOf(within).messages.stream(asked).finalMessage())
    assert(broken instanceof Anthropic.APIError)
    assert.include(broken.message, "every queue is full")
  })
})

describe("the stock Google SDK", () => {
  const asked = { model: "my-model", contents: "hello" }

  for (const family of families) {
    it(`reads answers of family ${family}, whole and streamed`, async () => {
      const service = serve({ family })
      const { models } = geminiOf(service)
      const whole = await models.generateContent(asked)
      assert.strictEqual(whole.text, TEXT)
      assert.strictEqual(whole.candidates?.[0]?.finishReason, "STOP")
      assert.deepInclude(whole.usageMetadata, { promptTokenCount: 9, candidatesTokenCount: 4, totalTokenCount: 13 })
      let text = ""
      for await (const piece of await models.generateContentStream({ ...asked, model: "org/model" })) {
        text += piece.text ?? ""
      }
      assert.strictEqual(text, TEXT)
      assert.deepStrictEqual(
        service.seen.map(({ key, request }) => [key, request.model]),
        [
          ["k", "my-model"],
          ["k", "org/model"]
        ]
      )
    })
  }

  it("lists models, and reads one with a slash in its name", async () => {
    const { models } = geminiOf(serve({}))
    const names: Array<string | undefined> = []
    for await (const { name } of await models.list()) names.push(name)
    assert.deepStrictEqual(names, ["models/a", "models/org/b"])
    assert.strictEqual((await models.get({ model: "org/b" })).name, "models/org/b")
  })

  it("understands errors, before an answer and within one", async () => {
    const before = await rejection(geminiOf(serve({ problem: busy })).models.generateContent(asked))
    assert(before instanceof ApiError)
    assert.strictEqual(before.status, 429)
    assert.include(before.message, "RESOURCE_EXHAUSTED")
    assert.include(before.message, "1.5s")
    const within = serve({ problem: busy, breaksOff: true, family: "openai" })
    const stream = await geminiOf(within).models.generateContentStream(asked)
    const broken = await rejection(drain(stream))
    assert(broken instanceof ApiError)
    assert.include(broken.message, "the endpoints are busy")
  })
})
