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
    // Messages with more than a role and a text are read by the schema, all else by a shorter way: both must say the same.
    for (const asked of [
      '"input":"hi"',
      '"messages":[{"role":"user","content":"hi"}]',
      '"messages":[{"role":"user","content":"hi","name":"ada"}]'
    ]) {
      it(`take as ${name} only what it may be, in a row with ${asked}`, () => {
        for (const value of VALUES) {
          const result = read(`{${asked},"${name}":${value}}`)
          assert.strictEqual(result._tag, allowed.includes(value) ? "Success" : "Failure", value)
          if (result._tag === "Failure") assert.match(result.failure, new RegExp(`^${name}: expected `))
        }
      })
    }
  }

  it("take of messages their roles and contents, and nothing else", () => {
    const said = { role: "user", content: "hi" }
    const parts = { role: "user", content: [{ type: "text", text: "hi" }] }
    for (const [written, expected] of [
      [[said], [said]],
      [
        [said, { ...said, name: "ada" }],
        [said, said]
      ],
      [
        [{ ...said, content: [{ ...parts.content[0], more: 1 }] }, said],
        [parts, said]
      ]
    ]) {
      const result = read(JSON.stringify({ messages: written }))
      assert(result._tag === "Success")
      assert.deepStrictEqual<unknown>(result.success.request.messages, expected)
      assert.deepStrictEqual<unknown>(own.askedIn(result.success.source), { messages: written })
    }
    const result = read('{"messages":[{"role":"user","content":"hi","__proto__":1}]}')
    assert(result._tag === "Success")
    assert.deepStrictEqual(Object.keys(result.success.request.messages[0] ?? {}), ["role", "content"])
  })

  it("give messages in one order, whatever theirs is", () => {
    const result = read('{"messages":[{"content":"hi","role":"user"}]}')
    assert(result._tag === "Success")
    assert.strictEqual(JSON.stringify(result.success.request.messages), '[{"role":"user","content":"hi"}]')
  })

  it("have the messages of a plain row once in memory", () => {
    const result = read('{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"ho"}]}')
    assert(result._tag === "Success")
    assert.strictEqual<unknown>(result.success.request.messages, result.success.source["messages"])
  })

  it("take fields of null as absent, and keep what they do not know", () => {
    const result = read('{"input":"hi","id":null,"temperature":null,"other":[1]}')
    assert(result._tag === "Success")
    assert.isUndefined(own.nameOf(result.success.source))
    assert.isUndefined(result.success.request.temperature)
    assert.deepStrictEqual(result.success.source["other"], [1])
  })
})
