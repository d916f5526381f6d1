import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import type { GenAiError } from "../../../src/domain/genai/GenAiError.ts"
import { layer } from "../../../src/layers/genai/DispatchedGenAiClient.ts"
import * as HttpClientTransport from "../../../src/layers/transport/HttpClientTransport.ts"
import { GenAiClient } from "../../../src/services/GenAiClient.ts"
import type { Transport, TransportError } from "../../../src/services/Transport.ts"
import { config, endpoint } from "../../support/Config.ts"
import { settle } from "../dispatch/Gates.ts"
import { answer, finish, pieces, refusal, reset, StreamTransport, text, usage } from "./StreamFakes.ts"

const east = endpoint({ name: "east" })
const west = endpoint({ name: "west" })
const request = { messages: [{ role: "user" as const, content: "hi" }] }

const withClient = <A, E>(
  settings: DispatcherConfig,
  transport: Layer.Layer<Transport>,
  use: (client: GenAiClient["Service"]) => Effect.Effect<A, E>
) => Effect.flatMap(GenAiClient, use).pipe(Effect.provide(layer(settings).pipe(Layer.provide(transport))))

/** Runs an effect while the clock goes on by itself, a second at a time, at most ten minutes. */
const inTime = Effect.fnUntraced(function* <A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(effect)
  for (let second = 0; second < 660 && fiber.pollUnsafe() === undefined; second++) {
    yield* settle
    yield* TestClock.adjust("1 second")
  }
  return yield* Fiber.join(fiber)
})

/** Reads a stream to its end or failure. */
const read = (stream: Stream.Stream<ChatEvent, GenAiError>) =>
  Effect.gen(function* () {
    const events: Array<ChatEvent> = []
    const error = yield* Stream.runForEach(stream, (event) => Effect.sync(() => void events.push(event))).pipe(
      Effect.as(undefined),
      Effect.catch((error) => Effect.succeed(error))
    )
    return { events, error, text: events.map((event) => (event._tag === "TextDelta" ? event.text : "")).join("") }
  })

/** What must hold when nothing is under way: no slot is held, and every send has come to exactly one end. */
const assertAtRest = Effect.fnUntraced(function* (client: GenAiClient["Service"], transport: StreamTransport) {
  const stats = yield* client.stats
  for (const one of stats) {
    const failed = Object.values(one.failures).reduce((sum, count) => sum + count, 0)
    assert.deepInclude(one, { inflight: 0, queueLen: 0, sent: one.succeeded + failed + one.aborted })
    assert.strictEqual(one.latency.count, one.succeeded)
  }
  assert.strictEqual(
    stats.reduce((sum, one) => sum + one.sent, 0),
    transport.sent.length
  )
  assert.strictEqual(transport.open, 0)
  return stats
})

describe("stream", () => {
  it.effect("gives text, usage and last the finish, as they come", () => {
    const transport = new StreamTransport(() => answer(pieces(text("Hel"), text("lo"), finish)))
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const { events } = yield* read(client.stream(request))
        assert.deepStrictEqual(events, [
          { _tag: "TextDelta", text: "Hel" },
          { _tag: "TextDelta", text: "lo" },
          { _tag: "UsageReport", usage: { inputTokens: 7, outputTokens: 3, totalTokens: 10 } },
          { _tag: "Finish", finishReason: "stop", model: "test-model-1" }
        ])
        assert.include(transport.requests[0]?.body, `"stream":true`)
        const [stats] = yield* assertAtRest(client, transport)
        assert.deepInclude(stats, { sent: 1, succeeded: 1, aborted: 0, inputTokens: 7, outputTokens: 3 })
      })
    )
  })

  it.effect("hands an event on before the next one has come", () => {
    const more = Deferred.makeUnsafe<void>()
    const body = Stream.concat(
      pieces(text("one")),
      Stream.unwrap(Effect.as(Deferred.await(more), pieces(text("two"), finish)))
    )
    const transport = new StreamTransport(() => answer(body))
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const texts: Array<string> = []
        // The endpoint says no more until the first word has been handed on.
        yield* Stream.runForEach(client.stream(request), (event) => {
          if (event._tag === "TextDelta") texts.push(event.text)
          return Deferred.succeed(more, undefined)
        })
        assert.deepStrictEqual(texts, ["one", "two"])
      })
    )
  })

  it.effect("sends nothing until it is run, and a request for each run", () => {
    const transport = new StreamTransport(() => answer(pieces(text("a"), finish)))
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const stream = client.stream(request)
        yield* settle
        assert.strictEqual(transport.sent.length, 0)
        assert.strictEqual((yield* read(stream)).text, "a")
        assert.strictEqual((yield* read(stream)).text, "a")
        assert.strictEqual(transport.sent.length, 2)
      })
    )
  })
})

