import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, statSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Random } from "effect"
import type { FormatName } from "../../../src/domain/batch/Row.ts"
import type { BatchOptions } from "../../../src/services/BatchRunner.ts"
import {
  accounted,
  clientOf,
  eventually,
  folder,
  instant,
  question,
  range,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

/** Starts a run in a process of its own, to be killed with the scope at the latest. */
const start = (options: Partial<BatchOptions>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [fileURLToPath(new URL("child.ts", import.meta.url)), JSON.stringify(options)], {
        stdio: ["pipe", "pipe", "pipe"]
      })
    ),
    (child) =>
      Effect.sync(() => {
        child.kill("SIGKILL")
      })
  )

/** How a process ended: its exit code, or the signal, and what it said. */
const ended = (child: ChildProcess) =>
  Effect.callback<{
    code: number | null
    signal: string | null
    end: Record<string, Record<string, unknown>>
    out: string
  }>((resume) => {
    let said = ""
    let out = ""
    child.stderr?.on("data", (chunk) => {
      said += chunk
    })
    child.stdout?.on("data", (chunk) => {
      out += chunk
    })
    child.once("close", (code, signal) => {
      const last = said.trim().split("\n").at(-1) ?? ""
      resume(
        Effect.succeed({
          code,
          signal,
          out,
          end: last.startsWith("{") ? JSON.parse(last) : { error: { message: said } }
        })
      )
    })
  })

const size = (path: string) => (existsSync(path) ? statSync(path).size : 0)

describe("a process", () => {
  it.live.each<[format: FormatName, times: number]>([
    ["own", 3],
    ["openai", 1],
    ["gemini", 1]
  ])(
    "killed at any moment leaves files that a resumed run completes, each row exactly once: format %s, killed %s times",
    ([format, times]) =>
      Effect.gen(function* () {
        const count = 3000
        const dir = yield* folder
        writeFileSync(dir.input, rows(count, format))
        const options = { ...dir.options, existing: "resume" as const, maxOutstanding: 64, outputFormat: format }
        for (let kills = 0; kills < times; kills++) {
          const child = yield* start(options)
          const end = yield* Effect.forkChild(ended(child), { startImmediately: true })
          // Some way into what is left, wherever that falls between two writes.
          const before = size(dir.save)
          const further = yield* Random.nextIntBetween(1, 60_000)
          yield* eventually(
            Effect.sync(() => size(dir.save)),
            (now) => now > before + further || child.exitCode !== null
          )
          child.kill("SIGKILL")
          const { signal } = yield* Fiber.join(end)
          assert.strictEqual(signal, "SIGKILL", "the process was killed, it had not ended")
          assert.isTrue(existsSync(`${dir.save}.lock`), "it left its lock")
        }
        const asked: Array<number> = []
        const client = clientOf((request) => {
          asked.push(Number(question(request).split(" ")[1]))
          return instant(request)
        })
        const report = yield* withRunner(client)(runToEnd(options))
        assert.deepStrictEqual(accounted(dir), range(count))
        assert.deepInclude(report, { outcome: "completed", total: count, resumed: count - asked.length })
        assert.isAbove(report.resumed, 0)
      }),
    60_000
  )

  it.live("writes results to standard output as they come, and reads standard input", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const child = yield* start({ ...dir.options, input: "-", saveFile: "-" })
      child.stdin?.end(rows(20))
      const { end, out } = yield* ended(child)
      assert.deepInclude(end["report"], { saved: 16, failed: 4, outcome: "completed", total: 20 })
      assert.deepStrictEqual(
        out
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line).index)
          .sort((a, b) => a - b),
        range(20).filter((index) => index % 5 !== 0)
      )
    })
  )

  it.live("ends with an error, not a crash, when the reader of its output goes away", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(20_000))
      const child = yield* start({ ...dir.options, saveFile: "-" })
      child.stdout?.once("data", () => child.stdout?.destroy())
      const { code, end } = yield* ended(child)
      assert.strictEqual(code, 0, JSON.stringify(end))
      assert.strictEqual(end["error"]?.["reason"], "OutputUnwritable")
      assert.include(String(end["error"]?.["message"]), "The reader of standard output has gone")
      assert.isFalse(existsSync(`${dir.errors}.lock`))
    })
  )
})
