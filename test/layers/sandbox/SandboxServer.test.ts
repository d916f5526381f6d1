import { createHash } from "node:crypto"
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Redacted, Result, Schedule, Schema, Scope } from "effect"
import { makeAnswer } from "../../../src/domain/sandbox/Answer.ts"
import { fateOf } from "../../../src/domain/sandbox/Fate.ts"
import { settleOptions } from "../../../src/domain/sandbox/SandboxOptions.ts"
import * as SandboxServer from "../../../src/layers/sandbox/SandboxServer.ts"
import { Sandbox } from "../../../src/services/Sandbox.ts"
import { errorOf, start } from "./harness.ts"

const Completion = Schema.fromJsonString(
  Schema.Struct({
    object: Schema.Literal("chat.completion"),
    model: Schema.String,
    choices: Schema.Tuple([
      Schema.Struct({
        message: Schema.Struct({ role: Schema.Literal("assistant"), content: Schema.String }),
        finish_reason: Schema.Literals(["stop", "length"])
      })
    ]),
    usage: Schema.Struct({ prompt_tokens: Schema.Int, completion_tokens: Schema.Int, total_tokens: Schema.Int })
  })
)
const decodeCompletion = Schema.decodeUnknownEffect(Completion)

const labelOf = (key: string) => `sha256:${createHash("sha256").update(key).digest("hex").slice(0, 12)}`
const times = (count: number) => Array.from({ length: count }, (_, index) => index)

