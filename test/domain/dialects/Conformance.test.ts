/** What every dialect promises, over every family of endpoints that may answer. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { dialects } from "../../../src/domain/dialects/Dialects.ts"
import { finishKind } from "../../../src/domain/dialects/FinishReason.ts"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import type { Family } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import { Problem, statuses } from "../../../src/domain/server/Problem.ts"
import { answerOf, context, decoded, eventsIn, grouped, itemsIn, TEXT, textIn, worlds, written } from "./Worlds.ts"

const families: ReadonlyArray<Family> = ["openai", "gemini", "anthropic"]

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))
const Places = Schema.Array(Schema.Int)
const Words = Schema.Literals([
  "stop",
  "length",
  "content_filter",
  "tool_calls",
  "STOP",
  "MAX_TOKENS",
  "SAFETY",
  "RECITATION",
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "refusal",
  "constructor"
])

/** Meanings that not every family has a word for. */
const SAME: Readonly<Record<string, string>> = { stopSequence: "stop", tools: "stop", other: "stop" }
const meaning = (word: string | undefined): string => {
  const kind = finishKind(word)
  return SAME[kind] ?? kind
}

for (const { body, dialect, provider, stream, toolStream } of Object.values(worlds)) {
  describe(`the ${dialect.name} dialect's requests`, () => {
    it("are put into neutral words, and kept as they are for endpoints of their own family", () => {
      const { isStreamed, model, needs, request } = Result.getOrThrow(decoded(dialect, body))
      assert.deepStrictEqual(
        { ...request, native: undefined },
        {
          system: "Be brief.",
          messages: [
            {
              role: "user",
              content: [
                { type: "text", text: "What is it?" },
                { type: "data", mimeType: "image/png", data: "AAAA" }
              ]
            },
            { role: "assistant", content: "A dot." },
            { role: "user", content: "Sure?" }
          ],
          temperature: 0.5,
          maxTokens: 100,
          keepRaw: "text",
          native: undefined
        }
      )
      assert.deepStrictEqual([isStreamed, model, needs], [true, "my-model", []])
      assert.deepStrictEqual(request.native, { family: dialect.name, body: { ...body, model: "my-model" } })
    })

    it("come to an endpoint of their own family as they were written, with the client's own model", () => {
      const { request } = Result.getOrThrow(decoded(dialect, body))
      const sent = Result.getOrThrow(provider.encode(request, undefined, "stream"))
      const { stream: _stream, stream_options: _options, ...rest } = body
      assert.deepInclude(JSON.parse(sent.body), rest)
      assert.include(sent.path + sent.body, "my-model")
    })

    it("can be sent to every family", () => {
      const { request } = Result.getOrThrow(decoded(dialect, body))
      for (const family of families) {
        const { provider } = worlds[family]
        for (const mode of ["answer", "stream"] as const) {
          const sent = Result.getOrThrow(provider.encode({ ...request, model: "other" }, undefined, mode))
          for (const text of ["Be brief.", "What is it?", "AAAA", "A dot.", "Sure?"]) assert.include(sent.body, text)
        }
      }
    })
  })

  describe(`the ${dialect.name} dialect's answers`, () => {
    for (const family of families) {
      it(`say what an endpoint of family ${family} says`, () => {
        const reply = dialect.answer(answerOf(family), family, context)
        assert.strictEqual(reply.status, 200)
        assert.strictEqual(reply.headers["content-type"], "application/json; charset=utf-8")
        const read = Result.getOrThrow(provider.decode({ ...reply, headers: {} }, undefined, 0))
        assert.strictEqual(read.text, TEXT)
        assert.strictEqual(meaning(read.finishReason), "stop")
        assert.deepInclude(read.usage, { inputTokens: 9, outputTokens: 4 })
        if (family === dialect.name) assert.deepStrictEqual(JSON.parse(reply.body), answerOf(family).raw)
        else assert.strictEqual(read.model, "my-model")
      })
    }

    it("are the endpoint's own text, to the letter, when it is there and of the same family", () => {
      const rawText = ` { "b" : 1.50,\n "a": "\\u00e9" } `
      for (const family of families) {
        const { body } = dialect.answer({ ...answerOf(family), rawText }, family, context)
        assert.strictEqual(body === rawText, family === dialect.name)
      }
    })

    it.prop(
      "can be read again, whatever they say and whoever gave them",
      [Schema.String, Schema.UndefinedOr(Words), Schema.UndefinedOr(Schema.Struct({ i: Count, o: Count }))],
      ([text, finishReason, counts]) => {
        const usage = counts && { inputTokens: counts.i, outputTokens: counts.o }
        const answer: GenAiAnswer = {
          text,
          finishReason,
          usage,
          model: undefined,
          endpoint: "e",
          attempts: 1,
          latencyMs: 1
        }
        for (const family of [undefined, ...families]) {
          const reply = dialect.answer(answer, family, context)
          const read = Result.getOrThrow(provider.decode({ ...reply, headers: {} }, undefined, 0))
          assert.strictEqual(read.text, text)
          assert.strictEqual(meaning(read.finishReason), meaning(finishReason))
          if (usage !== undefined) assert.deepInclude(read.usage, usage)
        }
      }
    )

    it("are written anew when the endpoint's own are nested too deeply to be written", () => {
      let raw: unknown = "end"
      for (let level = 0; level < 100_000; level++) raw = [raw]
      const reply = dialect.answer({ ...answerOf(dialect.name), raw }, dialect.name, context)
      const read = Result.getOrThrow(provider.decode({ ...reply, headers: {} }, undefined, 0))
      assert.strictEqual(read.text, TEXT)
    })
  })

  describe(`the ${dialect.name} dialect's streams`, () => {
    for (const family of families) {
      it(`say what an endpoint of family ${family} says, whether or not its own events are kept`, () => {
        for (const keepRaw of [true, false]) {
          const events = eventsIn(worlds[family].provider, worlds[family].stream, keepRaw)
          const read = eventsIn(provider, written(dialect, [events]))
          assert.strictEqual(textIn(read), TEXT)
          const finish = read.at(-1)
          assert(finish?._tag === "Finish")
          assert.strictEqual(meaning(finish.finishReason), "stop")
          const usage = read.findLast((event) => event._tag === "UsageReport")?.usage
          assert.deepInclude(usage, { inputTokens: 9, outputTokens: 4 })
        }
      })
    }

    it.prop(
      "are the same however the events come together, and say the text once",
      [Schema.Array(Schema.NonEmptyString), Places, Schema.UndefinedOr(Words)],
      ([texts, places, finishReason]) => {
        const events: ReadonlyArray<ChatEvent> = [
          ...texts.map((text) => ({ _tag: "TextDelta", text }) as const),
          { _tag: "UsageReport", usage: { inputTokens: 3, outputTokens: 5 } },
          { _tag: "Finish", finishReason, model: undefined }
        ]
        const whole = written(dialect, [events])
        assert.strictEqual(written(dialect, grouped(events, places)), whole)
        const read = eventsIn(provider, whole)
        assert.strictEqual(textIn(read), texts.join(""))
        const finish = read.at(-1)
        assert(finish?._tag === "Finish")
        assert.strictEqual(meaning(finish.finishReason), meaning(finishReason))
      }
    )

    it.prop(
      "pass on the events of their own family to the letter, however they come together",
      [Places],
      ([places]) => {
        for (const bytes of [stream, toolStream]) {
          const events = eventsIn(provider, bytes, true)
          assert.strictEqual(written(dialect, grouped(events, places)), bytes)
        }
      }
    )

    it("leave out the events of other families, and what is said after the end", () => {
      const foreign = {
        _tag: "RawEvent",
        family: other(dialect.name),
        name: "x",
        data: "{}",
        isOpening: false
      } as const
      const events: ReadonlyArray<ChatEvent> = [
        { _tag: "TextDelta", text: "Hi" },
        { _tag: "Finish", finishReason: "stop", model: undefined }
      ]
      const expected = written(dialect, [events])
      const writer = dialect.stream(context)
      assert.strictEqual(writer.write([foreign, ...events, ...events]), expected)
      assert.strictEqual(writer.write(events), "")
      assert.strictEqual(writer.fail(new Problem({ kind: "Internal", message: "no" })), "")
    })

    it("split data of more than one line as server-sent events are", () => {
      const raw = { _tag: "RawEvent", family: dialect.name, name: "n", data: '{\n"a":1}', isOpening: false } as const
      assert.strictEqual(dialect.stream(context).write([raw]), 'event: n\ndata: {\ndata: "a":1}\n\n')
    })

    it("break off with a failure that their readers understand", () => {
      for (const events of [
        [{ _tag: "TextDelta", text: "Hi" } as const],
        eventsIn(provider, stream, true).slice(0, 4)
      ]) {
        const writer = dialect.stream(context)
        const begun = writer.write(events)
        const text =
          begun + writer.fail(new Problem({ kind: "Overloaded", message: "no capacity", code: "Overloaded" }))
        const items = itemsIn(provider, text)
        const last = items.at(-1)
        assert(last?._tag === "StreamFailed")
        assert.include(last.failure.message, "no capacity")
        assert.strictEqual(writer.write(events), "")
        assert.strictEqual(writer.fail(new Problem({ kind: "Internal", message: "no" })), "")
      }
    })

    it("are event streams that nobody on the way may hold back", () => {
      assert.match(dialect.streamHeaders["content-type"] ?? "", /^text\/event-stream/)
      assert.strictEqual(dialect.streamHeaders["x-accel-buffering"], "no")
    })
  })

  describe(`the ${dialect.name} dialect's errors`, () => {
    it("are understood by its readers: the status, the sentence, the hint", () => {
      for (const kind of Object.keys(statuses) as ReadonlyArray<keyof typeof statuses>) {
        const reply = dialect.problem(
          new Problem({ kind, message: "a sentence", code: "SomeCode", retryAfterMs: 1_200 })
        )
        assert.isTrue(reply.status === statuses[kind] || reply.status === 529)
        assert.strictEqual(reply.headers["retry-after"], "2")
        const read = provider.decode(reply, undefined, 0)
        assert(Result.isFailure(read))
        assert.include(read.failure.message, "a sentence")
        if (kind === "RateLimited") assert.propertyVal(read.failure.reason, "_tag", "RateLimited")
        if (kind === "Overloaded") assert.propertyVal(read.failure.reason, "_tag", "Overloaded")
        const { reason } = read.failure
        if ("retryAfterMs" in reason) assert.isAtLeast(reason.retryAfterMs ?? 0, 1_200)
      }
    })

    it("have no hint when there is none, and never one before now", () => {
      const { headers } = dialect.problem(new Problem({ kind: "RateLimited", message: "wait" }))
      assert.notProperty(headers, "retry-after")
      const early = dialect.problem(new Problem({ kind: "RateLimited", message: "wait", retryAfterMs: -5 }))
      assert.strictEqual(early.headers["retry-after"], "1")
    })

    it("name the field that is wrong", () => {
      const field = "messages[0].role"
      const reply = dialect.problem(new Problem({ kind: "InvalidRequest", message: "expected text", field }))
      assert.include(reply.body, field)
    })
  })

  describe(`the ${dialect.name} dialect's models`, () => {
    it("are listed by name, and told one by one", () => {
      const models = [{ name: "a/b" }, { name: "c" }]
      const list = dialect.models(models)
      for (const { name } of models) {
        assert.include(list.body, name)
        assert.include(dialect.model({ name }).body, name)
      }
      assert.strictEqual(dialect.models([]).status, 200)
      assert.doesNotThrow(() => JSON.parse(dialect.models([]).body))
    })
  })
}

const other = (family: Family): Family => (family === "openai" ? "gemini" : "openai")

describe("the list of dialects", () => {
  it("has every family once", () => {
    assert.sameMembers(
      dialects.map(({ name }) => name),
      [...families]
    )
  })
})
