/** A budget that is spent in the middle of a run, by a real process over real HTTP. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import { assertExactlyOnce, readLines, rows } from "../support/Accounts.ts"
import { run } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const ROWS = 60
const CONCURRENCY = 4

const tokensOf = (line: Record<string, unknown>): number => {
  const usage = line["usage"]
  assert.isTrue(typeof usage === "object" && usage !== null && "input_tokens" in usage && "output_tokens" in usage)
  return Object.entries(usage ?? {}).reduce(
    (sum, [name, value]) => (name === "input_tokens" || name === "output_tokens" ? sum + Number(value) : sum),
    0
  )
}

describe("a budget", () => {
  // With these prices a thousand tokens cost 1.
  for (const [flag, limit] of [
    ["--max-cost", 2.2],
    ["--max-tokens-total", 2200]
  ] as const) {
    it.live(`stops the run when ${flag} is spent, exceeded by no more than what is in flight, and resumably`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const sandbox = yield* SandboxServer.make({ seed: 1, latency: "uniform:20ms-40ms" })
        writeFileSync(folder("rows.jsonl"), rows(ROWS))
        const endpoint = `east=${sandbox.url},model=m,inputPrice=1000,outputPrice=1000`
        const stopped = yield* run(
          [
            ...["run", "rows.jsonl", "--progress", "none", "--concurrency", String(CONCURRENCY)],
            ...["--endpoint", endpoint, flag, String(limit)]
          ],
          { cwd: folder() }
        )
        assert.strictEqual(stopped.code, 1, stopped.stderr)
        assert.match(
          stopped.stderr,
          new RegExp(
            `^stopping: ${flag} 2[.,]2\\d* is spent: 2[.,]\\d+( tokens)? by reported usage; \\d in flight, up to 30s; ` +
              "Ctrl-C twice to stop at once\n" +
              `error: stopped: ${flag} 2[.,]2\\d* is spent, 2[.,]\\d+( tokens)? in all; go on, with as much again, with: .*\n$`
          )
        )
        assert.match(stopped.stdout, new RegExp(`^Stopped by ${flag}: \\d+ of ${ROWS} rows saved, \\d+ left`))
        assert.match(stopped.stdout, /\ncost 2\.\d\d by reported usage: input 0\.\d+, output [12]\.\d+\n/)

        const stats = yield* sandbox.stats
        const saved = readLines(folder("rows_results.jsonl"))
        assert.strictEqual(saved.length, stats.received, "every answer that was paid for is saved")
        assert.strictEqual(stats.aborted, 0, "no request was cut off")
        const spent = saved.map((_, index) => saved.slice(0, index + 1).reduce((sum, line) => sum + tokensOf(line), 0))
        const last = spent.findIndex((tokens) => tokens >= 2200)
        assert.isAtLeast(last, 0, "the budget was used")
        assert.isAtMost(saved.length - 1 - last, CONCURRENCY - 1, "only what was in flight came after")

        const command = /go on with {10}node \S+main\.ts (.+)\n/.exec(stopped.stdout)?.[1]?.split(" ") ?? []
        assert.includeMembers(command, ["--resume", flag, String(limit)])
        assert.isTrue(stopped.stderr.endsWith(`main.ts ${command.join(" ")}\n`), "both name the same command")
        const resumed = yield* run(command, { cwd: folder() })
        assert.strictEqual(resumed.code, 0, resumed.stderr)
        assertExactlyOnce(ROWS, folder("rows_results.jsonl"), folder("errors.jsonl"))
        assert.strictEqual((yield* sandbox.stats).received, ROWS, "nothing was sent twice")
      })
    )
  }

  it.live("without prices is refused, and nothing is sent", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const sandbox = yield* SandboxServer.make({})
      writeFileSync(folder("rows.jsonl"), rows(3))
      const { code, stderr } = yield* run(
        ["run", "rows.jsonl", "--endpoint", `east=${sandbox.url},model=m`, "--max-cost", "5"],
        { cwd: folder() }
      )
      assert.strictEqual(code, 2)
      assert.match(stderr, /^error: --max-cost needs the prices of every endpoint; give east some in the config/)
      assert.strictEqual((yield* sandbox.stats).received, 0)
    })
  )
})
