import { assert, describe, it } from "@effect/vitest"
import { own } from "../../../../src/domain/batch/formats/Own.ts"
import { isObject } from "../../../../src/domain/JsonText.ts"

/** As text, for JSON can say more than a literal. */
const VALUES = ['"text"', '""', "7", "0.5", "1e999", "-1e999", "true", "[]", "{}"]

const ALLOWED: Readonly<Record<string, ReadonlyArray<string>>> = {
  id: ['"text"', '""', "7", "0.5"],
  session: ['"text"', '""', "7", "0.5"],
  system: ['"text"', '""'],
  model: ['"text"', '""'],
  temperature: ["7", "0.5"],
  max_tokens: ["7"]
}

const read = (json: string) => {
  const row: unknown = JSON.parse(json)
  assert(isObject(row))
  return own.read(row)
}

describe("rows of our own", () => {
  for (const [name, allowed] of Object.entries(ALLOWED)) {
    // With `messages` the schema reads them, without it a shorter way: both must say the same.
    for (const asked of ['"input":"hi"', '"messages":[{"role":"user","content":"hi"}]']) {
      it(`take as ${name} only what it may be, in a row with ${asked}`, () => {
        for (const value of VALUES) {
          const result = read(`{${asked},"${name}":${value}}`)
          assert.strictEqual(result._tag, allowed.includes(value) ? "Success" : "Failure", value)
          if (result._tag === "Failure") assert.match(result.failure, new RegExp(`^${name}: expected `))
        }
      })
    }
  }

  it("take fields of null as absent, and keep what they do not know", () => {
    const result = read('{"input":"hi","id":null,"temperature":null,"other":[1]}')
    assert(result._tag === "Success")
    assert.isUndefined(result.success.id)
    assert.isUndefined(result.success.request.temperature)
    assert.deepStrictEqual(result.success.source["other"], [1])
  })
})
