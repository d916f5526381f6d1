/** What every dialect promises of streamed answers: part of the conformance suite. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import type { GenAiErrorReason } from "../../../src/domain/genai/GenAiError.ts"
import type { Family } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiResponse } from "../../../src/domain/genai/GenAiResponse.ts"
import type { Provider, ProviderFailure, ProviderTarget } from "../../../src/domain/providers/Provider.ts"
import type { StreamItem } from "../../../src/domain/providers/StreamDecoder.ts"

export interface StreamFixtures {
  /** Bodies of streamed answers, with lines that end in line feeds, and what they say. At least one is not all ASCII. */
  readonly answers: ReadonlyArray<readonly [what: string, body: string, answer: GenAiResponse]>
  /** Bodies that tell of a failure after a success status, and the text that came before it. */
  readonly failures: ReadonlyArray<{
    readonly what: string
    readonly body: string
    readonly text: string
    readonly reason: Partial<GenAiErrorReason>
    readonly says: string
  }>
  /** Whether the body is server-sent events; `false` for kind raw, whose answers are whatever comes. */
  readonly isEventStream: boolean
}

/** What a stream amounts to. */
export interface Outcome {
  readonly text: string
  readonly usage: GenAiResponse["usage"]
  readonly finish: { readonly finishReason: string | undefined; readonly model: string | undefined } | undefined
  readonly failure: ProviderFailure | undefined
}

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)
const CREDENTIAL = "k-123"

/** What a stream amounts to that comes in these pieces; checks what holds for every stream. */
export const outcomeOf = (provider: Provider, pieces: ReadonlyArray<Uint8Array>): Outcome => {
  const decoder = provider.stream(CREDENTIAL, NOW)
  const items: Array<StreamItem> = []
  for (const piece of pieces) items.push(...decoder.push(piece))
  items.push(...decoder.end())
  const isLast = (item: StreamItem) => item._tag === "Finish" || item._tag === "StreamFailed"
  assert.deepStrictEqual(items.findIndex(isLast), items.length - 1, "exactly one end, and nothing after it")
  const only = <Tag extends StreamItem["_tag"]>(tag: Tag) =>
    items.filter((item): item is Extract<StreamItem, { _tag: Tag }> => item._tag === tag)
  const deltas = only("TextDelta").map(({ text }) => text)
  assert.notInclude(deltas, "", "no empty pieces")
  const finish = only("Finish")[0]
  return {
    text: deltas.join(""),
    usage: only("UsageReport").at(-1)?.usage,
    finish: finish === undefined ? undefined : { finishReason: finish.finishReason, model: finish.model },
    failure: only("StreamFailed")[0]?.failure
  }
}

