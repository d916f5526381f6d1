import { assert, describe, it } from "@effect/vitest"
import * as Failures from "../../../src/domain/providers/Failures.ts"
import { makeHide } from "../../../src/domain/providers/Text.ts"
import { response, target } from "./conformance.ts"

describe("a secret of an endpoint", () => {
  const said = "Denied: team-key-of-search (team-key, team)."

  it("is hidden whole when another one is a part of it, whichever comes first", () => {
    for (const [first, second] of [
      ["team-key", "team-key-of-search"],
      ["team-key-of-search", "team-key"]
    ] as const) {
      const hide = makeHide(target("http://a.test", { headers: { "x-api-key": first, "x-auth": second } }))
      assert.strictEqual(hide(said, undefined), "Denied: *** (***, team).")
      assert.strictEqual(hide(said, "team"), "Denied: *** (***, ***).")
    }
  })

  it("is hidden where the base URL holds it", () => {
    const hide = makeHide(target("http://me:word@a.test/?api_key=query", {}))
    assert.strictEqual(hide("me, word, query", undefined), "me, ***, ***")
  })

  it("is hidden where an endpoint repeats it as the code of a failure", () => {
    const { answered } = Failures.make(target("http://a.test", {}))
    const { message } = answered(response({ status: 400 }), { code: "no k-123", message: "x" }, "k-123", 0)
    assert.include(message, "(400 no ***)")
  })
})
