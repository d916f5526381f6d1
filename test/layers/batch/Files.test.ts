import { execFileSync, spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type BatchOptions, BatchRunner } from "../../../src/services/BatchRunner.ts"
import {
  accounted,
  clientOf,
  eventually,
  type Folder,
  failure,
  folder,
  instant,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

const runner = withRunner(clientOf(instant))

/** The error of a run, which must have made and changed nothing. */
const refusal = (dir: Folder, options: Partial<BatchOptions>) =>
  Effect.gen(function* () {
    const snapshot = () =>
      readdirSync(dir.path("."), { withFileTypes: true })
        .map((entry) => (entry.isFile() ? [entry.name, readFileSync(dir.path(entry.name), "latin1")] : [entry.name]))
        .sort()
    const before = snapshot()
    const error = yield* failure(runner(runToEnd({ ...dir.options, ...options })))
    assert.deepStrictEqual(snapshot(), before)
    assert.deepStrictEqual(yield* failure(runner(check({ ...dir.options, ...options }))), error)
    return error
  })

const check = (options: BatchOptions) => Effect.flatMap(BatchRunner, (runner) => runner.check(options))

/** Root may read and write everything. */
const isRoot = process.getuid?.() === 0

describe("an input that cannot be read", () => {
  it.live("is named, with what is wrong", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const missing = yield* refusal(dir, {})
      assert.deepInclude(missing, { reason: "InputMissing", path: dir.input })
      assert.include(missing.message, `There is no input file ${dir.input}`)
      const directory = yield* refusal(dir, { input: dir.path(".") })
      assert.strictEqual(directory.reason, "InputUnreadable")
      assert.include(directory.message, "is a folder")
    })
  )

  it.live.skipIf(isRoot)("is named when the user has no right to it", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      chmodSync(dir.input, 0)
      const error = yield* failure(runner(runToEnd(dir.options)))
      assert.strictEqual(error.reason, "InputUnreadable")
      assert.include(error.message, "may not be read by this user")
    })
  )
})

describe("result files that cannot be written", () => {
  it.live("are named with the folder to make", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      const error = yield* refusal(dir, { saveFile: dir.path("no/such/out.jsonl") })
      assert.strictEqual(error.reason, "OutputUnwritable")
      assert.include(error.message, `mkdir -p ${dir.path("no/such")}`)
    })
  )

  it.live("are named when they are a folder", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      mkdirSync(dir.path("results"))
      const error = yield* refusal(dir, { errorsFile: dir.path("results") })
      assert.deepInclude(error, { reason: "OutputUnwritable", path: dir.path("results") })
      assert.include(error.message, "is a folder")
    })
  )

  it.live.skipIf(isRoot)("are named when the user has no right to them", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      mkdirSync(dir.path("locked"), { mode: 0o500 })
      const error = yield* failure(runner(runToEnd({ ...dir.options, saveFile: dir.path("locked/out.jsonl") })))
      assert.strictEqual(error.reason, "OutputUnwritable")
      assert.include(error.message, "may not be written by this user")
    })
  )
})

describe("two names of one file", () => {
  const conflict = (make: (dir: Folder) => Partial<BatchOptions>) =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      const error = yield* refusal(dir, make(dir))
      assert.strictEqual(error.reason, "OutputConflict")
      return error.message
    })

  it.live("are refused as input and results, and as both results", () =>
    Effect.gen(function* () {
      assert.include(
        yield* conflict((dir) => ({ saveFile: dir.input })),
        "The input and the save file are the same file"
      )
      assert.include(yield* conflict((dir) => ({ errorsFile: dir.input })), "The input and the errors file")
      assert.include(yield* conflict((dir) => ({ errorsFile: dir.save })), "The save file and the errors file")
      assert.include(
        yield* conflict((dir) => ({ errorsFile: dir.path("../").concat(dir.save.split("/").slice(-2).join("/")) })),
        "The save file and the errors file"
      )
    })
  )

  it.live("are refused through symbolic links, also to a file that is not there yet, and hard links", () =>
    Effect.gen(function* () {
      const message = "are the same file"
      const linked = yield* conflict((dir) => {
        symlinkSync(dir.input, dir.save)
        return {}
      })
      assert.include(linked, message)
      const dangling = yield* conflict((dir) => {
        symlinkSync("out.jsonl", dir.errors)
        return {}
      })
      assert.include(dangling, message)
      const hard = yield* conflict((dir) => {
        linkSync(dir.input, dir.errors)
        return {}
      })
      assert.include(hard, message)
      const folders = yield* conflict((dir) => {
        symlinkSync(dir.path("."), dir.path("same"))
        return { errorsFile: dir.path("same/out.jsonl") }
      })
      assert.include(folders, message)
    })
  )

  it.live("are fine when they are a device", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, `${rows(3)}x`)
      const report = yield* runner(runToEnd({ ...dir.options, saveFile: "/dev/null", errorsFile: "/dev/null" }))
      assert.deepInclude(report, { saved: 3, failed: 1, outcome: "completed" })
    })
  )
})

