import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { MAX_SESSION_LENGTH, sessionIn, sessionOf } from "../../../src/domain/server/Session.ts"
import { ask, start } from "./harness.ts"

describe("sessions", () => {
  it("of two owners have nothing in common, whatever they are called", () => {
    assert.notStrictEqual(sessionOf("a", "chat"), sessionOf("b", "chat"))
    assert.strictEqual(sessionOf("", "chat"), "chat")
    assert.isUndefined(sessionOf("a", undefined))
    assert.isUndefined(sessionIn(""))
  })

  it.live("are refused when they are long, on all routes, since they are remembered", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const post = (path: string, body: object, session: string) =>
        Effect.promise(async () => {
          const headers = { "content-type": "application/json", "x-session-id": session }
          const response = await fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
          return { status: response.status, text: await response.text() }
        })
      const long = "s".repeat(MAX_SESSION_LENGTH + 1)
      for (const [path, body] of [
        ["/v1/chat/completions", ask("Hello")],
        ["/submit", { input: "Hello" }],
        ["/generate", { input: "Hello" }]
      ] as const) {
        const refused = yield* post(path, body, long)
        assert.strictEqual(refused.status, 400, path)
        assert.include(refused.text, "at most 256 characters")
        if (path !== "/generate") assert.strictEqual((yield* post(path, body, long.slice(1))).status, 200, path)
      }
      const inBody = yield* post("/submit", { input: "Hello", session: long }, "short")
      assert.strictEqual(inBody.status, 400)
    })
  )
})
