/** Runs whose standard streams are files, or cannot be written: a process of its own, started by a shell. */
import { execFile } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SandboxServer from "../../../src/layers/sandbox/SandboxServer.ts"
import { accounted, type Folder, folder, range, rows } from "./Harness.ts"

const MAIN = fileURLToPath(new URL("../../../src/main.ts", import.meta.url))

/** What a shell gives for a line in which `run` stands for the tool with an endpoint; it is killed when it does not end. */
const shell = (dir: Folder, url: string, line: string) =>
  Effect.callback<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }>((resume) => {
    // In place of the shell, so that it is the tool that is killed.
    const script = `run() { exec "$0" "$MAIN" run "$@" --endpoint "$URL,model=m"; }\n${line}`
    execFile(
      "sh",
      ["-c", script, process.execPath],
      {
        cwd: dir.path("."),
        env: { PATH: process.env["PATH"], MAIN, URL: url },
        timeout: 20_000,
        killSignal: "SIGKILL"
      },
      (error, stdout, stderr) => resume(Effect.succeed({ code: error === null ? 0 : error.code, stdout, stderr }))
    )
  })

const TIMEOUT = 60_000

describe("standard streams that are files of the run", () => {
  const refused: ReadonlyArray<readonly [string, RegExp]> = [
    ["run in.jsonl --save-filepath - >> in.jsonl", /the save file are the same file \(in\.jsonl and standard output\)/],
    ["run - < in.jsonl >> in.jsonl", /are the same file \(standard input and standard output\)/],
    ["run - --save-filepath in.jsonl --overwrite < in.jsonl", /are the same file \(standard input and in\.jsonl\)/],
    ["run - --errors-filepath in.jsonl --overwrite < in.jsonl", /are the same file \(standard input and in\.jsonl\)/],
    ["run in.jsonl --save-filepath out.jsonl > out.jsonl", /Standard output goes to the save file, too \(out\.jsonl\)/],
    ["run in.jsonl >> in.jsonl", /Standard output goes to the input, too \(in\.jsonl\)/]
  ]
  for (const [line, says] of refused) {
    it.live(
      `are refused: ${line}`,
      () =>
        Effect.gen(function* () {
          const dir = yield* folder
          const sandbox = yield* SandboxServer.make({})
          writeFileSync(dir.input, rows(2000))
          const { code, stderr } = yield* shell(dir, sandbox.url, line)
          assert.strictEqual(code, 2, stderr)
          assert.match(stderr, says)
          assert.strictEqual(readFileSync(dir.input, "utf8"), rows(2000), "the prompts are as they were")
          assert.isFalse(existsSync(dir.errors))
          assert.strictEqual((yield* sandbox.stats).received, 0)
        }),
      TIMEOUT
    )
  }

  it.live(
    "are refused when progress would go between the errors",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        writeFileSync(dir.input, rows(1))
        const { code } = yield* shell(dir, "http://127.0.0.1:9/v1", "run in.jsonl 2> errors.jsonl")
        assert.strictEqual(code, 2)
        assert.match(
          readFileSync(dir.errors, "utf8"),
          /^error: Standard error goes to the errors file, too \(errors\.jsonl\): send it to another file\.\n$/
        )
      }),
    TIMEOUT
  )

  it.live(
    "are written to by their names in /dev, when they are pipes",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({})
        writeFileSync(dir.input, rows(3))
        const { stderr, stdout } = yield* shell(dir, sandbox.url, "run in.jsonl --save-filepath /dev/stdout | cat")
        assert.strictEqual(stdout.split("\n").filter((text) => text.startsWith('{"response"')).length, 3, stderr)
      }),
    TIMEOUT
  )
})

describe.skipIf(!existsSync("/dev/full"))("a full disk behind standard streams", () => {
  it.live(
    "costs no row: the run goes on without its words, and says so where it can",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({})
        writeFileSync(dir.input, rows(30))
        const line = "run in.jsonl --save-filepath out.jsonl --max-requests-per-second 20"
        const { code } = yield* shell(dir, sandbox.url, `${line} 2> /dev/full`)
        assert.strictEqual(code, 0)
        assert.deepStrictEqual(accounted(dir), range(30))
        const silent = yield* shell(dir, sandbox.url, `${line} --resume > /dev/full`)
        assert.deepInclude(silent, { code: 0, stderr: "error: Standard output cannot be written (ENOSPC).\n" })
      }),
    TIMEOUT
  )

  it.live(
    "ends a run whose answers go there, with one sentence",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({})
        writeFileSync(dir.input, rows(3))
        const { code, stderr } = yield* shell(dir, sandbox.url, "run in.jsonl --save-filepath - > /dev/full")
        assert.strictEqual(code, 1)
        assert.match(stderr, /^error: The disk is full \(ENOSPC\) while writing standard output: make room, [^\n]+\n$/)
      }),
    TIMEOUT
  )
})