describe("before an answer has begun", () => {
  const beginnings: ReadonlyArray<[what: string, reason: string, opening: () => ReturnType<typeof answer>]> = [
    ["a refusal", "Overloaded", () => refusal(503)],
    ["a connection that fails", "ConnectionFailed", () => Effect.fail(reset)],
    ["a connection that breaks before the first event", "ConnectionFailed", () => answer(Stream.fail(reset))],
    [
      "an error in place of the first event",
      "Overloaded",
      () => answer(pieces(`data: {"error":{"message":"x","code":503}}\n\n`))
    ],
    ["an answer that ends before it begins", "InvalidAnswer", () => answer(pieces(""))],
    [
      "a failure after nothing but usage",
      "ConnectionFailed",
      () => answer(Stream.concat(pieces(usage), Stream.fail(reset)))
    ],
    [
      "a failure that comes together with the first text",
      "InvalidAnswer",
      () => answer(pieces(`${text("lost")}data: {oops\n\n`))
    ]
  ]
  for (const [what, reason, opening] of beginnings) {
    it.effect(`${what} is followed by another attempt elsewhere`, () => {
      const transport = new StreamTransport((name) =>
        name === "east" ? opening() : answer(pieces(text("hello"), finish))
      )
      return withClient(
        config([east, west]),
        transport.layer,
        Effect.fnUntraced(function* (client) {
          const { events, text } = yield* inTime(read(client.stream(request)))
          assert.strictEqual(text, "hello")
          assert.strictEqual(events.filter((event) => event._tag === "UsageReport").length, 1)
          assert.deepStrictEqual(transport.sent, ["east", "west"])
          const [first, second] = yield* assertAtRest(client, transport)
          assert.deepStrictEqual([first?.failures, second?.succeeded], [{ [reason]: 1 }, 1])
        })
      )
    })
  }

  it.effect("gives up after maxAttempts, with the last reason and the count", () => {
    const transport = new StreamTransport(() => refusal(503))
    return withClient(
      config([east, west], { maxAttempts: 3 }),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const { error } = yield* inTime(read(client.stream(request)))
        assert.deepStrictEqual([error?.reason._tag, error?.attempts], ["Overloaded", 3])
        yield* assertAtRest(client, transport)
      })
    )
  })

  it.effect("a wrong request is not tried again", () => {
    const transport = new StreamTransport(() => refusal(400, { message: "max_tokens is too large" }))
    return withClient(
      config([east, west]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const { error } = yield* read(client.stream(request))
        assert.strictEqual(error?.reason._tag, "InvalidRequest")
        assert.include(error?.message, "max_tokens is too large")
        assert.strictEqual(transport.sent.length, 1)
      })
    )
  })

  it.effect("the deadline ends waiting and trying", () => {
    const transport = new StreamTransport(() => Effect.never)
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(read(client.stream(request, { deadline: "5 seconds" })))
        yield* settle
        yield* TestClock.adjust("4999 millis")
        assert.isUndefined(reading.pollUnsafe())
        yield* TestClock.adjust("1 millis")
        const { error } = yield* Fiber.join(reading)
        assert.deepInclude(error?.reason, { _tag: "DeadlineExceeded", deadlineMs: 5_000 })
        const [stats] = yield* assertAtRest(client, transport)
        assert.strictEqual(stats?.aborted, 1)
      })
    )
  })
})

