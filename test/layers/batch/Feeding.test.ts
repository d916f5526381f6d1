import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import type { StartGenerate } from "../../../src/services/GenAiClient.ts"
import { answerTo, clientOf, folder, type Generate, instant, rows, runToEnd, withRunner } from "./Harness.ts"

const MIB = 1024 * 1024
/** So much takes a while when everything else does too. */
const TIMEOUT = 60_000

/** As long as it takes for everything that is ready to be done. */
const turns = (count: number): Effect.Effect<void> =>
  Effect.repeat(
    Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void))),
    { times: count }
  )

describe("a run in order", () => {
  it.live(
    "whose first row takes its time reads on until the answers that wait for it are 256 MiB, and then no further",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const count = 56
        writeFileSync(dir.input, rows(count))
        const text = "x".repeat(8 * MIB)
        const first = yield* Deferred.make<void>()
        const full = yield* Deferred.make<void>()
        let asked = 0
        const generate: Generate = (request) =>
          Effect.suspend(() => {
            asked += 1
            if (asked === 1) return Effect.as(Deferred.await(first), answerTo(request))
            // The first row, and as many as fit.
            if (asked === 1 + 256 / 8) Deferred.doneUnsafe(full, Effect.void)
            return Effect.succeed({ ...answerTo(request), text })
          })
        const run = runToEnd({ ...dir.options, ordered: true, maxOutstanding: count }).pipe(
          withRunner(clientOf(generate))
        )
        const running = yield* Effect.forkChild(run)
        yield* Deferred.await(full)
        yield* turns(100)
        assert.strictEqual(asked, 1 + 256 / 8)
        yield* Deferred.succeed(first, undefined)
        const report = yield* Fiber.join(running)
        assert.deepInclude(report, { outcome: "completed", saved: count })
      }),
    TIMEOUT
  )
})

describe("a run whose rows take long to start", () => {
  it.live("lets the event loop have its turns meanwhile", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const count = 60
      writeFileSync(dir.input, rows(count))
      let startedInTurn = 0
      let most = 0
      const start: StartGenerate = (request, _options, listener) => {
        if (startedInTurn++ === 0) {
          setImmediate(() => {
            startedInTurn = 0
          })
        }
        most = Math.max(most, startedInTurn)
        const until = performance.now() + 1
        while (performance.now() < until);
        listener.ended(Exit.succeed(answerTo(request)))
        return { interrupt: Effect.void }
      }
      const client = { ...clientOf(instant), starter: Effect.succeed(start) }
      const report = yield* runToEnd({ ...dir.options, maxOutstanding: 2 * count }).pipe(withRunner(client))
      assert.deepInclude(report, { outcome: "completed", saved: count })
      // A millisecond each.
      assert.isAtMost(most, 3)
    })
  )
})
