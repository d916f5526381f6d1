/** `run --processes N`, by real processes over real HTTP: killed, interrupted, resumed with another N. */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import type { Sandbox } from "../../src/services/Sandbox.ts"
import { isAlive } from "../layers/batch/processes/Harness.ts"
import { assertExactlyOnce, readLines, rows } from "../support/Accounts.ts"
import { run, type Started, start } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

const TIMEOUT = 180_000

const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.flatMap(condition, (met) => (met ? Effect.void : Effect.delay(until(condition), "5 millis")))

const received = (sandbox: Sandbox["Service"], count: number) =>
  until(Effect.map(sandbox.stats, (stats) => stats.received >= count))

/** The processes that this one has started, with their command lines. */
const childrenOf = ({ child }: Started): ReadonlyArray<{ readonly pid: number; readonly command: string }> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .flatMap((found) => (found?.[2] === String(child.pid) ? [{ pid: Number(found[1]), command: found[3]! }] : []))

/** As a terminal does it: to every process of the group that is there. */
const interrupt = (started: Started): void => {
  for (const { pid } of childrenOf(started)) if (isAlive(pid)) process.kill(pid, "SIGINT")
  started.child.kill("SIGINT")
}

const begin = Effect.fnUntraced(function* (count: number, sandbox: Sandbox["Service"], flags: ReadonlyArray<string>) {
  const folder = yield* temporaryFolder
  writeFileSync(folder("rows.jsonl"), rows(count))
  const args = ["run", "rows.jsonl", "--progress", "none", "--concurrency", "16", "--processes", "2", ...flags]
  const all = [...args, "--endpoint", `${sandbox.url},model=m`]
  const options = { cwd: folder() }
  return { folder, args: all, options, started: yield* start(all, options) }
})