describe("once an answer has begun", () => {
  for (const [what, reason, rest] of [
    ["a connection that breaks", "ConnectionFailed", Stream.fail(reset)],
    ["an error event", "Overloaded", pieces(`data: {"error":{"message":"x","code":503}}\n\n`)],
    ["an early end", "InvalidAnswer", Stream.empty]
  ] as const) {
    it.effect(`${what} ends the stream with the error, and nothing is sent again`, () => {
      const transport = new StreamTransport(() => answer(Stream.concat(pieces(text("Once upon")), rest)))
      return withClient(
        config([east, west]),
        transport.layer,
        Effect.fnUntraced(function* (client) {
          const { text, error } = yield* inTime(read(client.stream(request)))
          assert.strictEqual(text, "Once upon")
          assert.deepInclude(error, { endpoint: "east", attempts: 1 })
          assert.strictEqual(error?.reason._tag, reason)
          assert.deepStrictEqual(transport.sent, ["east"])
          const [stats] = yield* assertAtRest(client, transport)
          assert.deepStrictEqual(stats?.failures, { [reason]: 1 })
        })
      )
    })
  }

  it.effect("the deadline ends the stream, aborts the request and gives the slot back", () => {
    const transport = new StreamTransport(() => answer(Stream.concat(pieces(text("slow")), Stream.never)))
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(
          Effect.flip(
            Stream.runForEach(client.stream(request, { deadline: "5 seconds" }), () => Effect.sleep("1 hour"))
          )
        )
        yield* settle
        assert.strictEqual(transport.open, 1)
        yield* TestClock.adjust("5 seconds")
        // The reader is still busy with the first event.
        assert.isUndefined(reading.pollUnsafe())
        const [stats] = yield* assertAtRest(client, transport)
        assert.strictEqual(stats?.aborted, 1)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* Fiber.join(reading)).reason._tag, "DeadlineExceeded")
      })
    )
  })

  it.effect("the deadline is no failure of the endpoint, even if a reader waits and learns of the end first", () => {
    const opening = Effect.gen(function* () {
      let wake: ((next: Effect.Effect<never, TransportError>) => void) | undefined
      yield* Effect.addFinalizer(() => Effect.sync(() => wake?.(Effect.fail(reset))))
      const waiting = Effect.callback<never, TransportError>((resume) => {
        wake = resume
      })
      return yield* answer(Stream.concat(pieces(text("Once")), Stream.fromEffect(waiting)))
    })
    const transport = new StreamTransport(() => opening)
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(read(client.stream(request, { deadline: "5 seconds" })))
        yield* settle
        yield* TestClock.adjust("5 seconds")
        const { text, error } = yield* Fiber.join(reading)
        assert.deepStrictEqual([text, error?.reason._tag], ["Once", "DeadlineExceeded"])
        const [stats] = yield* assertAtRest(client, transport)
        assert.deepInclude(stats, { sent: 1, aborted: 1, failures: {} })
      })
    )
  })

  it.effect("the slot is held until the end of the stream", () => {
    const ends = [Deferred.makeUnsafe<void>(), Deferred.makeUnsafe<void>()]
    const transport = new StreamTransport((_, send) =>
      answer(
        Stream.concat(pieces(text("a")), Stream.unwrap(Effect.as(Deferred.await(ends[send - 1]!), pieces(finish))))
      )
    )
    return withClient(
      config([endpoint({ name: "east", concurrency: 1 })]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const first = yield* Effect.forkChild(read(client.stream(request)))
        const second = yield* Effect.forkChild(read(client.stream(request)))
        yield* settle
        assert.strictEqual(transport.sent.length, 1)
        yield* Deferred.succeed(ends[0]!, undefined)
        yield* Fiber.join(first)
        yield* settle
        assert.strictEqual(transport.sent.length, 2)
        yield* Deferred.succeed(ends[1]!, undefined)
        yield* Fiber.join(second)
        yield* assertAtRest(client, transport)
      })
    )
  })

  it.effect("the slot comes back when the reader has enough, is interrupted, or dies", () => {
    const transport = new StreamTransport(() => answer(Stream.concat(pieces(text("a")), Stream.never)))
    return withClient(
      config([endpoint({ name: "east", concurrency: 1 })]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        yield* Stream.runDrain(Stream.take(client.stream(request), 1))
        yield* Effect.exit(Stream.runForEach(client.stream(request), () => Effect.die("a defect")))
        const reading = yield* Effect.forkChild(read(client.stream(request)))
        yield* settle
        yield* Fiber.interrupt(reading)
        const [stats] = yield* assertAtRest(client, transport)
        assert.deepInclude(stats, { sent: 3, aborted: 3 })
      })
    )
  })

  it.effect("an answer that is whole is a success, whatever becomes of its connection", () => {
    const transport = new StreamTransport((_, send) =>
      answer(Stream.concat(pieces(text("a"), finish), send === 1 ? Stream.fail(reset) : Stream.never))
    )
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        for (let i = 0; i < 2; i++) {
          const { error, text } = yield* inTime(read(client.stream(request)))
          assert.deepStrictEqual([text, error], ["a", undefined])
        }
        const [stats] = yield* assertAtRest(client, transport)
        assert.deepInclude(stats, { sent: 2, succeeded: 2, failures: {} })
      })
    )
  })
})

