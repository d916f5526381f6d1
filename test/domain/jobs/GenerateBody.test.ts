/** What may not be smuggled past the service in the body of a job. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readGenerateBody } from "../../../src/domain/jobs/GenerateBody.ts"

describe("extra", () => {
  for (const name of ["model", "models", "messages", "stream"]) {
    it(`cannot say ${name}, which would go round what the caller may ask for`, () => {
      const read = readGenerateBody({ model: "fast", input: "hi", extra: { top_p: 1, [name]: "big-model" } })
      assert.isTrue(Result.isFailure(read))
      if (Result.isFailure(read)) assert.strictEqual(read.failure.field, `extra.${name}`)
    })
  }

  it("says all else", () => {
    const read = readGenerateBody({ model: "fast", input: "hi", extra: { top_p: 1 } })
    assert.isTrue(Result.isSuccess(read))
    if (Result.isSuccess(read)) assert.deepStrictEqual(read.success.request.extra, { top_p: 1 })
  })
})

describe("a body that does not fit", () => {
  const cases: ReadonlyArray<readonly [body: unknown, field: string, message: string]> = [
    [{ messages: [] }, "messages", "messages: expected at least one, got an empty list."],
    [{ contents: [] }, "contents", "contents: expected at least one, got an empty list."],
    [{ messages: [{ role: "user" }] }, "messages[0].content", "messages[0].content: it is missing."],
    [{ input: 5 }, "input", "input: Expected string, got 5."],
    [
      { messages: [{ role: "robot", content: "hi" }] },
      "messages[0].role",
      'messages[0].role: Expected "system" | "user" | "assistant", got "robot".'
    ],
    [{ input: "hi", nonsense: 1 }, "nonsense", "nonsense: there is no such field."]
  ]
  for (const [body, field, message] of cases) {
    it(`is told where and why: ${message}`, () => {
      const read = readGenerateBody(body)
      assert.isTrue(Result.isFailure(read))
      if (Result.isFailure(read)) assert.deepStrictEqual([read.failure.field, read.failure.message], [field, message])
    })
  }
})
