import { assert, describe, it } from "@effect/vitest"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import { promptSize, TokenEstimator, writtenBytes } from "../../../src/domain/genai/TokenEstimate.ts"

const request = (text: string, maxTokens?: number) => ({
  messages: [{ role: "user" as const, content: text }],
  ...(maxTokens === undefined ? {} : { maxTokens })
})

describe("TokenEstimator", () => {
  it("starts above what English, Chinese and code usually take", () => {
    const estimator = new TokenEstimator(undefined)
    const guess = (text: string) => estimator.inputTokens(promptSize(request(text)))
    assert.isAtLeast(guess("The quick brown fox jumps over the lazy dog."), 10)
    assert.isAtLeast(guess("明日の会議は十時からです。"), 13)
  })

  it("believes a higher count at once, and lower ones slowly", () => {
    const estimator = new TokenEstimator(undefined)
    const size = promptSize(request("x".repeat(1_000)))
    estimator.learn(size, { inputTokens: 900, outputTokens: 4_000 })
    assert.isAtLeast(estimator.inputTokens(size), 900)
    assert.strictEqual(estimator.outputTokens(request("x")), 4_000)
    estimator.learn(size, { inputTokens: 250, outputTokens: 100 })
    assert.isAbove(estimator.outputTokens(request("x")), 3_900)
    for (let answer = 0; answer < 500; answer++) estimator.learn(size, { inputTokens: 250, outputTokens: 100 })
    assert.isAtMost(estimator.outputTokens(request("x")), 110)
    assert.isAtMost(estimator.inputTokens(size), 260)
  })

  it("never guesses more output than the request or the endpoint allows", () => {
    const estimator = new TokenEstimator(300)
    assert.strictEqual(estimator.outputTokens(request("x")), 300)
    assert.strictEqual(estimator.outputTokens(request("x", 50)), 50)
    estimator.learn(promptSize(request("x")), { outputTokens: 280 })
    assert.strictEqual(estimator.outputTokens(request("x", 1_000)), 280)
  })

  const tools = [
    { type: "function", function: { name: "weather", description: "Says what the weather is. ".repeat(80) } }
  ]

  it("never takes a byte for more than one token, whatever a provider adds to a short prompt", () => {
    const estimator = new TokenEstimator(undefined)
    estimator.learn(promptSize(request("hi")), { inputTokens: 5_000 })
    assert.isAtMost(estimator.inputTokens(promptSize(request("x".repeat(10_000)))), 10_100)
  })

  it("counts tools, in the request's own words and in those of a provider", () => {
    const least = JSON.stringify(tools).length / 4
    const guess = (written: GenAiRequest) => new TokenEstimator(undefined).inputTokens(promptSize(written))
    const native = (body: Readonly<Record<string, unknown>>): GenAiRequest => ({
      ...request("hi"),
      native: { family: "openai", body: { model: "m", messages: [{ role: "user", content: "hi" }], ...body } }
    })
    assert.isAtLeast(guess({ ...request("hi"), extra: { tools } }), least)
    assert.isAtLeast(guess(native({ tools })), least)
    assert.strictEqual(guess(native({ temperature: 0.5, seed: 7 })), guess(request("hi")))
  })

  it("counts the tools of the endpoint's own parameters", () => {
    const estimator = new TokenEstimator(undefined, writtenBytes({ temperature: 0.5, tools }))
    assert.isAtLeast(estimator.inputTokens(promptSize(request("hi"))), JSON.stringify(tools).length / 4)
  })

  it("guesses long prompts as before after short ones with many tools", () => {
    const long = promptSize(request("word ".repeat(2_000)))
    const before = new TokenEstimator(undefined).inputTokens(long)
    const estimator = new TokenEstimator(undefined)
    const size = promptSize({ ...request("hi"), extra: { tools } })
    estimator.learn(size, { inputTokens: Math.round(JSON.stringify(tools).length / 4) + 10 })
    assert.isAtMost(estimator.inputTokens(long), before)
  })

  it("counts calls of tools and what they gave, for which there are no neutral words", () => {
    const given = "The sun shines, and it will be warm. ".repeat(100)
    const call = { id: "1", type: "function", function: { name: "weather", arguments: JSON.stringify({ given }) } }
    const size = promptSize({
      ...request("hi"),
      native: {
        family: "openai",
        body: {
          messages: [
            { role: "user", content: "hi" },
            { role: "assistant", tool_calls: [call] },
            { role: "tool", tool_call_id: "1", content: given }
          ]
        }
      }
    })
    assert.isAtLeast(size.textBytes, 2 * given.length)
  })

  it("counts what cannot be written as nothing", () => {
    const self: Record<string, unknown> = {}
    self["self"] = self
    assert.deepStrictEqual(promptSize({ ...request("hi"), extra: { tools: [self] } }), promptSize(request("hi")))
  })

  it("learns what attachments take, from all of them and not from one, and nothing of text from them", () => {
    const of = (count: number): GenAiRequest => ({
      messages: [
        {
          role: "user",
          content: Array.from({ length: count }, () => ({ type: "data", mimeType: "application/pdf", data: "QQ==" }))
        }
      ],
      system: "What is this?"
    })
    const text = promptSize(request("x".repeat(10_000)))
    const estimator = new TokenEstimator(undefined)
    const before = estimator.inputTokens(text)
    estimator.learn(promptSize(of(1)), { inputTokens: 200_000 })
    assert.isAtMost(estimator.inputTokens(promptSize(of(1))), 25_000)
    assert.strictEqual(estimator.inputTokens(text), before)
    for (let answer = 0; answer < 60; answer++) estimator.learn(promptSize(of(1)), { inputTokens: 30_000 })
    assert.closeTo(estimator.inputTokens(promptSize(of(1))), 30_000, 1_000)
    assert.closeTo(estimator.inputTokens(promptSize(of(2))), 60_000, 2_000)
    for (let answer = 0; answer < 100; answer++) estimator.learn(promptSize(of(2)), { inputTokens: 200 })
    assert.isAtMost(estimator.inputTokens(promptSize(of(2))), 300)
    assert.strictEqual(estimator.inputTokens(text), before)
  })

  it("counts an attachment as such, not by the size of its file", () => {
    const data = "A".repeat(1_000_000)
    const size = promptSize({
      messages: [{ role: "user", content: [{ type: "data", mimeType: "image/png", data }] }]
    })
    assert.isBelow(new TokenEstimator(undefined).inputTokens(size), 2_000)
    const image = { type: "image_url", image_url: { url: `data:image/png;base64,${data}` } }
    const native = promptSize({
      messages: [{ role: "user", content: [{ type: "data", mimeType: "image/png", data }] }],
      native: { family: "openai", body: { messages: [{ role: "user", content: [image] }] } }
    })
    assert.deepStrictEqual(native, size)
  })
})
