import { appendFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { GenAiError, InvalidRequest, Overloaded } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import { type BatchOptions, BatchRunner } from "../../../src/services/BatchRunner.ts"
import type { GenAiClient } from "../../../src/services/GenAiClient.ts"
import { endpoint } from "../../domain/report/Fixtures.ts"
import {
  accounted,
  answerTo,
  clientOf,
  FORMATS,
  type Folder,
  folder,
  indexOf,
  instant,
  marks,
  question,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

const busy = new GenAiError({
  message: "Busy.",
  reason: new Overloaded({ status: 503 }),
  endpoint: "east",
  attempts: 2
})

/** Runs a file through a client that remembers what it was asked, and fails some. */
const runOver = (dir: Folder, options: Partial<BatchOptions>, fails: (index: number) => boolean) => {
  const asked: Array<GenAiRequest> = []
  const client = clientOf((request) => {
    asked.push(request)
    return fails(Number(question(request).split(" ")[1])) ? Effect.fail(busy) : instant(request)
  })
  return Effect.map(withRunner(client)(runToEnd({ ...dir.options, ...options })), (report) => ({ asked, report }))
}

describe("an errors file", () => {
  it.effect.prop(
    "can be run again as it is, until every row is saved once, whatever the formats",
    { input: Schema.Literals(FORMATS), outputs: Schema.Tuple(range(3).map(() => Schema.Literals(FORMATS))) },
    ({ input, outputs }) =>
      Effect.gen(function* () {
        const dir = yield* folder
        writeFileSync(dir.input, `nonsense\n${rows(20, input)}`)
        const saved: Array<string> = []
        let from = dir.input
        let expected = range(20)
        for (const [round, outputFormat] of outputs.entries()) {
          const [saveFile, errorsFile] = [dir.path(`out-${round}`), dir.path(`errors-${round}`)]
          const fails = (index: number) => index % 2 ** (round + 1) === 0 && round < 2
          const { asked, report } = yield* runOver(dir, { input: from, saveFile, errorsFile, outputFormat }, fails)
          assert.deepStrictEqual(
            asked.map((request) => Number(question(request).split(" ")[1])).sort(ascending),
            expected
          )
          assert.deepInclude(report, { outcome: "completed", invalid: 1, failed: 1 + expected.filter(fails).length })
          saved.push(...readLines(saveFile).map((line) => String(line["id"] ?? line["key"] ?? line["custom_id"])))
          expected = expected.filter(fails)
          from = errorsFile
        }
        assert.lengthOf(expected, 0)
        assert.lengthOf(saved, 20)
        const errors = readLines(from)
        assert.deepStrictEqual(
          errors.map((line) => marks(line)["reason"]),
          ["InvalidRow"]
        )
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 40 }, timeout: 60_000 }
  )
})

const ascending = (a: number, b: number) => a - b

describe("results in a provider's format", () => {
  it.live("have the provider's own answers under the rows' own names", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(6, "openai"))
      const completion = (request: GenAiRequest) => ({
        id: question(request),
        choices: [{ message: { content: "x" } }]
      })
      const client = clientOf((request) => {
        assert.isTrue(request.keepRaw)
        return Effect.succeed({ ...answerTo(request), raw: completion(request) })
      })
      yield* withRunner(client)(runToEnd({ ...dir.options, ordered: true, outputFormat: "openai" }))
      for (const [index, line] of readLines(dir.save).entries()) {
        assert.deepInclude(line, { custom_id: `row-${index}`, error: null })
        assert.deepInclude(line["response"], { status_code: 200 })
        assert.deepInclude(line["response"], {
          body: { id: `question ${index}`, choices: [{ message: { content: "x" } }] }
        })
      }
    })
  )

  it.live("are written without the raw answer when it is nested too deeply", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1, "openai"))
      const raw = JSON.parse(`{"choices":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)
      const client = clientOf((request) => Effect.succeed({ ...answerTo(request), raw }))
      const report = yield* withRunner(client)(runToEnd({ ...dir.options, outputFormat: "openai" }))
      assert.deepInclude(report, { saved: 1, failed: 0 })
      assert.include(JSON.stringify(readLines(dir.save)), '"content":"answer to question 0"')
    })
  )

  it.live("tell of rows that failed and of lines that are none", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, `${rows(2, "gemini")}{"key":"x"}\n`)
      const { report } = yield* runOver(dir, { outputFormat: "gemini", ordered: true }, (index) => index === 1)
      assert.deepInclude(report, { saved: 1, failed: 2, invalid: 1 })
      assert.deepStrictEqual(
        readLines(dir.errors).map(({ error, key }) => ({ error, key })),
        [
          { key: "row-1", error: { code: 503, message: "Busy.", status: "UNAVAILABLE" } },
          {
            key: "x",
            error: { code: 400, message: "request: expected an object, got nothing", status: "INVALID_ARGUMENT" }
          }
        ]
      )
    })
  )
})

describe("the format of an input", () => {
  it.live("is that of its first row, also when a resumed run finds that row done", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3, "gemini"))
      yield* runOver(dir, {}, () => false)
      // A row of ours, which in a file of Gemini's is none.
      appendFileSync(dir.input, `{"input":"question 3"}\n${rows(5, "gemini").split("\n").slice(4).join("\n")}`)
      const { asked, report } = yield* runOver(dir, { existing: "resume" }, () => false)
      assert.deepStrictEqual(asked.map(question), ["question 4"])
      assert.deepInclude(report, { saved: 4, invalid: 1, failed: 1 })
      assert.deepStrictEqual(accounted(dir), range(5))
      assert.strictEqual(indexOf(readLines(dir.errors)[0] ?? {}), 3)
    })
  )

  it.live("may be given: then rows in another are invalid", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3, "gemini"))
      const { report } = yield* runOver(dir, { format: "openai" }, () => false)
      assert.deepInclude(report, { saved: 0, failed: 3, invalid: 3 })
    })
  )
})

describe("fields that endpoints of another kind have no words for", () => {
  const fleet = (kinds: Record<string, string>, refuses: (request: GenAiRequest) => boolean = () => false) => {
    const client: GenAiClient["Service"] = {
      ...clientOf((request) =>
        refuses(request)
          ? Effect.fail(
              new GenAiError({ message: "No.", reason: new InvalidRequest({}), endpoint: "east", attempts: 1 })
            )
          : instant(request)
      ),
      stats: Effect.succeed(Object.entries(kinds).map(([name, kind]) => endpoint(name, { kind })))
    }
    return withRunner(client)
  }
  const left =
    "Some fields of the rows are in another provider's words and are not sent to endpoints of kind gemini: seed."

  it.live("are named once in the report, when such an endpoint answered", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(20, "openai"))
      const report = yield* fleet({ east: "gemini", west: "openai" })(runToEnd(dir.options))
      assert.deepStrictEqual(report.warnings, [left])
    })
  )

  it.live("are not named when endpoints of their own kind answered", () =>
    Effect.gen(function* () {
      for (const kind of ["openai", "azure", "raw"]) {
        const dir = yield* folder
        writeFileSync(dir.input, rows(3, "openai"))
        const report = yield* fleet({ east: kind, west: "gemini" })(runToEnd(dir.options))
        assert.deepStrictEqual(report.warnings, [], kind)
      }
    })
  )

  it.live("are named by a dry run for every endpoint that may answer", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3, "openai"))
      const check = BatchRunner.use((runner) => runner.check(dir.options))
      const { valid, warnings } = yield* fleet({ east: "openai", west: "gemini" })(check)
      assert.strictEqual(valid, 3)
      assert.deepStrictEqual(warnings, [left])
    })
  )
})
