/** Every row accounted for, shares, and agreement with what the endpoints themselves counted. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import { assertExactlyOnce, rows } from "../support/Accounts.ts"
import { run } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const ROWS = 20_000
/** Without hints to wait: an endpoint that asks for a pause gets it, and then its share is not its weight. */
const FAILURES = "429=0.04,500=0.02,503=0.01,529=0.01,reset=0.01,truncated=0.005,html=0.005"

describe("20,000 rows over two endpoints that fail 10 % of the time", () => {
  it.live(
    "are accounted for exactly once, in shares that follow the weights, as the endpoints' own counts confirm",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const sandbox = { latency: "uniform:5ms-40ms", failures: FAILURES }
        const heavy = yield* SandboxServer.make({ ...sandbox, seed: 1 })
        const light = yield* SandboxServer.make({ ...sandbox, seed: 2 })
        writeFileSync(folder("rows.jsonl"), rows(ROWS))
        const finished = yield* run([
          "run",
          ...["--requests_filepath", folder("rows.jsonl"), "--save_filepath", folder("saved.jsonl")],
          ...["--max_attempts", "5", "--policy", "weighted", "--progress", "json"],
          ...["--endpoint", `heavy=${heavy.url},model=m,weight=3`, "--endpoint", `light=${light.url},model=m,weight=1`]
        ])
        const { saved, failed } = assertExactlyOnce(ROWS, folder("saved.jsonl"), folder("errors.jsonl"))
        assert.strictEqual(finished.code, failed.length === 0 ? 0 : 1, finished.stderr)
        assert.isAtMost(failed.length, 5, "five attempts at 10 % each hardly ever all fail")

        const received = [(yield* heavy.stats).received, (yield* light.stats).received] as const
        const sent = received[0] + received[1]
        assert.approximately(received[0] / sent, 0.75, 0.0075, "the share of the heavy endpoint")
        assert.isAtLeast(sent, ROWS * 1.08, "failures were retried")

        const summary = JSON.parse(finished.stdout)
        assert.deepStrictEqual(
          summary.endpoints.map((endpoint: { sent: number }) => endpoint.sent),
          [...received],
          "the summary says what the endpoints received"
        )
        assert.strictEqual(
          [...saved, ...failed].reduce((sum, line) => sum + Number(line["attempts"]), 0),
          sent,
          "the attempts in the files add up to what was sent"
        )
      }),
    120_000
  )
})
