import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { editDistance, nearest } from "../../src/domain/Suggestion.ts"

const fields = ["name", "kind", "baseUrl", "model", "apiKeyEnv", "weight", "concurrency", "timeouts"]

const Word = Schema.String.check(Schema.isMaxLength(12))

describe("editDistance", () => {
  it.each([
    ["", "", 0],
    ["", "abc", 3],
    ["weight", "weight", 0],
    ["weigth", "weight", 1],
    ["wight", "weight", 1],
    ["weeight", "weight", 1],
    ["weifht", "weight", 1],
    ["kitten", "sitting", 3],
    ["ab", "ba", 1],
    ["ca", "abc", 3]
  ] as const)("from %j to %j is %d", (from, to, distance) => {
    assert.strictEqual(editDistance(from, to), distance)
  })

  it.prop("is a measure: symmetric, zero only for the same word, at most the longer word", [Word, Word], ([a, b]) => {
    const distance = editDistance(a, b)
    assert.strictEqual(distance, editDistance(b, a))
    assert.strictEqual(distance === 0, a === b)
    assert.isAtMost(distance, Math.max(a.length, b.length))
    assert.isAtLeast(distance, Math.abs(a.length - b.length))
  })
})

describe("nearest", () => {
  it.each([
    ["weigth", "weight"],
    ["concurency", "concurrency"],
    ["base_url", "baseUrl"],
    ["BASEURL", "baseUrl"],
    ["api-key-env", "apiKeyEnv"],
    ["timeout", "timeouts"],
    ["kinds", "kind"]
  ])("takes %s for %s", (typo, meant) => {
    assert.strictEqual(nearest(typo, fields), meant)
  })

  it.each(["", "---", "x", "retries", "temperature", "a".repeat(10_000)])("has no idea about %s", (name) => {
    assert.isUndefined(nearest(name, fields))
  })

  it("takes the nearest of several, and the first of equals", () => {
    assert.strictEqual(nearest("conect", ["correct", "connect"]), "connect")
    assert.strictEqual(nearest("cat", ["bat", "hat"]), "bat")
  })

  const Known = Schema.Array(Word).check(Schema.isMaxLength(6))

  it.prop(
    "never suggests something far away, and only what is known",
    { name: Word, known: Known },
    ({ name, known }) => {
      const found = nearest(name, known)
      if (found === undefined) return
      assert.include(known, found)
      const plain = (text: string) => text.toLowerCase().replace(/[-_\s]/g, "")
      const [a, b] = [plain(name), plain(found)]
      assert.isAtMost(editDistance(a, b), Math.max(a.length, b.length) / 3)
    }
  )
})
