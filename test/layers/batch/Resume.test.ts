import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { NodeFileSystem, NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer, PlatformError, Schema, Stdio, Stream } from "effect"
import type { FormatName } from "../../../src/domain/batch/Row.ts"
import { GenAiError, Overloaded } from "../../../src/domain/genai/GenAiError.ts"
import { listsUpTo } from "../../support/RandomLists.ts"
import {
  accounted,
  clientOf,
  FORMATS,
  type Folder,
  failure,
  folder,
  indexOf,
  instant,
  question,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

/** What a file system says of a file that belongs to somebody else. */
const noRight = PlatformError.systemError({
  _tag: "PermissionDenied",
  module: "FileSystem",
  method: "open",
  cause: Object.assign(new Error("permission denied"), { code: "EACCES" })
})

/** A client that answers at once, fails every third row, and remembers what it was asked. */
const recorder = () => {
  const asked: Array<number> = []
  const client = clientOf((request) => {
    const index = Number(question(request).split(" ")[1])
    asked.push(index)
    return index % 3 === 0
      ? Effect.fail(new GenAiError({ message: "Busy.", reason: new Overloaded({ status: 503 }), attempts: 1 }))
      : instant(request)
  })
  return { asked, client }
}

/** A finished run over `count` rows. */
const finished = (count: number, format: FormatName = "own", outputFormat?: FormatName) =>
  Effect.gen(function* () {
    const made = yield* folder
    const dir: Folder = { ...made, options: { ...made.options, outputFormat } }
    writeFileSync(dir.input, rows(count, format))
    yield* withRunner(recorder().client)(runToEnd(dir.options))
    return dir
  })

const resume = (dir: Folder) => {
  const { asked, client } = recorder()
  return Effect.map(withRunner(client)(runToEnd({ ...dir.options, existing: "resume" })), (report) => ({
    report,
    asked: asked.sort((a, b) => a - b)
  }))
}

const refusal = (dir: Folder, existing: "refuse" | "resume" | "overwrite" = "resume") => {
  const { asked, client } = recorder()
  return Effect.map(failure(withRunner(client)(runToEnd({ ...dir.options, existing }))), (error) => {
    assert.deepStrictEqual(asked, [], "nothing was sent")
    return error
  })
}

describe("results that are there already", () => {
  it.live("are not touched by a plain run, which names the two ways on", () =>
    Effect.gen(function* () {
      const dir = yield* finished(4)
      const before = readFileSync(dir.save, "utf8")
      const error = yield* refusal(dir, "refuse")
      assert.strictEqual(error.reason, "OutputExists")
      assert.include(error.message, dir.save)
      assert.include(error.message, dir.errors)
      assert.include(error.message, "--resume")
      assert.include(error.message, "--overwrite")
      assert.strictEqual(readFileSync(dir.save, "utf8"), before)
    })
  )

  it.live("stop a plain run when it is only the errors file", () =>
    Effect.gen(function* () {
      const dir = yield* finished(4)
      writeFileSync(dir.save, "")
      const { message, path } = yield* refusal(dir, "refuse")
      assert.strictEqual(path, dir.errors)
      assert.include(
        message,
        "go on with --resume, name another file for errors if these are of other prompts, or delete"
      )
    })
  )

  it.live("are named, and not the input, when they may not be read", () =>
    Effect.gen(function* () {
      const dir = yield* finished(4)
      const locked = Layer.effect(
        FileSystem.FileSystem,
        Effect.map(FileSystem.FileSystem, (fs) => ({
          ...fs,
          open: (path, options) => (path === dir.errors ? Effect.fail(noRight) : fs.open(path, options))
        }))
      ).pipe(Layer.provideMerge(NodeServices.layer))
      const run = runToEnd({ ...dir.options, existing: "resume" })
      const error = yield* failure(withRunner(recorder().client, locked)(run))
      assert.deepInclude(error, { reason: "OutputUnwritable", path: dir.errors })
      assert.include(error.message, `The result file ${dir.errors} may not be read by this user`)
    })
  )

  it.live("are deleted when the run may overwrite them", () =>
    Effect.gen(function* () {
      const dir = yield* finished(9)
      writeFileSync(dir.input, rows(4))
      const { client } = recorder()
      const report = yield* withRunner(client)(runToEnd({ ...dir.options, existing: "overwrite" }))
      assert.deepInclude(report, { resumed: 0, saved: 2, failed: 2 })
      assert.deepStrictEqual(accounted(dir), range(4))
    })
  )
})

describe("a resumed run", () => {
  it.live("starts from nothing when there are no results", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(6))
      const { asked, report } = yield* resume(dir)
      assert.deepStrictEqual(asked, range(6))
      assert.deepInclude(report, { resumed: 0, saved: 4, failed: 2, total: 6 })
    })
  )

  it.live("sends only what is not done, and counts the rest", () =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      appendFileSync(dir.input, `nonsense\n${rows(9).split("\n").slice(7).join("\n")}`)
      const first = yield* resume(dir)
      assert.deepStrictEqual(first.asked, [7, 8])
      assert.deepInclude(first.report, { resumed: 6, saved: 6, failed: 3, invalid: 1, total: 9, outcome: "completed" })
      const second = yield* resume(dir)
      assert.deepStrictEqual(second.asked, [])
      assert.deepInclude(second.report, { resumed: 9, saved: 6, failed: 3, invalid: 1, failures: {}, samples: [] })
      assert.deepStrictEqual(accounted(dir), range(9))
    })
  )

  it.live("counts the limit over the whole input", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(20))
      const { client } = recorder()
      yield* withRunner(client)(runToEnd({ ...dir.options, limit: 5 }))
      const more = recorder()
      const report = yield* withRunner(more.client)(runToEnd({ ...dir.options, existing: "resume", limit: 8 }))
      assert.deepStrictEqual(more.asked, [5, 6, 7])
      assert.deepInclude(report, { total: 8, resumed: 5 })
    })
  )

  it.live("takes other line ends and a byte order mark for the same rows", () =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      writeFileSync(dir.input, `\ufeff${rows(8).replaceAll("\n", "\r\n")}`)
      assert.deepStrictEqual((yield* resume(dir)).asked, [6, 7])
    })
  )

  it.live(
    "repairs a last line that is torn at any byte",
    () =>
      Effect.gen(function* () {
        const dir = yield* finished(5)
        const whole = readFileSync(dir.save)
        const start = whole.lastIndexOf(10, whole.length - 2) + 1
        const last = JSON.parse(whole.subarray(start).toString()).index
        for (let length = start; length <= whole.length; length++) {
          writeFileSync(dir.save, whole.subarray(0, length))
          const { asked } = yield* resume(dir)
          // From the closing brace on the result is whole, with or without its line end.
          assert.deepStrictEqual(asked, length < whole.length - 1 ? [last] : [], `cut at byte ${length}`)
          assert.deepStrictEqual(accounted(dir), range(5))
        }
      }),
    60_000
  )

  it.effect.prop(
    "does every row exactly once, wherever the earlier run was killed, in every format",
    {
      format: Schema.Literals(FORMATS),
      outputFormat: Schema.Literals(FORMATS),
      kept: Schema.Array(Schema.Boolean).check(Schema.isMaxLength(30)),
      cuts: Schema.Tuple([Schema.Int, Schema.Int]),
      blank: Schema.Boolean
    },
    ({ blank, cuts, format, kept, outputFormat }) =>
      Effect.gen(function* () {
        const dir = yield* finished(30, format, outputFormat)
        if (blank) appendFileSync(dir.input, "\n{}\n")
        const expected = range(blank ? 32 : 30)
        const survivors: Array<Readonly<Record<string, unknown>>> = []
        for (const [at, file] of [dir.save, dir.errors].entries()) {
          const lines = readLines(file).filter((line) => kept[indexOf(line)] !== false)
          const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("")
          const cut = text.slice(0, Math.abs(cuts[at] ?? 0) % (text.length + 1))
          writeFileSync(file, cut)
          // A line is done when all of its JSON is there.
          survivors.push(...lines.slice(0, cut.split("}\n").length - 1 + (cut.endsWith("}") && isJson(cut) ? 1 : 0)))
        }
        const done = new Set(survivors.map(indexOf))
        const { asked } = yield* resume(dir)
        assert.deepStrictEqual(accounted(dir), expected)
        assert.deepStrictEqual(
          asked,
          range(30).filter((index) => !done.has(index))
        )
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 120, ...listsUpTo(30) }, timeout: 60_000 }
  )
})

