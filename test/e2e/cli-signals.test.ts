/** Ctrl-C and SIGTERM, given to a real process in the middle of a run. */
import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { assertExactlyOnce, readLines, rows } from "../support/Accounts.ts"
import { run, type Started, start } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const ROWS = 150

const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.delay(until(condition), "5 millis")))

const received = (sandbox: Sandbox["Service"], count: number) =>
  until(Effect.map(sandbox.stats, (stats) => stats.received >= count))

/** Waits until every slot of the run holds a request that will never be answered. */
const allStalled = (sandbox: Sandbox["Service"]) =>
  until(Effect.map(sandbox.stats, (stats) => stats.faults["stall"] === 8))

/** Waits for words on standard error; they must not have been said before the call. */
const says = ({ child }: Started, words: string) =>
  Effect.callback<void>((resume) => {
    let said = ""
    const listen = (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes(words)) resume(Effect.void)
    }
    child.stderr?.on("data", listen)
    return Effect.sync(() => void child.stderr?.off("data", listen))
  })

const begin = Effect.fnUntraced(function* (sandbox: Sandbox["Service"], flags: ReadonlyArray<string> = []) {
  const folder = yield* temporaryFolder
  writeFileSync(folder("rows.jsonl"), rows(ROWS))
  const args = ["run", "rows.jsonl", "--progress", "none", "--concurrency", "8", ...flags]
  const options = { cwd: folder() }
  const all = [...args, "--endpoint", `${sandbox.url},model=m`]
  return { folder, args: all, options, started: yield* start(all, options) }
})

describe("Ctrl-C once", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.live(`finishes what is in flight, says how to go on and exits with 130 (${signal})`, () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({ latency: "uniform:50ms-150ms" })
        const { folder, options, started } = yield* begin(sandbox)
        yield* received(sandbox, 30)
        started.child.kill(signal)
        const { code, stderr, stdout } = yield* started.finished
        assert.strictEqual(code, 130, stderr)
        assert.match(stderr, /^stopping: \d+ in flight, up to 30s; Ctrl-C again to stop at once\n$/)
        assert.match(stdout, /^Interrupted: \d+ of 150 rows saved, \d+ left/)

        const stats = yield* sandbox.stats
        assert.strictEqual(stats.aborted, 0, "no request was cut off")
        assert.strictEqual(readLines(folder("rows_results.jsonl")).length, stats.received, "no answer was lost")

        const command = /go on with {10}node \S+main\.ts (.+)\n/.exec(stdout)?.[1]?.split(" ") ?? []
        assert.include(command, "--resume")
        const resumed = yield* run(command, options)
        assert.strictEqual(resumed.code, 0, resumed.stderr)
        assert.match(resumed.stdout, new RegExp(`, ${stats.received} rows from earlier runs`))
        assertExactlyOnce(ROWS, folder("rows_results.jsonl"), folder("errors.jsonl"))
        assert.strictEqual((yield* sandbox.stats).received, ROWS, "no row was sent twice")
      })
    )
  }

  it.live("cuts off what takes longer than the grace, and leaves it for the next run", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ failures: "stall=0.3" })
      const { folder, started } = yield* begin(sandbox, ["--grace", "100ms"])
      yield* allStalled(sandbox)
      started.child.kill("SIGINT")
      const { code, stderr, stdout } = yield* started.finished
      assert.strictEqual(code, 130, stderr)
      assert.match(stderr, /^stopping: 8 in flight, up to 100ms; /)
      assert.match(stdout, /8 cut off/)
      yield* until(Effect.map(sandbox.stats, (stats) => stats.aborted === 8))
      const saved = readLines(folder("rows_results.jsonl"))
      assert.strictEqual(saved.length, (yield* sandbox.stats).received - 8)
      assert.strictEqual(readFileSync(folder("errors.jsonl"), "utf8"), "", "what was cut off has not failed")
    })
  )
})

describe("Ctrl-C under npm", () => {
  it.live("comes twice, from the terminal and from npm, and counts once", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:200ms" })
      const { started } = yield* begin(sandbox)
      yield* until(Effect.map(sandbox.stats, (stats) => stats.inflight === 8))
      started.child.kill("SIGINT")
      started.child.kill("SIGTERM")
      const { code, stderr } = yield* started.finished
      assert.strictEqual(code, 130)
      assert.match(stderr, /^stopping: .*\n$/)
      assert.strictEqual((yield* sandbox.stats).aborted, 0)
    })
  )
})

describe("Ctrl-C twice", () => {
  it.live("stops at once: aborts what is in flight, leaves whole files, exits with 130", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ failures: "stall=0.3" })
      const { folder, started } = yield* begin(sandbox)
      yield* allStalled(sandbox)
      const stopping = yield* Effect.forkChild(says(started, "stopping:"), { startImmediately: true })
      started.child.kill("SIGINT")
      yield* Fiber.join(stopping)
      // Signals that follow each other closely are one Ctrl-C that came on two ways: so, again until it counts.
      const again = Effect.forever(
        Effect.delay(
          Effect.sync(() => started.child.kill("SIGINT")),
          "150 millis"
        )
      )
      const { code, stderr, stdout } = yield* Effect.raceFirst(started.finished, again)
      assert.strictEqual(code, 130, stderr)
      assert.strictEqual(stdout, "")
      assert.match(stderr, /\nStopped at once: .*\nGo on with: node \S+main\.ts run rows\.jsonl --resume /)
      yield* until(Effect.map(sandbox.stats, (stats) => stats.aborted === 8))
      const saved = readLines(folder("rows_results.jsonl"))
      assert.strictEqual(saved.length, (yield* sandbox.stats).received - 8)
    })
  )
})

describe("the sandbox", () => {
  it.live("ends on one Ctrl-C", () =>
    Effect.gen(function* () {
      const started = yield* start(["sandbox", "--port", "0"])
      yield* Effect.callback<void>((resume) => {
        started.child.stdout?.once("data", () => resume(Effect.void))
      })
      started.child.kill("SIGINT")
      const { code, stderr, stdout } = yield* started.finished
      assert.deepStrictEqual([code, stderr], [130, ""])
      assert.match(stdout, /sandbox stopped: 0 received/)
    })
  )
})
