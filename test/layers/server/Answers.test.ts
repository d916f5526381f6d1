import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { ask, start } from "./harness.ts"

describe("answers", () => {
  it.live("come from the endpoint, in the client's format", () =>
    Effect.gen(function* () {
      const { chat, records } = yield* start()
      const answer = yield* chat(ask("Hello"))
      assert.strictEqual(answer.status, 200)
      console.log(answer, records)
    })
  )
  it.live("are streamed", () =>
    Effect.gen(function* () {
      const { chat, records } = yield* start()
      const answer = yield* chat(ask("Hello", { stream: true }))
      assert.strictEqual(answer.status, 200)
      console.log(answer, records)
    })
  )
})
