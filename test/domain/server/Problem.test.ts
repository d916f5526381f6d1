import { assert, describe, it } from "@effect/vitest"
import { dialects } from "../../../src/domain/dialects/Dialects.ts"
import { Problem } from "../../../src/domain/server/Problem.ts"
import { problemBody } from "../../../src/domain/server/ProblemBody.ts"

describe("a problem", () => {
  it("is told in few words, however many of the client's own it quotes", () => {
    const field = "x".repeat(3_000_000)
    const problem = new Problem({ kind: "InvalidRequest", field, message: `${field}: there is no such field.` })
    const answers = [JSON.stringify(problemBody(problem)), ...dialects.map((dialect) => dialect.problem(problem).body)]
    assert.lengthOf(answers, 4)
    for (const answer of answers) {
      assert.isBelow(answer.length, 10_000)
      assert.include(answer, "xxx...")
    }
  })

  it("is told whole when it is short", () => {
    const problem = new Problem({ kind: "NotFound", field: "model", message: "model: there is none." })
    assert.deepStrictEqual(problem.told, { field: "model", message: "model: there is none." })
  })
})