describe("standard output", () => {
  it.live("cannot be resumed, nor take the failures", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1))
      const resumed = yield* refusal(dir, { saveFile: "-", existing: "resume" })
      assert.strictEqual(resumed.reason, "OutputConflict")
      assert.include(resumed.message, "standard output cannot be resumed")
      assert.strictEqual((yield* refusal(dir, { errorsFile: "-" })).reason, "OutputConflict")
    })
  )
})

describe("the lock of the result files", () => {
  const withLock = (text: string, file: "save" | "errors" = "save") =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3))
      writeFileSync(`${dir[file]}.lock`, text)
      return dir
    })
  const holder = (fields: object) => JSON.stringify({ pid: process.pid, host: hostname(), started: 1, ...fields })

  it.live("keeps a second run away while the first goes on, whichever file they share", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3))
      yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const first = yield* runner.start(dir.options)
        for (const other of [{}, { saveFile: dir.path("other.jsonl") }, { errorsFile: dir.path("other.jsonl") }]) {
          const error = yield* failure(Effect.scoped(runner.start({ ...dir.options, existing: "overwrite", ...other })))
          assert.strictEqual(error.reason, "OutputBusy")
          assert.include(error.message, `another run (pid ${process.pid})`)
          assert.include(error.message, ".lock")
        }
        yield* first.stop(0)
      }).pipe(Effect.scoped, withRunner(clientOf(() => Effect.never)))
    })
  )

  it.live("is gone as soon as the run has ended or failed to start, while its scope is still open", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3))
      yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        yield* (yield* runner.start(dir.options)).await
        assert.deepStrictEqual(readdirSync(dir.path(".")).sort(), ["errors.jsonl", "in.jsonl", "out.jsonl"])
        assert.strictEqual((yield* failure(runner.start(dir.options))).reason, "OutputExists")
        assert.strictEqual((yield* (yield* runner.start({ ...dir.options, existing: "resume" })).await).resumed, 3)
      }).pipe(Effect.scoped, runner)
      assert.deepStrictEqual(accounted(dir), range(3))
    })
  )

  it.live("is taken over from a process that is gone, silently", () =>
    Effect.gen(function* () {
      const child = spawn(process.execPath, ["--version"], { stdio: "ignore" })
      yield* Effect.promise(() => new Promise((resolve) => child.once("close", resolve)))
      for (const text of [holder({ pid: child.pid }), holder({}), "", '{"pid":']) {
        const dir = yield* withLock(text, "errors")
        const report = yield* runner(runToEnd(dir.options))
        assert.strictEqual(report.saved, 3)
        assert.deepStrictEqual(readdirSync(dir.path(".")).sort(), ["errors.jsonl", "in.jsonl", "out.jsonl"])
      }
    })
  )

  it.live.skipIf(process.platform !== "linux")(
    "is taken over from a process that was killed and nobody looks after",
    () =>
      Effect.gen(function* () {
        // The shell becomes a program that never asks how its child has ended, which it does only then.
        const script = "(until grep -q sleep /proc/$$/comm; do :; done) & echo $!; exec sleep 60"
        const parent = yield* Effect.acquireRelease(
          Effect.sync(() => spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] })),
          (child) => Effect.sync(() => child.kill("SIGKILL"))
        )
        const pid = yield* Effect.promise<number>(
          () => new Promise((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))))
        )
        yield* eventually(
          Effect.sync(() => readFileSync(`/proc/${pid}/stat`, "utf8")),
          (stat) => stat.includes(") Z")
        )
        const dir = yield* withLock(holder({ pid }))
        assert.strictEqual((yield* runner(runToEnd(dir.options))).saved, 3)
      })
  )

  it.live("is respected when its process lives or cannot be looked at", () =>
    Effect.gen(function* () {
      const live = yield* withLock(holder({ pid: process.ppid }))
      const busy = yield* failure(runner(runToEnd(live.options)))
      assert.strictEqual(busy.reason, "OutputBusy")
      assert.include(busy.message, `another run (pid ${process.ppid})`)
      const foreign = yield* withLock(holder({ pid: 1, host: "elsewhere" }))
      assert.include((yield* failure(runner(runToEnd(foreign.options)))).message, "a run on elsewhere (pid 1)")
      assert.isTrue(existsSync(`${foreign.save}.lock`))
    })
  )
})

