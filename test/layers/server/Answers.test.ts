import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { endpoint } from "../../support/Config.ts"
import { ask, start } from "./harness.ts"

const textOf = (body: string) => decode(body).choices[0]?.message.content
const decode = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      choices: Schema.Array(Schema.Struct({ message: Schema.Struct({ content: Schema.String }) })),
      usage: Schema.Struct({ prompt_tokens: Schema.Int, completion_tokens: Schema.Int })
    })
  )
)
const decodeProblem = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({ error: Schema.Struct({ message: Schema.String, code: Schema.NullOr(Schema.String) }) })
  )
)
const decodeDetails = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ detail: Schema.String, status: Schema.Int }))
)
const decodeDelta = Schema.decodeUnknownSync(
  Schema.fromJsonString(
    Schema.Struct({
      choices: Schema.Array(Schema.Struct({ delta: Schema.Struct({ content: Schema.optionalKey(Schema.String) }) }))
    })
  )
)
const dataOf = (body: string) =>
  body
    .split("\n\n")
    .filter((event) => event.startsWith("data: "))
    .map((event) => event.slice("data: ".length))

describe("answers", () => {
  it.live("come from the endpoint, in the client's format, with a record of what was done", () =>
    Effect.gen(function* () {
      const { begun, chat, records, service } = yield* start()
      const answer = yield* chat(ask("Hello"))
      assert.strictEqual(answer.status, 200)
      const { usage } = decode(answer.body)
      assert.isNotEmpty(textOf(answer.body))
      assert.strictEqual(answer.headers["x-endpoint"], "east")
      assert.strictEqual(answer.headers["x-attempts"], "1")
      assert.strictEqual(begun(), 1)
      assert.strictEqual(records.length, 1)
      const record = records[0]!
      assert.strictEqual(answer.headers["x-request-id"], record.id)
      assert.deepInclude(record, {
        method: "POST",
        route: "openai.chat",
        model: "test-model",
        endpoint: "east",
        attempts: 1,
        finishReason: "stop",
        inputTokens: usage.prompt_tokens,
        outputTokens: usage.completion_tokens,
        status: 200,
        isStreamed: false,
        isAborted: false,
        problem: undefined
      })
      assert.strictEqual(yield* service.inflight, 0)
    })
  )

  it.live("are streamed with the same text", () =>
    Effect.gen(function* () {
      const { chat, records, sandbox } = yield* start()
      const whole = textOf((yield* chat(ask("Hello"))).body)
      yield* sandbox.reset
      const streamed = yield* chat(ask("Hello", { stream: true }))
      assert.strictEqual(streamed.status, 200)
      assert.match(String(streamed.headers["content-type"]), /^text\/event-stream/)
      const data = dataOf(streamed.body)
      assert.strictEqual(data.at(-1), "[DONE]")
      const text = data.slice(0, -1).map((event) => decodeDelta(event).choices[0]?.delta.content ?? "")
      assert.strictEqual(text.join(""), whole)
      assert.deepInclude(records[1], {
        isStreamed: true,
        endpoint: "east",
        attempts: 1,
        finishReason: "stop",
        status: 200
      })
    })
  )

  it.live("failures before the answer are the client's format and a status", () =>
    Effect.gen(function* () {
      const { chat, records } = yield* start(
        { failures: "500=1" },
        { dispatcher: { maxAttempts: 2, retry: { baseMs: 1, factor: 1, capMs: 1 } } }
      )
      for (const stream of [false, true]) {
        const answer = yield* chat(ask("Hello", { stream }))
        assert.strictEqual(answer.status, 502)
        assert.isNotEmpty(decodeProblem(answer.body).error.message)
      }
      assert.deepEqual(
        records.map(({ attempts, endpoint, problem, status }) => ({ attempts, endpoint, problem, status })),
        [
          { attempts: 2, endpoint: "east", problem: "ServerError", status: 502 },
          { attempts: 2, endpoint: "east", problem: "ServerError", status: 502 }
        ]
      )
    })
  )

  it.live("a stream that breaks off after it has begun ends with the dialect's last words", () =>
    Effect.gen(function* () {
      const { chat, records, service } = yield* start({ failures: "reset=1" }, { dispatcher: { maxAttempts: 1 } })
      const answer = yield* chat(ask("Hello", { stream: true }))
      assert.strictEqual(answer.status, 200)
      const data = dataOf(answer.body)
      assert.isNotEmpty(decodeProblem(data.at(-1)!).error.message)
      assert.notInclude(answer.body, "[DONE]")
      assert.strictEqual(records[0]?.problem, "ConnectionFailed")
      assert.strictEqual(yield* service.inflight, 0)
    })
  )

  it.live("the models that can be named are listed; others are not there, and the nearest is named", () =>
    Effect.gen(function* () {
      const { chat, send } = yield* start()
      const list = yield* send("/v1/models")
      assert.strictEqual(list.status, 200)
      assert.include(list.body, "test-model")
      assert.strictEqual((yield* send("/v1/models/test-model")).status, 200)
      assert.strictEqual((yield* send("/v1/models/none")).status, 404)
      const wrong = yield* chat({ ...ask("Hello"), model: "test-modle" })
      assert.strictEqual(wrong.status, 404)
      const { error } = decodeProblem(wrong.body)
      assert.strictEqual(error.code, "model_not_found")
      assert.include(error.message, '"test-model"')
    })
  )

  it.live("aliases go to the endpoints they name", () =>
    Effect.gen(function* () {
      const { chat, records } = yield* start({}, { server: { models: new Map([["fast", ["east"]]]) } })
      assert.strictEqual((yield* chat({ ...ask("Hello"), model: "fast" })).status, 200)
      assert.deepInclude(records[0], { model: "fast", endpoint: "east" })
    })
  )

  it.live("what only one API has words for is not sent to endpoints of another, and is named", () =>
    Effect.gen(function* () {
      const { chat } = yield* start({}, { endpoints: [endpoint({ name: "other", kind: "anthropic" })] })
      const tools = [{ type: "function", function: { name: "weather", parameters: {} } }]
      const answer = yield* chat(ask("Hello", { tools }))
      assert.strictEqual(answer.status, 400)
      assert.include(decodeProblem(answer.body).error.message, "tools")
    })
  )

  it.live("unknown paths are named the nearest known one, as ProblemDetails", () =>
    Effect.gen(function* () {
      const { records, send } = yield* start()
      const answer = yield* send("/v1/chat/completion", { method: "POST", body: "{}" })
      assert.strictEqual(answer.status, 404)
      assert.strictEqual(answer.headers["content-type"], "application/problem+json")
      assert.include(decodeDetails(answer.body).detail, "/v1/chat/completions")
      assert.include(decodeDetails((yield* send("/chat/completions")).body).detail, "/v1/chat/completions")
      assert.strictEqual(records[0]?.route, "unknown")
    })
  )

  it.live("methods: HEAD is GET without body, OPTIONS lists them and lets no page in, others are refused", () =>
    Effect.gen(function* () {
      const { send } = yield* start()
      const head = yield* send("/v1/models", { method: "HEAD" })
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.body, "")
      const options = yield* send("/v1/chat/completions", { method: "OPTIONS" })
      assert.strictEqual(options.status, 204)
      assert.strictEqual(options.headers["allow"], "POST")
      assert.strictEqual(options.headers["access-control-allow-origin"], undefined)
      const wrong = yield* send("/v1/chat/completions", { method: "DELETE" })
      assert.strictEqual(wrong.status, 405)
      assert.strictEqual(wrong.headers["allow"], "POST")
    })
  )

  it.live("the control plane answers through the same door, with a request id", () =>
    Effect.gen(function* () {
      const { records, send } = yield* start()
      const live = yield* send("/health/live")
      assert.strictEqual(live.status, 200)
      assert.strictEqual(live.headers["x-request-id"], records[0]?.id)
      assert.deepInclude(records[0], { route: "health", status: 200, isAborted: false })
      assert.strictEqual((yield* send("/health/ready")).status, 200)
    })
  )
})