const isJson = (text: string) => {
  try {
    JSON.parse(text.slice(text.lastIndexOf("\n") + 1))
    return true
  } catch {
    return false
  }
}

describe("an input that is not the one of the results", () => {
  it.live("is refused with the first changed line, before anything is sent or written", () =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      const before = statSync(dir.save)
      writeFileSync(dir.input, rows(8).replace("question 2", "another").replace("question 4", "another"))
      const error = yield* refusal(dir)
      assert.strictEqual(error.reason, "InputChanged")
      assert.include(error.message, "line 3 is not what it was")
      assert.include(error.message, "--overwrite")
      assert.strictEqual(statSync(dir.save).mtimeMs, before.mtimeMs)
    })
  )

  it.live("is refused when it is shorter than the results", () =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      writeFileSync(dir.input, rows(4))
      const error = yield* refusal(dir)
      assert.strictEqual(error.reason, "InputChanged")
      assert.include(error.message, "it ends after 4 lines, and there is a result for line 6")
    })
  )

  it.live("is refused on standard input as soon as it shows", () =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      const stdin = (text: string) =>
        Layer.merge(NodeFileSystem.layer, Stdio.layerTest({ stdin: Stream.make(Buffer.from(text)) }))
      const over = (text: string) => {
        const { asked, client } = recorder()
        const options = { ...dir.options, input: "-", existing: "resume" as const }
        return { asked, run: runToEnd(options).pipe(withRunner(client, stdin(text))) }
      }
      assert.include((yield* failure(over(rows(8).replace("question 2", "another")).run)).message, "line 3")
      assert.include((yield* failure(over(rows(4)).run)).message, "it ends after 4 lines")
      const same = over(rows(8))
      assert.deepInclude(yield* same.run, { resumed: 6, total: 8 })
      assert.deepStrictEqual(same.asked, [6, 7])
    })
  )
})

