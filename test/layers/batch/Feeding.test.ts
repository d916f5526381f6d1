import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { answerTo, clientOf, folder, type Generate, rows, runToEnd, withRunner } from "./Harness.ts"

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