describe("an endpoint that says nothing", () => {
  const silentAfter = (said: string) =>
    HttpClient.make((sent, url) =>
      Effect.sync(() => {
        const isEast = url.hostname.startsWith("east")
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => {
            controller.enqueue(Buffer.from(isEast ? said : text("hello") + finish))
            if (!isEast) controller.close()
          }
        })
        return HttpClientResponse.fromWeb(sent, new Response(body))
      })
    )
  const over = (client: HttpClient.HttpClient) =>
    Layer.provide(HttpClientTransport.layer, Layer.succeed(HttpClient.HttpClient, client))

  it.effect("is left after the idle limit for another one when nothing has been handed on", () =>
    withClient(
      config([east, west]),
      over(silentAfter(": ping\n\n")),
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(read(client.stream(request)))
        yield* settle
        yield* TestClock.adjust(east.timeouts.idleMs - 1)
        assert.deepStrictEqual((yield* client.stats)[0]?.failures, {})
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* inTime(Fiber.join(reading))).text, "hello")
        assert.deepStrictEqual((yield* client.stats)[0]?.failures, { TimedOut: 1 })
      })
    )
  )

  it.effect("ends the stream after the idle limit when it had begun", () =>
    withClient(
      config([east, west]),
      over(silentAfter(text("Once"))),
      Effect.fnUntraced(function* (client) {
        const { text, error } = yield* inTime(read(client.stream(request)))
        assert.strictEqual(text, "Once")
        assert.deepInclude(error?.reason, { _tag: "TimedOut", phase: "idle", limitMs: east.timeouts.idleMs })
      })
    )
  )

  it.effect("counts as aborted, not as failed, when the deadline comes first", () =>
    withClient(
      config([east]),
      over(silentAfter(text("Once"))),
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(read(client.stream(request, { deadline: "5 seconds" })))
        yield* settle
        yield* TestClock.adjust("5 seconds")
        const { text, error } = yield* Fiber.join(reading)
        assert.deepStrictEqual([text, error?.reason._tag], ["Once", "DeadlineExceeded"])
        assert.deepInclude((yield* client.stats)[0], { sent: 1, aborted: 1, failures: {}, inflight: 0 })
      })
    )
  )
})

describe("a token limit", () => {
  const limited = config([endpoint({ name: "east", limits: { tokensPerMinute: 1_000 } })])
  // Each may take some 500 tokens.
  const long = { ...request, maxTokens: 500 }

  for (const [what, transport] of [
    ["what streams have used", new StreamTransport(() => answer(pieces(text("a"), finish)))],
    ["nothing for streams that were refused", new StreamTransport(() => refusal(400))]
  ] as const) {
    it.effect(`counts ${what}`, () =>
      withClient(
        limited,
        transport.layer,
        Effect.fnUntraced(function* (client) {
          yield* inTime(Effect.forEach(Array.from({ length: 20 }), () => read(client.stream(long)), { discard: true }))
          assert.strictEqual(transport.sent.length, 20)
          assert.isBelow(yield* Clock.currentTimeMillis, 120_000)
        })
      )
    )
  }
})

describe("drain", () => {
  it.effect("refuses new streams and waits for those that are there", () => {
    const end = Deferred.makeUnsafe<void>()
    const transport = new StreamTransport(() =>
      answer(Stream.concat(pieces(text("a")), Stream.unwrap(Effect.as(Deferred.await(end), pieces(finish)))))
    )
    return withClient(
      config([east]),
      transport.layer,
      Effect.fnUntraced(function* (client) {
        const reading = yield* Effect.forkChild(read(client.stream(request)))
        yield* settle
        const drained = yield* Effect.forkChild(client.drain({ timeout: "1 minute" }))
        yield* settle
        const { error } = yield* read(client.stream(request))
        assert.deepInclude(error?.reason, { _tag: "Rejected", cause: "Draining" })
        assert.isUndefined(drained.pollUnsafe())
        yield* Deferred.succeed(end, undefined)
        assert.isTrue(yield* Fiber.join(drained))
        assert.strictEqual((yield* Fiber.join(reading)).error, undefined)
      })
    )
  })
})
