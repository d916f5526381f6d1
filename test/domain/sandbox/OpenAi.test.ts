import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { deltasOf, makeAnswer } from "../../../src/domain/sandbox/Answer.ts"
import { goDuration, openAiDialect } from "../../../src/domain/sandbox/dialects/OpenAi.ts"

const user = { role: "user", content: "hi" }

const request = { path: "/v1/chat/completions", query: "", headers: {} }

const read = (body: unknown, models?: ReadonlyArray<string>) =>
  openAiDialect.readCall(request, typeof body === "string" ? body : JSON.stringify(body), models)

const decodeError = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ error: Schema.Record(Schema.String, Schema.Unknown) }))
)

const refusal = (body: unknown, models?: ReadonlyArray<string>) => {
  const reply = openAiDialect.refuse(Result.getOrThrow(Result.flip(read(body, models))))
  const { error } = decodeError(reply.body)
  assert.deepStrictEqual(Object.keys(error).sort(), ["code", "message", "param", "type"])
  const facts: Readonly<Record<string, unknown>> = { ...error, status: reply.status }
  return facts
}

describe("the OpenAI dialect", () => {
  it("reads model, texts and the token limit of a call", () => {
    assert.deepStrictEqual(
      Result.getOrThrow(
        read({
          model: "m",
          messages: [
            { role: "system", content: "short" },
            {
              role: "user",
              content: [
                { type: "text", text: "a" },
                { type: "image_url", image_url: {} }
              ]
            },
            { role: "assistant", content: null, tool_calls: [] },
            user
          ],
          temperature: 0.4,
          max_tokens: 9,
          stream: false
        })
      ),
      { model: "m", texts: ["short", "a", "hi"], maxTokens: 9, stream: false, streamUsage: false }
    )
    assert.strictEqual(
      Result.getOrThrow(read({ model: "m", messages: [user], max_tokens: 9, max_completion_tokens: 7 })).maxTokens,
      7
    )
  })

  const table: ReadonlyArray<readonly [string, unknown, Record<string, unknown>]> = [
    ["bad JSON", '{"model":', { param: null, code: null }],
    ["an empty body", "", { param: null }],
    ["a body that is no object", "[]", { code: "invalid_type" }],
    ["no model", { messages: [user] }, { message: "you must provide a model parameter" }],
    ["a model that is no text", { model: 4, messages: [user] }, { param: "model", code: "invalid_type" }],
    [
      "no messages",
      { model: "m" },
      { message: "Missing required parameter: 'messages'.", param: "messages", code: "missing_required_parameter" }
    ],
    [
      "messages that are no array",
      { model: "m", messages: "hi" },
      {
        message: "Invalid type for 'messages': expected an array of objects, but got a string instead.",
        param: "messages",
        code: "invalid_type"
      }
    ],
    ["no turn", { model: "m", messages: [] }, { param: "messages", code: "empty_array" }],
    ["a turn that is no object", { model: "m", messages: [null] }, { param: "messages[0]", code: "invalid_type" }],
    [
      "a turn without a role",
      { model: "m", messages: [user, { content: "x" }] },
      { param: "messages[1].role", code: "missing_required_parameter" }
    ],
    [
      "an unknown role",
      { model: "m", messages: [{ role: "boss", content: "x" }] },
      { param: "messages[0].role", code: "invalid_value" }
    ],
    [
      "a turn without content",
      { model: "m", messages: [{ role: "user" }] },
      { param: "messages[0].content", code: "missing_required_parameter" }
    ],
    [
      "content of the wrong type",
      { model: "m", messages: [{ role: "user", content: 5 }] },
      { param: "messages[0].content", code: "invalid_type" }
    ],
    [
      "a temperature that is too high",
      { model: "m", messages: [user], temperature: 3 },
      { param: "temperature", code: "decimal_above_max_value" }
    ],
    [
      "a token limit of 0",
      { model: "m", messages: [user], max_tokens: 0 },
      { param: "max_tokens", code: "integer_below_min_value" }
    ],
    ["a token limit in words", { model: "m", messages: [user], max_tokens: "9" }, { code: "invalid_type" }],
    [
      "a stream flag in words",
      { model: "m", messages: [user], stream: "yes" },
      { param: "stream", code: "invalid_type" }
    ],
    [
      "stream options without a stream",
      { model: "m", messages: [user], stream_options: { include_usage: true } },
      { param: "stream_options", code: "invalid_value" }
    ]
  ]
  for (const [what, body, expected] of table) {
    it(`refuses ${what}`, () => {
      const error = refusal(body)
      assert.deepInclude(error, { status: 400, type: "invalid_request_error", ...expected })
    })
  }

  it("refuses unknown models with 404 when models are restricted", () => {
    assert.deepStrictEqual(refusal({ model: "x", messages: [user] }, ["m"]), {
      status: 404,
      message: "The model `x` does not exist or you do not have access to it.",
      type: "invalid_request_error",
      param: null,
      code: "model_not_found"
    })
    assert.isTrue(Result.isSuccess(read({ model: "m", messages: [user] }, ["m"])))
  })

  it.prop("writes answers that are valid JSON whatever the model is called", [Schema.String], ([model]) => {
    const reply = openAiDialect.answer(
      { model, texts: [], maxTokens: undefined, stream: false, streamUsage: false },
      { text: 'a "b" \\ c', promptTokens: 3, completionTokens: 4, cut: true },
      { id: "1", created: 5 }
    )
    assert.deepStrictEqual(JSON.parse(reply.body), {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 5,
      model: model.toWellFormed() === model ? model : JSON.parse(JSON.stringify(model)),
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: 'a "b" \\ c', refusal: null },
          logprobs: null,
          finish_reason: "length"
        }
      ],
      usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      system_fingerprint: "fp_sandbox"
    })
  })

  const weather = { type: "function", function: { name: "get_weather" } }
  const ordered = (content: unknown, role = "user", tools: unknown = [weather]) =>
    Result.getOrThrow(read({ model: "m", messages: [user, { role, content }], tools })).tool

  it("calls a tool when the last message says so, and there is that tool", () => {
    assert.deepStrictEqual(ordered('Please call the tool get_weather with {"city": "Oslo"}.'), {
      name: "get_weather",
      arguments: '{"city": "Oslo"}'
    })
    assert.deepStrictEqual(ordered("call the tool get_weather"), { name: "get_weather", arguments: "{}" })
    assert.deepStrictEqual(ordered("call the tool get_weather with {city}")?.arguments, "{}")
    assert.isUndefined(ordered("call the tool get_time"))
    assert.isUndefined(ordered("what is the weather?"))
    assert.isUndefined(ordered("call the tool get_weather", "tool"))
    for (const tools of [null, "get_weather", [null, { function: null }, { function: { name: 1 } }]]) {
      assert.isUndefined(ordered("call the tool get_weather", "user", tools))
    }
  })

  it("writes calls of tools whole and in pieces, and says that they are why it stopped", () => {
    const call = Result.getOrThrow(
      read({
        model: "m",
        messages: [{ role: "user", content: 'call the tool get_weather with {"city":"Oslo"}' }],
        tools: [weather]
      })
    )
    const answer = makeAnswer(1, call, 40)
    assert.deepInclude(answer, { text: "", cut: false })
    assert.isAbove(answer.completionTokens, 0)
    const identity = { id: "1", created: 5 }
    const made = { name: "get_weather", arguments: '{"city":"Oslo"}' }
    const [choice] = JSON.parse(openAiDialect.answer(call, answer, identity).body).choices
    assert.strictEqual(choice.finish_reason, "tool_calls")
    assert.deepStrictEqual(choice.message.tool_calls, [{ id: "call_1", type: "function", function: made }])
    assert.isNull(choice.message.content)
    const { frames } = openAiDialect.stream(call, answer, deltasOf(answer.text, 8), identity)
    const events = frames
      .join("")
      .split("\n\n")
      .filter((event) => event.startsWith("data: {"))
      .map((event) => JSON.parse(event.slice("data: ".length)).choices[0])
    const pieces = events.flatMap(({ delta }) => delta.tool_calls ?? [])
    assert.strictEqual(pieces.map((piece) => piece.function.name ?? "").join(""), made.name)
    assert.strictEqual(pieces.map((piece) => piece.function.arguments).join(""), made.arguments)
    assert.strictEqual(events.at(-1)?.finish_reason, "tool_calls")
  })

  it("finds the key in the Authorization header", () => {
    const keyOf = (headers: Record<string, string>) => openAiDialect.keyOf({ ...request, headers })
    assert.strictEqual(keyOf({ authorization: "Bearer abc" }), "abc")
    assert.strictEqual(keyOf({ authorization: "bearer  abc " }), "abc")
    assert.isUndefined(keyOf({ authorization: "Basic abc" }))
    assert.isUndefined(keyOf({}))
  })

  it("tells the retry hint in whole seconds, and exactly where that says more", () => {
    const headers = (retryAfterMs: number | undefined) =>
      openAiDialect.refuse({ kind: "rate-limited", retryAfterMs, verdict: undefined }).headers.slice(2)
    assert.deepStrictEqual(headers(undefined), [])
    assert.deepStrictEqual(headers(2000), ["retry-after", "2"])
    assert.deepStrictEqual(headers(1500), ["retry-after", "2", "retry-after-ms", "1500"])
    assert.deepStrictEqual(headers(0.2), ["retry-after", "1", "retry-after-ms", "1"])
  })

  it("prints durations as Go does", () => {
    const printed = [0, 0.3, 12, 999.2, 1000, 1500, 60_000, 360_000, 61_001, 3_600_000, 3_725_500].map(goDuration)
    assert.deepStrictEqual(printed, [
      "0s",
      "1ms",
      "12ms",
      "1s",
      "1s",
      "1.5s",
      "1m0s",
      "6m0s",
      "1m1.001s",
      "1h0m0s",
      "1h2m5.5s"
    ])
  })
})