/** What a stream amounts to that is this answer. */
const wholeOf = ({ text, usage, finishReason, model }: GenAiResponse): Outcome => ({
  text,
  usage,
  finish: { finishReason, model },
  failure: undefined
})

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The bytes in pieces that end at these places, which may be any numbers. */
const cutAt = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const ends = [...places.map((place) => Math.abs(place) % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return ends.map((end, i) => bytes.slice(ends[i - 1] ?? 0, end))
}

const byteByByte = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => Array.from(bytes, (byte) => Uint8Array.of(byte))

export interface StreamSuite {
  readonly kind: string
  /** The family that the kind belongs to. */
  readonly family: Family | undefined
  readonly streams: StreamFixtures
  /** Answers that are not streamed. */
  readonly answers: ReadonlyArray<readonly [what: string, body: string, answer: GenAiResponse]>
  readonly make: (options?: Partial<ProviderTarget>) => Provider
}

export const streamConformance = ({ kind, family, streams, answers, make }: StreamSuite) => {
  const read = (body: string, options?: Partial<ProviderTarget>) => outcomeOf(make(options), [utf8(body)])
  const failureIn = (body: string, options?: Partial<ProviderTarget>) => {
    const { failure } = read(body, options)
    assert(failure !== undefined, "no failure")
    return failure
  }
  const bodies = [...streams.answers.map(([, body]) => body), ...streams.failures.map(({ body }) => body)]

  describe(`streams of the ${kind} dialect`, () => {
    for (const [what, body, answer] of streams.answers) {
      it(`are read: ${what}`, () => {
        assert.deepStrictEqual(read(body), wholeOf(answer))
      })
    }

    for (const { what, body, text, reason, says } of streams.failures) {
      it(`may fail after their beginning: ${what}`, () => {
        const outcome = read(body)
        assert.strictEqual(outcome.text, text)
        assert(outcome.failure !== undefined, "no failure")
        assert.deepInclude(outcome.failure.reason, reason)
        assert.include(outcome.failure.message, says)
      })
    }

    it("have an answer that is not all ASCII", () => {
      assert.isTrue(streams.answers.some(([, body]) => utf8(body).length > body.length))
    })

    it.prop(
      "say the same however they are cut",
      [Schema.Array(Schema.Int)],
      ([places]) => {
        for (const body of bodies) {
          assert.deepStrictEqual(outcomeOf(make(), cutAt(utf8(body), places)), read(body))
        }
      },
      { arbitrary: { runs: 30 }, timeout: 60_000 }
    )

    it("say the same byte by byte", () => {
      for (const body of bodies) assert.deepStrictEqual(outcomeOf(make(), byteByByte(utf8(body))), read(body))
    })

    it("hand on text as soon as it is there", () => {
      const [, body, answer] = streams.answers[0]!
      const decoder = make().stream(CREDENTIAL, NOW)
      const isText = (item: ChatEvent | StreamItem) => item._tag === "TextDelta"
      const early = byteByByte(utf8(body))
        .slice(0, -1)
        .flatMap((byte) => decoder.push(byte).filter(isText))
      assert.isAbove(answer.text.length, 0)
      assert.isAbove(early.length, 0)
    })

    it("fail when nothing comes", () => {
      for (const body of ["", "\n\n", " \r\n"]) {
        const { reason, message } = failureIn(body)
        assert.deepInclude(reason, { _tag: "InvalidAnswer", status: 200, retry: "anywhere" })
        assert.include(message, "empty")
      }
    })

    it.prop("come to an end whatever is in them, and never throw", [Schema.String, Schema.Json], ([text, json]) => {
      const document = JSON.stringify(json)
      for (const body of [
        text,
        document,
        `data: ${text}\n\n`,
        `data: ${document}\n\n`,
        `event: error\ndata: ${document}`
      ]) {
        const { finish, failure } = read(body)
        assert.isTrue((finish === undefined) !== (failure === undefined))
      }
    })

    if (streams.isEventStream) eventStreams()
    rawEvents()
  })

  const rawEvents = () => {
    const read = (body: string, keepRaw: boolean): ReadonlyArray<StreamItem> => {
      const decoder = make().stream(CREDENTIAL, NOW, keepRaw)
      return [...byteByByte(utf8(body)).flatMap((byte) => decoder.push(byte)), ...decoder.end()]
    }
    const isRaw = (item: StreamItem) => item._tag === "RawEvent"

    const own = (body: string) => read(body, true).flatMap((item) => (item._tag === "RawEvent" ? [item] : []))

    it("have no events of the provider's own unless they are asked for", () => {
      for (const body of bodies) assert.isFalse(read(body, false).some(isRaw))
    })

    if (family === undefined) {
      it("have none when they are asked for either, and say the same", () => {
        for (const body of bodies) assert.deepStrictEqual(read(body, true), read(body, false))
      })
      return
    }

    it("say the same with the provider's own events among them", () => {
      for (const body of bodies) {
        assert.deepStrictEqual(
          read(body, true).filter((item) => !isRaw(item)),
          read(body, false)
        )
      }
    })

    it("hand on the provider's own events, to the letter, when they are asked for", () => {
      for (const [, body] of streams.answers) {
        const events = own(body)
        const again = events
          .map(({ data, name }) => `${name === "" ? "" : `event: ${name}\n`}data: ${data}\n\n`)
          .join("")
        assert.strictEqual(again.trimEnd(), body.replace(/data: \[DONE\]\s*$/, "").trimEnd())
        assert.isTrue(events.every((event) => event.family === family))
      }
    })

    it("hand on an event before what was read from it, and none that tells of a failure", () => {
      for (const body of bodies) {
        assert.notInclude(["TextDelta", "UsageReport", "Finish"], read(body, true)[0]?._tag)
        assert.isFalse(own(body).some(({ data }) => /"error":/.test(data)))
      }
      assert.isTrue(
        streams.failures.some(({ body }) => /"error":/.test(body) && own(body).length > 0),
        "one fails after events"
      )
    })

    it("tell the events before the answer from those of the answer: text always comes with the latter", () => {
      for (const body of bodies) {
        let wasOpening = true
        for (const item of read(body, true)) {
          if (item._tag === "RawEvent") {
            assert.isTrue(wasOpening || !item.isOpening, "no event opens an answer that has begun")
            wasOpening = item.isOpening
          } else if (item._tag === "TextDelta") assert.isFalse(wasOpening)
        }
      }
    })
  }

  const eventStreams = () => {
    it("may end their lines in any way", () => {
      for (const body of bodies) {
        for (const end of ["\r\n", "\r"]) {
          const other = utf8(body.replaceAll("\n", end))
          assert.deepStrictEqual(outcomeOf(make(), [other]), read(body))
          assert.deepStrictEqual(outcomeOf(make(), byteByByte(other)), read(body))
        }
      }
    })

    it("may have a byte order mark, comments, identifiers and retry times", () => {
      for (const [, body, answer] of streams.answers) {
        const noise = ": keep-alive\nretry: 1000\nid: 7\n\n"
        const noisy = `\ufeff${noise}${body.replaceAll("\n\n", `\n\n${noise}`)}`
        assert.deepStrictEqual(read(noisy), wholeOf(answer))
      }
    })

    it("are never taken for whole when they are cut off", () => {
      for (const [, body, { text, finishReason, model }] of streams.answers) {
        const bytes = utf8(body)
        // Anywhere in the first body; in the others at a step that comes by all kinds of places.
        const step = body === streams.answers[0]![1] ? 1 : 11
        let failed = 0
        for (let length = 0; length < bytes.length; length += step) {
          const outcome = outcomeOf(make(), [bytes.slice(0, length)])
          if (outcome.failure === undefined) {
            assert.deepStrictEqual([outcome.text, outcome.finish], [text, { finishReason, model }])
          } else {
            assert.strictEqual(outcome.failure.reason._tag, "InvalidAnswer")
            assert.isTrue(text.startsWith(outcome.text))
            failed++
          }
        }
        assert.isAbove(failed, bytes.length / step / 2)
      }
    }, 60_000)

    it("may be no streams at all, where a server answers as if it had not been asked for one", () => {
      for (const [, body, answer] of answers) assert.deepStrictEqual(read(body), wholeOf(answer))
    })

    it("fail at a page of a proxy", () => {
      const { reason, message } = failureIn("<!DOCTYPE html>\n<title>Sign in</title>\n<p>Please log in</p>\n")
      assert.deepInclude(reason, { _tag: "InvalidAnswer", status: 200 })
      assert.include(message, "Sign in Please log in")
    })

    it("fail at words that are no event", () => {
      const { reason, message } = failureIn("upstream connect error\n")
      assert.deepInclude(reason, { _tag: "InvalidAnswer", status: 200 })
      assert.include(message, "upstream connect error")
    })

    it("fail at an event that is not JSON", () => {
      const { reason, message } = failureIn('data: {"broken\n\n')
      assert.deepInclude(reason, { _tag: "InvalidAnswer", status: 200 })
      assert.include(message, "not JSON")
    })

    it("never show the credential or the endpoint's secret headers", () => {
      const headers = { "x-api-key": "other-secret" }
      for (const body of ["data: k-123 other-secret\n\n", "<p>k-123 other-secret</p>"]) {
        const { message } = failureIn(body, { headers })
        assert.include(message, "*** ***")
      }
    })
  }
}

/** Whether a dialect asks for a stream in a way that differs from how it asks for a whole answer. */
export const asksForStreams = (provider: Provider, request: Parameters<Provider["encode"]>[0]): boolean => {
  const answer = Result.getOrThrow(provider.encode(request, CREDENTIAL, "answer"))
  const stream = Result.getOrThrow(provider.encode(request, CREDENTIAL, "stream"))
  return answer.path + answer.body !== stream.path + stream.body
}