describe("a run over two processes", () => {
  it.live(
    "whose parent is killed has each row exactly once after --resume with three, and leaves no process behind",
    () =>
      Effect.gen(function* () {
        const count = 1000
        const sandbox = yield* SandboxServer.make({ latency: "uniform:5ms-30ms", failures: "500=0.05" })
        const { args, folder, options, started } = yield* begin(count, sandbox, ["--max_attempts", "1"])
        yield* received(sandbox, 100 + Math.floor(Math.random() * 600))
        const children = childrenOf(started).map(({ pid }) => pid)
        assert.strictEqual(children.length, 2)
        started.child.kill("SIGKILL")
        assert.strictEqual((yield* started.finished).signal, "SIGKILL", "it was still running")
        yield* until(Effect.sync(() => !children.some(isAlive)))

        const three = args.map((arg, at) => (args[at - 1] === "--processes" ? "3" : arg))
        const resumed = yield* run([...three, "--resume"], options)
        assert.oneOf(resumed.code, [0, 1], resumed.stderr)
        const { failed, saved } = assertExactlyOnce(count, folder("rows_results.jsonl"), folder("errors.jsonl"))
        const attempts = [...saved, ...failed].reduce((sum, line) => sum + Number(line["attempts"]), 0)
        const again = (yield* sandbox.stats).received - attempts
        // In flight, or answered within the last 40 ms: on their way to the parent and to the disk.
        assert.isAtMost(again, 16 + 16 * 40, "only what was not written yet was sent again")
      }),
    TIMEOUT
  )

  it.live(
    "that is interrupted finishes what is in flight, and says how to go on",
    () =>
      Effect.gen(function* () {
        const count = 600
        const sandbox = yield* SandboxServer.make({ latency: "uniform:50ms-150ms" })
        const { folder, options, started } = yield* begin(count, sandbox, [])
        yield* received(sandbox, 60)
        interrupt(started)
        const { code, stderr, stdout } = yield* started.finished
        assert.strictEqual(code, 130, stderr)
        assert.match(stderr, /^stopping: \d+ in flight, up to 30s; Ctrl-C again to stop at once\n$/)
        const stats = yield* sandbox.stats
        assert.strictEqual(stats.aborted, 0, "no request was cut off")
        assert.strictEqual(readLines(folder("rows_results.jsonl")).length, stats.received, "no answer was lost")
        assert.match(
          stdout,
          new RegExp(`^Interrupted: ${stats.received} of 600 rows saved, ${600 - stats.received} left`)
        )

        const command = /go on with {10}node \S+main\.ts (.+)\n/.exec(stdout)?.[1]?.split(" ") ?? []
        assert.includeMembers(command, ["--resume", "--processes", "2"])
        const resumed = yield* run(command, options)
        assert.strictEqual(resumed.code, 0, resumed.stderr)
        assertExactlyOnce(count, folder("rows_results.jsonl"), folder("errors.jsonl"))
        assert.strictEqual((yield* sandbox.stats).received, count, "no row was sent twice")
      }),
    TIMEOUT
  )

  it.live(
    "that is interrupted twice stops at once, and its files are whole",
    () =>
      Effect.gen(function* () {
        const sandbox = yield* SandboxServer.make({ failures: "stall=0.3" })
        const { folder, started } = yield* begin(300, sandbox, [])
        yield* until(Effect.map(sandbox.stats, (stats) => stats.faults["stall"] === 16))
        const children = childrenOf(started).map(({ pid }) => pid)
        // Signals that follow each other closely are one Ctrl-C that came on two ways: so, again until it counts.
        const again = Effect.forever(
          Effect.delay(
            Effect.sync(() => interrupt(started)),
            "300 millis"
          )
        )
        const { code, stderr } = yield* Effect.raceFirst(started.finished, again)
        assert.strictEqual(code, 130, stderr)
        yield* until(Effect.map(sandbox.stats, (stats) => stats.aborted === 16))
        yield* until(Effect.sync(() => !children.some(isAlive)))
        const saved = readLines(folder("rows_results.jsonl"))
        assert.isAtMost(saved.length, (yield* sandbox.stats).received - 16)
      }),
    TIMEOUT
  )

  it.live(
    "reads standard input and writes standard output; keys reach the processes, and no command line",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const count = 400
        const key = "secret-key-of-this-test"
        const sandbox = yield* SandboxServer.make({ latency: "uniform:5ms-20ms", apiKeys: [Redacted.make(key)] })
        const started = yield* start(
          [
            ...["run", "-", "--processes", "2", "--progress", "json", "--ordered", "--errors-filepath", "errors.jsonl"],
            ...["--endpoint", `${sandbox.url},model=m,apiKeyEnv=THE_KEY`]
          ],
          { cwd: folder(), input: rows(count), env: { THE_KEY: key } }
        )
        yield* received(sandbox, 10)
        const children = childrenOf(started)
        assert.strictEqual(children.length, 2)
        assert.isTrue(children.every(({ command }) => !command.includes(key)))
        const { code, stderr, stdout } = yield* started.finished
        assert.strictEqual(code, 0, stderr)
        assert.deepStrictEqual(
          stdout
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line).index),
          Array.from({ length: count }, (_, index) => index)
        )
        const summary = JSON.parse(stderr.trim().split("\n").at(-1) ?? "")
        assert.deepInclude(summary, { type: "summary", outcome: "completed", total: count, saved: count, failed: 0 })
        assert.deepInclude(summary.endpoints[0], { sent: count, ok: count, aborted: 0 })
        assert.strictEqual((yield* sandbox.stats).received, count)
      }),
    TIMEOUT
  )
})

describe("--processes", () => {
  it.live(
    "is refused when there is not enough to share, by the name of the flag, and nothing is sent",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const sandbox = yield* SandboxServer.make({})
        writeFileSync(folder("rows.jsonl"), rows(3))
        const args = ["run", "rows.jsonl", "--endpoint", `${sandbox.url},model=m`]
        const refused = yield* run([...args, "--processes", "4", "--max-requests-per-second", "2"], { cwd: folder() })
        assert.strictEqual(refused.code, 2)
        assert.strictEqual(
          refused.stderr,
          "error: --max-requests-per-second: 2 cannot be shared by 4 processes: use --processes 2 or fewer\n"
        )
        const none = yield* run([...args, "--processes", "0"], { cwd: folder() })
        assert.strictEqual(none.code, 2)
        assert.match(none.stderr, /--processes.*a whole number from 1 up/)
        assert.strictEqual((yield* sandbox.stats).received, 0)
      }),
    TIMEOUT
  )
})