/** A call as bytes, for sockets without a client. */
const rawCall = (() => {
  const body = JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }] })
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`
})()

describe("SandboxServer", () => {
  it.live("answers chat completions as OpenAI does, the same for the same seed and prompt", () =>
    Effect.gen(function* () {
      const { call, sandbox, statsWhen } = yield* start({ seed: 5, answerTokens: 20 })
      assert.strictEqual(sandbox.url, `http://127.0.0.1:${sandbox.port}/v1`)
      const answer = yield* call("Why is the sky blue?", { key: "sk-abc", model: 'a "model"' })
      assert.strictEqual(answer.status, 200)
      assert.strictEqual(answer.headers["content-type"], "application/json")
      assert.match(String(answer.headers["x-request-id"]), /^req_[0-9a-f]{32}$/)
      const completion = yield* decodeCompletion(answer.body)
      const expected = makeAnswer(5, { texts: ["Why is the sky blue?"], maxTokens: undefined }, 20)
      assert.strictEqual(completion.model, 'a "model"')
      assert.strictEqual(completion.choices[0].message.content, expected.text)
      assert.strictEqual(completion.usage.completion_tokens, expected.completionTokens)
      assert.strictEqual(completion.usage.total_tokens, expected.promptTokens + expected.completionTokens)
      const again = yield* decodeCompletion((yield* call("Why is the sky blue?")).body)
      assert.deepStrictEqual(again.choices, completion.choices)
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.deepStrictEqual(stats.perKey, { [labelOf("sk-abc")]: 1, none: 1 })
      assert.strictEqual(stats.completionTokens, 2 * expected.completionTokens)
      assert.deepStrictEqual(yield* sandbox.stats, stats)
    })
  )

  it.live("gives the n-th arrival the fate that seed and n decide, and the same again after a reset", () =>
    Effect.gen(function* () {
      const input = { seed: 11, failures: "429=0.2,500=0.2,529=0.2,html=0.2" }
      const { call, send } = yield* start(input)
      const statuses = Effect.forEach(times(40), (index) => Effect.map(call(`${index}`), (answer) => answer.status))
      const options = Result.getOrThrow(settleOptions(input))
      const byFault = new Map([
        ["429", 429],
        ["500", 500],
        ["529", 529],
        ["html", 502]
      ])
      const expected = times(40).map((arrival) => byFault.get(fateOf(options, arrival).fault ?? "") ?? 200)
      assert.deepStrictEqual(yield* statuses, expected)
      assert.strictEqual((yield* send("/stats/reset", { method: "POST" })).status, 200)
      assert.deepStrictEqual(yield* statuses, expected)
    })
  )

  it.live("takes the time that the latency says, for all requests at once", () =>
    Effect.gen(function* () {
      const { call, statsWhen } = yield* start({ latency: "fixed:200ms" })
      const [elapsed, answers] = yield* Effect.timed(
        Effect.forEach(times(20), (index) => call(`${index}`), { concurrency: "unbounded" })
      )
      assert.isTrue(answers.every((answer) => answer.status === 200))
      assert.strictEqual(answers[0]?.headers["openai-processing-ms"], "200")
      // Timers count whole milliseconds and may be one early. One after the other would have taken 4,000.
      assert.isAtLeast(Duration.toMillis(elapsed), 198)
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.strictEqual(stats.maxInflight, 20)
    })
  )

  describe("failures", () => {
    const refusals = [
      ["429", 429, "requests", "rate_limit_exceeded"],
      ["429-retry-after", 429, "requests", "rate_limit_exceeded"],
      ["500", 500, "server_error", null],
      ["503", 503, "server_error", "overloaded"],
      ["529", 529, "server_error", "overloaded"]
    ] as const
    for (const [name, status, type, code] of refusals) {
      it.live(`${name}: an OpenAI error body with status ${status}`, () =>
        Effect.gen(function* () {
          const { call, statsWhen } = yield* start({ failures: `${name}=1`, retryAfter: "1500ms" })
          const answer = yield* call("x")
          assert.strictEqual(answer.status, status)
          assert.deepInclude(errorOf(answer), { type, code, param: null })
          const hinted = name === "429-retry-after"
          assert.strictEqual(answer.headers["retry-after"], hinted ? "2" : undefined)
          assert.strictEqual(answer.headers["retry-after-ms"], hinted ? "1500" : undefined)
          const stats = yield* statsWhen((stats) => stats.inflight === 0)
          assert.deepStrictEqual(stats.faults, { [name]: 1 })
          assert.deepStrictEqual(stats.answered, { [status]: 1 })
          assert.strictEqual(stats.rateLimited, 0)
          assert.strictEqual(stats.promptTokens, 0)
        })
      )
    }

    it.live("html: a proxy's page with status 502", () =>
      Effect.gen(function* () {
        const { call } = yield* start({ failures: "html=1" })
        const answer = yield* call("x")
        assert.strictEqual(answer.status, 502)
        assert.strictEqual(answer.headers["content-type"], "text/html")
        assert.include(answer.body, "<h1>502 Bad Gateway</h1>")
      })
    )

    it.live("truncated: a whole HTTP answer whose JSON ends in the middle", () =>
      Effect.gen(function* () {
        const { call, statsWhen } = yield* start({ failures: "truncated=1" })
        const answer = yield* call("x")
        assert.strictEqual(answer.status, 200)
        assert.strictEqual(answer.headers["content-length"], String(Buffer.byteLength(answer.body)))
        assert.match(answer.body, /^\{"id":"chatcmpl-/)
        assert.throws(() => JSON.parse(answer.body))
        const stats = yield* statsWhen((stats) => stats.inflight === 0)
        assert.deepStrictEqual([stats.answered, stats.completionTokens], [{ 200: 1 }, 0])
      })
    )

    it.live("empty: status 200 without a body", () =>
      Effect.gen(function* () {
        const { call } = yield* start({ failures: "empty=1" })
        const answer = yield* call("x")
        assert.deepStrictEqual([answer.status, answer.body], [200, ""])
      })
    )

    it.live("reset: the connection is reset, which is no abort", () =>
      Effect.gen(function* () {
        const { call, statsWhen } = yield* start({ failures: "reset=1" })
        const error = yield* Effect.flip(call("x"))
        assert.strictEqual(error.code, "ECONNRESET")
        const stats = yield* statsWhen((stats) => stats.inflight === 0)
        assert.deepStrictEqual([stats.faults, stats.aborted, stats.answered], [{ reset: 1 }, 0, {}])
      })
    )

    it.live("stall: no answer at all; the client that leaves counts as aborted", () =>
      Effect.gen(function* () {
        const { call, statsWhen } = yield* start({ failures: "stall=1" })
        const waiting = yield* Effect.forkChild(call("x"), { startImmediately: true })
        const before = yield* statsWhen((stats) => stats.faults["stall"] === 1)
        assert.deepStrictEqual([before.inflight, before.aborted], [1, 0])
        yield* Fiber.interrupt(waiting)
        const after = yield* statsWhen((stats) => stats.inflight === 0)
        assert.deepStrictEqual([after.received, after.aborted, after.answered], [1, 1, {}])
      })
    )

    it.live("stall-body: head and half of the body, then nothing more", () =>
      Effect.gen(function* () {
        const { sandbox, statsWhen } = yield* start({ failures: "stall-body=1" })
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => connect(sandbox.port, "127.0.0.1")),
          (socket) => Effect.sync(() => socket.destroy())
        )
        socket.write(rawCall)
        const received = yield* Effect.callback<string>((resume) => {
          let text = ""
          socket.on("data", (chunk) => {
            text += chunk.toString()
            if (text.includes('"choices"')) resume(Effect.succeed(text))
          })
        })
        const length = Number(/content-length: (\d+)/.exec(received)?.[1])
        const sent = received.slice(received.indexOf("\r\n\r\n") + 4)
        assert.match(received, /^HTTP\/1\.1 200 OK/)
        assert.strictEqual(sent.length, Math.ceil(length / 2))
        assert.strictEqual((yield* statsWhen((stats) => stats.faults["stall-body"] === 1)).inflight, 1)
        socket.destroy()
        assert.strictEqual((yield* statsWhen((stats) => stats.inflight === 0)).aborted, 1)
      })
    )
  })

  it.live("counts a client that leaves before the answer as aborted, and answers it no more", () =>
    Effect.gen(function* () {
      const { call, statsWhen } = yield* start({ latency: "fixed:1h" })
      const waiting = yield* Effect.forEach(times(5), (index) =>
        Effect.forkChild(call(`${index}`), { startImmediately: true })
      )
      assert.strictEqual((yield* statsWhen((stats) => stats.inflight === 5)).aborted, 0)
      yield* Fiber.interruptAll(waiting.slice(0, 3))
      const stats = yield* statsWhen((stats) => stats.inflight === 2)
      assert.deepStrictEqual([stats.received, stats.aborted, stats.maxInflight], [5, 3, 5])
    })
  )

  it.live("makes up no failure for a client that has left", () =>
    Effect.gen(function* () {
      const { call, statsWhen } = yield* start({ latency: "fixed:100ms", failures: "500=1" })
      const waiting = yield* Effect.forkChild(call("a"), { startImmediately: true })
      yield* statsWhen((stats) => stats.inflight === 1)
      yield* Fiber.interrupt(waiting)
      yield* statsWhen((stats) => stats.aborted === 1)
      // Takes as long as the first would have taken, and starts later.
      assert.strictEqual((yield* call("b")).status, 500)
      assert.deepStrictEqual((yield* statsWhen((stats) => stats.inflight === 0)).faults, { 500: 1 })
    })
  )

  it.live("counts every pipelined request of a connection that breaks", () =>
    Effect.gen(function* () {
      const { sandbox, statsWhen } = yield* start({ latency: "fixed:1h" })
      const socket = connect(sandbox.port, "127.0.0.1")
      socket.write(rawCall.repeat(3))
      yield* statsWhen((stats) => stats.inflight === 3)
      socket.destroy()
      assert.strictEqual((yield* statsWhen((stats) => stats.inflight === 0)).aborted, 3)
    })
  )

  describe("limits", () => {
    it.live("admits exactly as many requests as its rate limit allows, and says when to come back", () =>
      Effect.gen(function* () {
        const { call, statsWhen } = yield* start({ requestsPerMinute: 10 })
        const answers = yield* Effect.forEach(times(30), (index) => call(`${index}`), { concurrency: 30 })
        const admitted = answers.filter((answer) => answer.status === 200)
        const refused = answers.filter((answer) => answer.status === 429)
        assert.deepStrictEqual([admitted.length, refused.length], [10, 20])
        for (const answer of refused) {
          assert.deepInclude(errorOf(answer), { type: "requests", code: "rate_limit_exceeded" })
          assert.match(errorOf(answer).message, /on requests per min \(RPM\): Limit 10, Used 10, Requested 1/)
          const seconds = Number(answer.headers["retry-after"])
          assert.isTrue(seconds >= 1 && seconds <= 60 && Number.isInteger(seconds))
          assert.strictEqual(answer.headers["x-ratelimit-remaining-requests"], "0")
        }
        const remaining = admitted.map((answer) => Number(answer.headers["x-ratelimit-remaining-requests"]))
        assert.deepStrictEqual(
          remaining.sort((left, right) => left - right),
          times(10)
        )
        assert.strictEqual(admitted[0]?.headers["x-ratelimit-limit-requests"], "10")
        assert.match(String(admitted[0]?.headers["x-ratelimit-reset-requests"]), /^(1m0s|59.*s)$/)
        const stats = yield* statsWhen((stats) => stats.inflight === 0)
        assert.deepStrictEqual([stats.rateLimited, stats.answered], [20, { 200: 10, 429: 20 }])
      })
    )

    it.live("admits a request again once it has waited as long as it was told", () =>
      Effect.gen(function* () {
        const { call } = yield* start({ requestsPerSecond: 1 })
        assert.strictEqual((yield* call("a")).status, 200)
        const refused = yield* call("b")
        assert.strictEqual(refused.status, 429)
        const waitMs = Number(refused.headers["retry-after-ms"] ?? 1000 * Number(refused.headers["retry-after"]))
        assert.isTrue(waitMs > 0 && waitMs <= 1000)
        yield* Effect.sleep(waitMs)
        assert.strictEqual((yield* call("b")).status, 200)
      })
    )

    it.live("sends no rate limit headers without a limit", () =>
      Effect.gen(function* () {
        const { call } = yield* start()
        const names = Object.keys((yield* call("a")).headers)
        assert.isFalse(names.some((name) => name.startsWith("x-ratelimit")))
      })
    )

    it.live("answers 503 above its concurrency, and admits again when others have left", () =>
      Effect.gen(function* () {
        const { call, statsWhen } = yield* start({ maxConcurrency: 2, failures: "stall=1" })
        const waiting = yield* Effect.forEach(times(2), () => Effect.forkChild(call("x"), { startImmediately: true }))
        yield* statsWhen((stats) => stats.inflight === 2)
        const refused = yield* call("x")
        assert.strictEqual(refused.status, 503)
        assert.strictEqual(errorOf(refused).code, "overloaded")
        yield* Fiber.interruptAll(waiting)
        yield* statsWhen((stats) => stats.inflight === 0)
        yield* Effect.forkChild(call("x"), { startImmediately: true })
        const stats = yield* statsWhen((stats) => stats.faults["stall"] === 3)
        assert.strictEqual(stats.overloaded, 1)
      })
    )

    it.live("accepts its API keys only, and shows none", () =>
      Effect.gen(function* () {
        const apiKeys = [Redacted.make("sk-first-key"), Redacted.make("sk-second-key")]
        const { call, send } = yield* start({ apiKeys, requestsPerMinute: 2 })
        const wrong = yield* call("x", { key: "sk-wrong-key" })
        assert.strictEqual(wrong.status, 401)
        assert.deepInclude(errorOf(wrong), { type: "invalid_request_error", code: "invalid_api_key" })
        const missing = yield* call("x")
        assert.strictEqual(missing.status, 401)
        assert.isNull(errorOf(missing).code)
        // Refused keys do not use up the rate limit.
        assert.strictEqual((yield* call("x", { key: "sk-first-key" })).status, 200)
        assert.strictEqual((yield* call("x", { key: "sk-second-key" })).status, 200)
        const stats = yield* send("/stats")
        assert.notInclude(stats.body + wrong.body, "-key")
        assert.include(stats.body, `"${labelOf("sk-second-key")}":1`)
      })
    )

    it.live("has the models that it was given", () =>
      Effect.gen(function* () {
        const { call, send } = yield* start({ models: ["small", "large"] })
        assert.strictEqual((yield* call("x", { model: "large" })).status, 200)
        const unknown = yield* call("x", { model: "huge" })
        assert.strictEqual(unknown.status, 404)
        assert.strictEqual(errorOf(unknown).code, "model_not_found")
        const models = yield* send("/v1/models")
        assert.deepStrictEqual(
          JSON.parse(models.body).data.map((model: { readonly id: string }) => model.id),
          ["small", "large"]
        )
      })
    )
  })

  it.live("refuses wrong requests with OpenAI's errors", () =>
    Effect.gen(function* () {
      const { call, send, statsWhen } = yield* start({ failures: "500=1" })
      const badJson = yield* call("", { body: "{" })
      assert.strictEqual(badJson.status, 400)
      assert.include(errorOf(badJson).message, "not valid JSON")
      const noModel = yield* call("", { body: '{"messages":[]}' })
      assert.strictEqual(errorOf(noModel).message, "you must provide a model parameter")
      const get = yield* send("/v1/chat/completions")
      assert.deepStrictEqual([get.status, get.headers["allow"]], [405, "POST"])
      assert.strictEqual((yield* send("/stats", { method: "DELETE" })).status, 405)
      const unknown = yield* send("/v1/chat/completion?x=1", { method: "POST", body: "{}" })
      assert.strictEqual(unknown.status, 404)
      assert.strictEqual(errorOf(unknown).message, "Invalid URL (POST /v1/chat/completion)")
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.deepStrictEqual([stats.received, stats.answered, stats.unknownPaths], [2, { 400: 2 }, 1])
    })
  )

  it.live("takes bodies in many pieces, and refuses those above 64 MiB", () =>
    Effect.gen(function* () {
      const { call } = yield* start()
      const large = yield* call("é".repeat(3_000_000))
      assert.strictEqual(large.status, 200)
      assert.strictEqual(JSON.parse(large.body).usage.prompt_tokens, 750_004)
      const tooLarge = yield* call("", { body: "x".repeat(64 * 1024 * 1024 + 1) })
      assert.strictEqual(tooLarge.status, 413)
    })
  )

  it.live("tells its health and its stats, which do not count themselves", () =>
    Effect.gen(function* () {
      const { call, sandbox, send, statsWhen } = yield* start()
      assert.deepStrictEqual(JSON.parse((yield* send("/health")).body), { status: "ok" })
      yield* Effect.forEach(times(7), (index) => call(`${index}`))
      const stats = yield* statsWhen((stats) => stats.inflight === 0)
      assert.strictEqual(stats.received, 7)
      assert.strictEqual(
        stats.perSecond.reduce((sum, [, count]) => sum + count, 0),
        7
      )
      assert.isTrue(stats.maxPerSlidingSecond >= 1 && stats.maxPerSlidingSecond <= 7)
      assert.isTrue(stats.firstArrivalMs !== null && stats.firstArrivalMs <= (stats.lastArrivalMs ?? 0))
      yield* sandbox.reset
      assert.strictEqual((yield* sandbox.stats).received, 0)
    })
  )

  it.live("does not count requests from before a reset", () =>
    Effect.gen(function* () {
      const { call, sandbox, statsWhen } = yield* start({ failures: "stall=1" })
      const waiting = yield* Effect.forkChild(call("x"), { startImmediately: true })
      yield* statsWhen((stats) => stats.inflight === 1)
      yield* sandbox.reset
      yield* Fiber.interrupt(waiting)
      yield* Effect.forkChild(call("x"), { startImmediately: true })
      const stats = yield* statsWhen((stats) => stats.faults["stall"] === 1)
      assert.deepStrictEqual([stats.received, stats.inflight, stats.aborted], [1, 1, 0])
    })
  )

  describe("closing", () => {
    const opened = (port: number, text: string) =>
      Effect.gen(function* () {
        const socket = connect(port, "127.0.0.1")
        yield* Effect.callback<void>((resume) => void socket.once("connect", () => resume(Effect.void)))
        socket.write(text)
        const closed = yield* Effect.forkChild(
          Effect.callback<void>((resume) => {
            socket.on("error", () => undefined)
            socket.resume().once("close", () => resume(Effect.void))
          }),
          { startImmediately: true }
        )
        return closed
      })

    it.live("closes the listener and every socket at once: busy, stalled, idle and silent ones", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1h", failures: "stall=0.5" }).pipe(
          Scope.provide(scope)
        )
        const closings = yield* Effect.forEach(
          [...times(10).map(() => rawCall), "GET /health HTTP/1.1\r\nhost: x\r\n\r\n", "POST /v1/chat", ""],
          (text) => opened(sandbox.port, text)
        )
        const before = yield* sandbox.stats.pipe(
          Effect.repeat({ until: (stats) => stats.inflight === 10, schedule: Schedule.spaced("2 millis") })
        )
        assert.isAbove(before.faults["stall"] ?? 0, 0)
        yield* Scope.close(scope, Exit.void)
        yield* Effect.forEach(closings, Fiber.join)
        // The port is free again, and nobody has gone away by himself.
        const second = yield* SandboxServer.make({ port: sandbox.port })
        assert.strictEqual(second.port, sandbox.port)
        assert.strictEqual((yield* sandbox.stats).aborted, 0)
      })
    )
  })

  it.live("fails with one clear error when the port is in use", () =>
    Effect.gen(function* () {
      const { sandbox } = yield* start()
      const error = yield* Effect.flip(SandboxServer.make({ port: sandbox.port }))
      assert.strictEqual(error._tag, "SandboxError")
      assert.strictEqual(error.reason, "PortInUse")
      assert.strictEqual(
        error.message,
        `Port ${sandbox.port} on 127.0.0.1 is in use: choose another port, or 0 for any free one.`
      )
    })
  )

  it.live("fails when the address is not one of this machine, or a setting is wrong", () =>
    Effect.gen(function* () {
      // From the block for documentation (RFC 5737): no machine has it.
      const error = yield* Effect.flip(SandboxServer.make({ host: "203.0.113.1" }))
      assert.strictEqual(error.reason, "ListenFailed")
      assert.strictEqual((yield* Effect.flip(SandboxServer.make({ seed: -1 }))).reason, "InvalidOption")
    })
  )

  it.live("is a layer that ends with its scope", () =>
    Effect.gen(function* () {
      const port = yield* Effect.provide(
        Effect.map(Sandbox, (sandbox) => sandbox.port),
        SandboxServer.layer({ seed: 3 })
      )
      const again = yield* Layer.build(SandboxServer.layer({ port }))
      assert.isDefined(again)
    })
  )
})
