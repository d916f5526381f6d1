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