describe("result files that do not fit together", () => {
  const damage = (change: (dir: Folder, save: ReadonlyArray<string>) => void) =>
    Effect.gen(function* () {
      const dir = yield* finished(6)
      change(dir, readFileSync(dir.save, "utf8").split("\n").slice(0, -1))
      const error = yield* refusal(dir)
      assert.strictEqual(error.reason, "OutputDamaged")
      return { error, dir }
    })

  it.live("are refused when a line in the middle is no result", () =>
    Effect.gen(function* () {
      const { dir, error } = yield* damage((dir, [first, ...rest]) =>
        writeFileSync(dir.save, [first, '{"response":"x', ...rest, ""].join("\n"))
      )
      assert.include(error.message, `line 2 of ${dir.save} is not a result`)
    })
  )

  it.live("are refused when a row is twice in one file", () =>
    Effect.gen(function* () {
      const { dir, error } = yield* damage((dir, [first]) => appendFileSync(dir.save, `${first}\n`))
      assert.include(error.message, `line 5 of ${dir.save} has the row with index 1, which an earlier line has too`)
    })
  )

  it.live("are refused when a row is in both files", () =>
    Effect.gen(function* () {
      const { dir, error } = yield* damage((dir, [first]) => appendFileSync(dir.errors, `${first}\n`))
      assert.include(error.message, `line 3 of ${dir.errors} has the row with index 1, which ${dir.save} has too`)
    })
  )
})
