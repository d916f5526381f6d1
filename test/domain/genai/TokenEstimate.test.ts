import { assert, describe, it } from "@effect/vitest"
import { promptSize, TokenEstimator } from "../../../src/domain/genai/TokenEstimate.ts"

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

  it("counts an attachment as such, not by the size of its file", () => {
    const data = "A".repeat(1_000_000)
    const size = promptSize({
      messages: [{ role: "user", content: [{ type: "data", mimeType: "image/png", data }] }]
    })
    assert.isBelow(new TokenEstimator(undefined).inputTokens(size), 2_000)
  })
})
