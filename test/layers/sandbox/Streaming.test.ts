import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Agent, request } from "undici"
import { makeAnswer } from "../../../src/domain/sandbox/Answer.ts"
import type { SandboxInput } from "../../../src/domain/sandbox/SandboxOptions.ts"
import { start } from "./harness.ts"

const expected = makeAnswer(1, { texts: ["x"], maxTokens: undefined }, 64)

/** Starts a sandbox, and calls it for a streamed answer: gives what comes, and whether it ended as it should. */
const begin = Effect.fnUntraced(function* (input: SandboxInput = {}) {
  const { call, sandbox, statsWhen } = yield* start(input)
  const agent = yield* Effect.acquireRelease(
    Effect.sync(() => new Agent()),
    (agent) => Effect.promise(() => agent.destroy())
  )
  const body = JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "x" }] })
  const stream = (onChunk: () => void = () => undefined) =>
    Effect.promise(async (signal) => {
      const {
        statusCode,
        headers,
        body: answer
      } = await request(`${sandbox.url}/chat/completions`, {
        method: "POST",
        body,
        dispatcher: agent,
        signal
      })
      let text = ""
      const times: Array<number> = []
      try {
        for await (const chunk of answer) {
          text += String(chunk)
          times.push(performance.now())
          onChunk()
        }
        return { statusCode, headers, text, times, whole: true }
      } catch {
        return { statusCode, headers, text, times, whole: false }
      }
    })
  return { call, sandbox, statsWhen, stream }
})

/** The text that the events of an OpenAI stream make. */
const textOf = (events: string): string =>
  [...events.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, piece = '""']) => JSON.parse(piece)).join("")

describe("streamed answers", () => {
  it.live("come piece by piece, over the time that an answer in one piece takes", () =>
    Effect.gen(function* () {
      const { stream, statsWhen } = yield* begin({ latency: "fixed:400ms", streamChunks: 4 })
      const began = performance.now()
      const { statusCode, headers, text, times, whole } = yield* stream()
      assert.deepStrictEqual([statusCode, whole], [200, true])
      assert.match(String(headers["content-type"]), /^text\/event-stream/)
      assert.match(String(headers["x-request-id"]), /^req_/)
      assert.strictEqual(textOf(text), expected.text)
      assert.isTrue(text.endsWith("data: [DONE]\n\n"))
      // Five frames, one each 80 ms.
      assert.isAtLeast(times.length, 3)
      assert.isAtLeast(times[0]! - began, 75)
      assert.isAtLeast(times.at(-1)! - began, 395)
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.deepStrictEqual(stats.answered, { 200: 1 })
      assert.strictEqual(stats.completionTokens, expected.completionTokens)
      const { promptTokens: input, completionTokens: output } = expected
      assert.deepStrictEqual(stats.maxTokensPerSlidingMinute, { input, output, total: input + output })
      assert.deepStrictEqual(
        stats.tokensPerMinute.map(([, ...tokens]) => tokens),
        [[input, output]]
      )
      assert.deepStrictEqual(
        stats.perTenth.map(([, count]) => count),
        [1]
      )
    })
  )

  it.live("come at the delay that is set once the latency has passed", () =>
    Effect.gen(function* () {
      const { stream } = yield* begin({ latency: "fixed:100ms", chunkDelay: "30ms", streamChunks: 3 })
      const began = performance.now()
      const { text, times } = yield* stream()
      assert.strictEqual(textOf(text), expected.text)
      assert.isAtLeast(times[0]! - began, 95)
      assert.isAtLeast(times.at(-1)! - began, 185)
    })
  )

  it.live("are the same for the same seed and prompt, whole or in pieces, and at once without a latency", () =>
    Effect.gen(function* () {
      const { call, stream } = yield* begin()
      const whole = JSON.parse((yield* call("x")).body)
      assert.strictEqual(textOf((yield* stream()).text), whole.choices[0].message.content)
    })
  )

  const broken = [
    ["reset", false],
    ["truncated", true],
    ["stream-error", true]
  ] as const
  for (const [fault, whole] of broken) {
    it.live(`${fault}: half of the answer comes first`, () =>
      Effect.gen(function* () {
        const { stream, statsWhen } = yield* begin({ failures: `${fault}=1` })
        const answer = yield* stream()
        assert.deepStrictEqual([answer.statusCode, answer.whole], [200, whole])
        const text = textOf(answer.text)
        assert.isTrue(text.length > 0 && text.length < expected.text.length && expected.text.startsWith(text))
        assert.strictEqual(answer.text.includes('data: {"error":{'), fault === "stream-error")
        assert.notInclude(answer.text, "[DONE]")
        const stats = yield* statsWhen((stats) => stats.inflight === 0)
        assert.deepStrictEqual(stats.faults, { [fault]: 1 })
        assert.deepStrictEqual(stats.answered, fault === "reset" ? {} : { 200: 1 })
        assert.deepStrictEqual([stats.aborted, stats.completionTokens], [0, 0])
      })
    )
  }

  it.live("empty: status 200 and no event at all", () =>
    Effect.gen(function* () {
      const { stream } = yield* begin({ failures: "empty=1" })
      const { statusCode, text, whole } = yield* stream()
      assert.deepStrictEqual([statusCode, text, whole], [200, "", true])
    })
  )

  it.live("stall-body: half of the answer, then nothing more; the client that leaves counts as aborted", () =>
    Effect.gen(function* () {
      const { stream, statsWhen } = yield* begin({ failures: "stall-body=1" })
      let chunks = 0
      const waiting = yield* Effect.forkChild(
        stream(() => {
          chunks += 1
        }),
        { startImmediately: true }
      )
      yield* statsWhen(() => chunks > 0)
      assert.strictEqual((yield* statsWhen((stats) => stats.faults["stall-body"] === 1)).inflight, 1)
      yield* Fiber.interrupt(waiting)
      assert.strictEqual((yield* statsWhen((stats) => stats.inflight === 0)).aborted, 1)
    })
  )

  it.live("end when the client leaves in the middle", () =>
    Effect.gen(function* () {
      const { stream, statsWhen } = yield* begin({ latency: "fixed:1h", streamChunks: 10_000 })
      const waiting = yield* Effect.forkChild(stream(), { startImmediately: true })
      yield* statsWhen((stats) => stats.inflight === 1)
      yield* Fiber.interrupt(waiting)
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.deepStrictEqual([stats.aborted, stats.answered, stats.promptTokens], [1, {}, 0])
    })
  )

  it.live("stream-error: what is not streamed is refused as overloaded", () =>
    Effect.gen(function* () {
      const { call } = yield* begin({ failures: "stream-error=1" })
      assert.strictEqual((yield* call("x")).status, 503)
    })
  )
})
