/** kill -9 at any moment, then --resume: exactly once. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { assertExactlyOnce, rows } from "../support/Accounts.ts"
import { start } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** How often to kill; `KILLS=20 npx vitest run test/e2e/kill.test.ts` for more. */
const KILLS = Number(process.env["KILLS"] ?? 3)
const ROWS = 2_000
const CONCURRENCY = 16
/** Rows that a run has read and not yet written, at most: those may be sent again. */
const OUTSTANDING = 2 * CONCURRENCY + 64

/** Waits until the endpoint has received so many requests. */
const received = (sandbox: Sandbox["Service"], count: number): Effect.Effect<void> =>
  Effect.flatMap(sandbox.stats, (stats) =>
    stats.received >= count ? Effect.void : Effect.delay(received(sandbox, count), "5 millis")
  )

describe("a run that is killed with SIGKILL", () => {
  it.live.each(Array.from({ length: KILLS }, (_, index) => index + 1))(
    "has each row exactly once after --resume (%d)",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const sandbox = yield* SandboxServer.make({ latency: "uniform:5ms-30ms", failures: "500=0.05" })
        writeFileSync(folder("rows.jsonl"), rows(ROWS))
        const args = [
          ...[
            "run",
            folder("rows.jsonl"),
            "--progress",
            "none",
            "--max_attempts",
            "1",
            "--concurrency",
            String(CONCURRENCY)
          ],
          ...["--endpoint", `${sandbox.url},model=m`]
        ]
        const killAt = Math.floor(Math.random() * (ROWS - 200))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const first = yield* start(args)
            yield* received(sandbox, killAt)
            first.child.kill("SIGKILL")
            assert.strictEqual((yield* first.finished).signal, "SIGKILL", "it was still running")
          })
        )
        const resumed = yield* Effect.flatMap(start([...args, "--resume"]), ({ finished }) => finished)
        assert.oneOf(resumed.code, [0, 1], resumed.stderr)
        const { saved, failed } = assertExactlyOnce(ROWS, folder("rows_results.jsonl"), folder("errors.jsonl"))

        const attempts = [...saved, ...failed].reduce((sum, line) => sum + Number(line["attempts"]), 0)
        const again = (yield* sandbox.stats).received - attempts
        assert.isAtLeast(again, 0)
        assert.isAtMost(again, 2 * OUTSTANDING, "only what was in flight at the kill was sent again")
      }),
    60_000
  )
})
