import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { deltasOf, makeAnswer } from "../../../src/domain/sandbox/Answer.ts"

const call = (texts: ReadonlyArray<string>, maxTokens?: number) => ({ texts, maxTokens })

describe("makeAnswer", () => {
  it("gives the same answer for the same seed and prompt, and another for another", () => {
    const answer = makeAnswer(1, call(["Why is the sky blue?"]), 64)
    assert.deepStrictEqual(makeAnswer(1, call(["Why is the sky blue?"]), 64), answer)
    assert.notStrictEqual(makeAnswer(2, call(["Why is the sky blue?"]), 64).text, answer.text)
    assert.notStrictEqual(makeAnswer(1, call(["Why is the sky blue!"]), 64).text, answer.text)
    assert.notStrictEqual(makeAnswer(1, call(["Why is the sky", "blue?"]), 64).text, answer.text)
  })

  it("gives each of many prompts an answer of its own", () => {
    const texts = Array.from({ length: 5000 }, (_, index) => makeAnswer(1, call([`prompt ${index}`]), 64).text)
    assert.strictEqual(new Set(texts).size, texts.length)
  })

  it("has the mean length that was asked for", () => {
    const lengths = Array.from({ length: 5000 }, (_, index) => makeAnswer(1, call([`${index}`]), 100).completionTokens)
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
    assert.approximately(mean, 100, 2)
    assert.isAtLeast(Math.min(...lengths), 49)
    assert.isAtMost(Math.max(...lengths), 150)
  })

  it.prop(
    "is text of sentences with token counts that fit, never longer than the call allows",
    [Schema.Array(Schema.String), Schema.Literals([1, 2, 3, 10, 64, 1000]), Schema.Literals([1, 5, 64, 300])],
    ([texts, maxTokens, meanTokens]) => {
      const answer = makeAnswer(3, call(texts, maxTokens), meanTokens)
      assert.match(answer.text, /^[A-Z][A-Za-z. ]*[A-Za-z.]$/)
      assert.isFalse(/\.\.| \./.test(answer.text), answer.text)
      assert.strictEqual(answer.completionTokens, Math.ceil(answer.text.length / 4))
      assert.isAtMost(answer.completionTokens, maxTokens)
      assert.strictEqual(answer.cut, !answer.text.endsWith("."))
      assert.strictEqual(
        answer.promptTokens,
        texts.reduce((sum, text) => sum + Math.ceil(text.length / 4) + 4, 0)
      )
    }
  )

  it.prop(
    "cuts texts into pieces of nearly the same length, which joined are the text",
    [Schema.String, Schema.Literals([1, 2, 3, 7, 100])],
    ([text, count]) => {
      const deltas = deltasOf(text, count)
      assert.strictEqual(deltas.join(""), text)
      assert.strictEqual(deltas.length, Math.max(1, Math.min(count, text.length)))
      const lengths = deltas.map((delta) => delta.length)
      assert.isAtMost(Math.max(...lengths) - Math.min(...lengths), 1)
    }
  )
})