describe("a pipe with a name", () => {
  it.live("is read once, as a shell gives it for <(command)", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      execFileSync("mkfifo", [dir.input])
      const run = yield* Effect.forkChild(runner(runToEnd(dir.options)), { startImmediately: true })
      yield* Effect.promise(() => writeFile(dir.input, `${rows(5000)}nonsense`))
      const report = yield* Fiber.join(run)
      assert.deepInclude(report, { outcome: "completed", saved: 5000, invalid: 1, total: 5001 })
      assert.deepStrictEqual(accounted(dir), range(5001))
    })
  )
})

describe("check", () => {
  it.live("reads every row and sends and writes nothing", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, `${rows(5)}nonsense\n\n{"input":"x","max_tokens":-1}`)
      const client = clientOf(() => Effect.die("nothing is to be sent"))
      const found = yield* withRunner(client)(check(dir.options))
      assert.deepInclude(found, { valid: 5, invalid: 3, resumed: 0 })
      assert.deepStrictEqual(
        found.samples.map(({ line }) => line),
        [6, 7, 8]
      )
      assert.strictEqual(found.samples[2]?.error, "max_tokens: expected a whole number above 0, got -1")
      assert.deepStrictEqual(readdirSync(dir.path(".")), ["in.jsonl"])
    })
  )

  it.live("adds up what the valid rows ask for", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(
        dir.input,
        '{"input":"12345678","max_tokens":30}\n{"input":"é"}\nnonsense\n{"input":"1234","max_tokens":12}\n'
      )
      const { asked } = yield* runner(check(dir.options))
      assert.deepInclude(asked, { textBytes: 8 + 2 + 4, maxTokens: 42, open: 1 })
    })
  )

  it.live("skips what is done, keeps to the limit, and shows at most 20 rows", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(5) + "x\n".repeat(95))
      yield* runner(runToEnd({ ...dir.options, limit: 3 }))
      const found = yield* runner(check({ ...dir.options, existing: "resume", limit: 50 }))
      assert.deepInclude(found, { resumed: 3, valid: 2, invalid: 45 })
      assert.lengthOf(found.samples, 20)
      writeFileSync(dir.input, rows(5).replace("question 1", "another"))
      const changed = yield* failure(runner(check({ ...dir.options, existing: "resume" })))
      assert.strictEqual(changed.reason, "InputChanged")
    })
  )
})

describe("odd rows", () => {
  it.live("are named in the errors file, and the run goes on", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const lines: ReadonlyArray<[bytes: Buffer | string, error: string | undefined]> = [
        ['\ufeff{"input":"after a byte order mark"}\r', undefined],
        ["", "the line is blank"],
        ["\r", "the line is blank"],
        ["{]", "the line is not valid JSON"],
        ['{"input":"\\ud800"}', "input: has half of a surrogate pair"],
        [Buffer.from([0x7b, 0xff, 0x7d]), "the line is not valid UTF-8"],
        [Buffer.alloc(50 * 1024 * 1024, "y"), "the line is longer than 16 MiB"],
        [`{"input":"${"z".repeat(15 * 1024 * 1024)}"}`, undefined],
        ['{"input":"the last, without a line end"}', undefined]
      ]
      const bytesOf = (line: Buffer | string) => (typeof line === "string" ? Buffer.from(line) : line)
      const newline = Buffer.from("\n")
      writeFileSync(dir.input, Buffer.concat(lines.flatMap(([line]) => [bytesOf(line), newline]).slice(0, -1)))
      const report = yield* runner(runToEnd(dir.options))
      assert.deepInclude(report, { saved: 3, failed: 6, invalid: 6, total: 9, failures: { InvalidRow: 6 } })
      assert.deepStrictEqual(accounted(dir), range(9))
      for (const line of readLines(dir.errors)) {
        const index = Number(line["index"])
        assert.deepInclude(line, { line: index + 1, reason: "InvalidRow", attempts: 0, input: null })
        assert.include(String(line["error"]), lines[index]?.[1] ?? "no error was expected")
      }
      const cut = readLines(dir.errors).find((line) => line["index"] === 6)
      assert.strictEqual(cut?.["raw"], "y".repeat(1000))
      // The errors file is an input itself: the same rows are invalid again.
      const again = yield* runner(
        runToEnd({ ...dir.options, input: dir.errors, saveFile: dir.path("2.jsonl"), errorsFile: dir.path("3.jsonl") })
      )
      assert.deepInclude(again, { saved: 0, failed: 6, invalid: 6 })
    })
  )
})
