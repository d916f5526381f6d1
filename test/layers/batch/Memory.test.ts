/** How much a run holds at once. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { answerTo, clientOf, eventually, folder, question, rows, runToEnd, withRunner } from "./Harness.ts"

const MIB = 1024 * 1024

describe("a run in order", () => {
  it.live(
    "reads no further while the answers that wait for an earlier one are 256 MiB, and goes on once they are written",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        writeFileSync(dir.input, rows(10))
        const first = yield* Deferred.make<void>()
        const text = "x".repeat(32 * MIB)
        let asked = 0
        const client = clientOf((request) => {
          asked++
          const answer = answerTo(request)
          if (question(request) === "question 0") return Effect.as(Deferred.await(first), answer)
          return Effect.succeed(asked < 10 ? { ...answer, text } : answer)
        })
        const options = { ...dir.options, saveFile: "/dev/null", ordered: true, maxOutstanding: 100 }
        const run = yield* Effect.forkChild(withRunner(client)(runToEnd(options)))
        yield* eventually(
          Effect.sync(() => asked),
          (count) => count >= 9
        )
        yield* Effect.sleep(100)
        assert.strictEqual(asked, 9, "the first, and 8 whose answers wait")
        yield* Deferred.succeed(first, undefined)
        const report = yield* Fiber.join(run)
        assert.deepInclude(report, { outcome: "completed", saved: 10, failed: 0 })
      }),
    120_000
  )
})
