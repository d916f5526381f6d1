import { readFileSync, writeFileSync } from "node:fs"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer, PlatformError, Stdio, Stream } from "effect"
import { DeadlineExceeded, GenAiError, Overloaded, Rejected } from "../../../src/domain/genai/GenAiError.ts"
import { BatchRunner } from "../../../src/services/BatchRunner.ts"
import {
  accounted,
  answerTo,
  clientOf,
  eventually,
  failure,
  folder,
  type Generate,
  indexOf,
  instant,
  question,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

/** Fails every third row, each in another way. */
const mixed: Generate = (request) => {
  const index = Number(question(request).split(" ")[1])
  if (index % 9 === 0) {
    return Effect.fail(
      new GenAiError({ message: "Busy.", reason: new Overloaded({ status: 503 }), endpoint: "west", attempts: 5 })
    )
  }
  if (index % 9 === 3) return Effect.die(new Error("a bug"))
  if (index % 9 === 6) {
    return Effect.fail(
      new GenAiError({ message: "Too late.", reason: new DeadlineExceeded({ deadlineMs: 10 }), attempts: 0 })
    )
  }
  return Effect.as(Effect.yieldNow, answerTo(request))
}

describe("a run", () => {
  it.live("writes every row to exactly one file and says what it did", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(900))
      const report = yield* withRunner(clientOf(mixed))(runToEnd(dir.options))
      assert.deepStrictEqual(accounted(dir), range(900))
      const { elapsedMs, samples, ...counts } = report
      assert.deepStrictEqual(counts, {
        outcome: "completed",
        total: 900,
        resumed: 0,
        saved: 600,
        failed: 300,
        invalid: 0,
        outstanding: 0,
        failures: { Overloaded: 100, Defect: 100, DeadlineExceeded: 100 },
        warnings: []
      })
      assert.isAtLeast(elapsedMs, 0)
      assert.deepStrictEqual(samples[0], { line: 1, reason: "Overloaded", error: "Busy." })
      assert.lengthOf(samples, 5)
      for (const line of readLines(dir.save)) {
        assert.strictEqual(line["response"], `answer to question ${line["index"]}`)
        assert.strictEqual(line["id"], `row-${line["index"]}`)
      }
    })
  )

  it.live("keeps a bug in a call to the row that it hit", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(3))
      const client = clientOf((request) => {
        if (question(request) === "question 1") throw new Error("thrown before there was an effect")
        return instant(request)
      })
      const report = yield* withRunner(client)(runToEnd(dir.options))
      assert.deepInclude(report, { saved: 2, failed: 1, outcome: "completed" })
      assert.deepInclude(readLines(dir.errors)[0], {
        input: "question 1",
        reason: "Defect",
        error: "the call broke off by a fault in the program: thrown before there was an effect",
        attempts: null
      })
    })
  )

  it.live("counts a call that is interrupted from inside as failed, while nobody stops the run", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(2))
      const client = clientOf((request) => (question(request) === "question 0" ? Effect.interrupt : instant(request)))
      const report = yield* withRunner(client)(runToEnd(dir.options))
      assert.deepInclude(report, { saved: 1, failed: 1, failures: { Defect: 1 } })
    })
  )

  it.live("counts a rejected row as failed, while nobody stops the run", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(2))
      const rejected = new GenAiError({ message: "Full.", reason: new Rejected({ cause: "QueueFull" }), attempts: 0 })
      const report = yield* withRunner(clientOf(() => Effect.fail(rejected)))(runToEnd(dir.options))
      assert.deepInclude(report, { failed: 2, failures: { Rejected: 2 }, outcome: "completed" })
    })
  )

  it.live("sends the session along", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, '{"input":"a","session":7}\n{"input":"b"}\n')
      const sessions: Array<string | undefined> = []
      const client = clientOf((request, options) => {
        sessions.push(options?.session)
        return instant(request)
      })
      yield* withRunner(client)(runToEnd(dir.options))
      assert.deepStrictEqual(sessions, ["7", undefined])
    })
  )

  it.live("ends at once over an empty input, with two empty files", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, "")
      const report = yield* withRunner(clientOf(instant))(runToEnd(dir.options))
      assert.deepInclude(report, { outcome: "completed", total: 0, saved: 0, failed: 0 })
      assert.strictEqual(readFileSync(dir.save, "utf8") + readFileSync(dir.errors, "utf8"), "")
    })
  )

  it.live("reads only the first lines when there is a limit", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(50))
      const asked: Array<string> = []
      const client = clientOf((request) => {
        asked.push(question(request))
        return instant(request)
      })
      const report = yield* withRunner(client)(runToEnd({ ...dir.options, limit: 7 }))
      assert.deepInclude(report, { outcome: "completed", total: 7, saved: 7 })
      assert.deepStrictEqual(
        asked,
        range(7).map((index) => `question ${index}`)
      )
    })
  )

  it.live("writes in the order of the input when asked to", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const text = range(300).map((index) => (index % 7 === 0 ? "not json" : `{"input":"question ${index}"}`))
      writeFileSync(dir.input, text.join("\n"))
      // Later rows of each ten answer first.
      const client = clientOf((request) =>
        Effect.delay(mixed(request), 10 - (Number(question(request).split(" ")[1]) % 10))
      )
      yield* withRunner(client)(runToEnd({ ...dir.options, ordered: true }))
      for (const file of [dir.save, dir.errors]) {
        const order = readLines(file).map((line) => Number(line["index"]))
        assert.deepStrictEqual(
          order,
          [...order].sort((a, b) => a - b)
        )
      }
      assert.deepStrictEqual(accounted(dir), range(300))
    })
  )

  for (const ordered of [false, true]) {
    it.live(`never has more rows under way than the bound${ordered ? ", in order" : ""}`, () =>
      Effect.gen(function* () {
        const dir = yield* folder
        writeFileSync(dir.input, rows(2000))
        let running = 0
        let most = 0
        const client = clientOf((request) =>
          Effect.suspend(() => {
            most = Math.max(most, ++running)
            const wait = Number(question(request).split(" ")[1]) % 5
            return Effect.delay(Effect.succeed(answerTo(request)), wait)
          }).pipe(Effect.ensuring(Effect.sync(() => running--)))
        )
        let outstanding = 0
        const report = yield* Effect.gen(function* () {
          const runner = yield* BatchRunner
          const run = yield* runner.start({ ...dir.options, ordered, maxOutstanding: 10 })
          yield* Effect.forkScoped(
            Effect.forever(
              Effect.tap(Effect.delay(run.progress, 1), (progress) =>
                Effect.sync(() => {
                  outstanding = Math.max(outstanding, progress.outstanding)
                })
              )
            )
          )
          return yield* run.await
        }).pipe(Effect.scoped, withRunner(client))
        assert.strictEqual(report.saved, 2000)
        assert.strictEqual(most, 10)
        assert.isAtMost(outstanding, 10)
      })
    )
  }

  it.live("in order goes on while its first row takes its time", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(50))
      const last = yield* Deferred.make<void>()
      let running = 0
      const client = clientOf((request) => {
        running += 1
        const asked = question(request)
        const wait = asked === "question 0" ? Deferred.await(last) : Effect.yieldNow
        return Effect.as(wait, answerTo(request)).pipe(
          Effect.ensuring(Effect.sync(() => running--)),
          Effect.tap(() => (asked === "question 49" ? Deferred.succeed(last, undefined) : Effect.void))
        )
      })
      const room = { has: () => running < 2, watch: () => {} }
      yield* withRunner({ ...client, room })(runToEnd({ ...dir.options, ordered: true, maxOutstanding: 100 }))
      assert.deepStrictEqual(readLines(dir.save).map(indexOf), range(50))
    })
  )

  it.live("tells what is under way while it runs", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, `${rows(3)}nonsense\n`)
      const asked = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const client = clientOf((request) => {
        if (question(request) !== "question 2") return instant(request)
        return Deferred.succeed(asked, undefined).pipe(
          Effect.andThen(Deferred.await(go)),
          Effect.andThen(instant(request))
        )
      })
      yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const run = yield* runner.start(dir.options)
        yield* Deferred.await(asked)
        const progress = yield* eventually(run.progress, ({ failed, total }) => total !== undefined && failed === 1)
        assert.deepStrictEqual(progress, {
          total: 4,
          resumed: 0,
          saved: 2,
          failed: 1,
          invalid: 1,
          outstanding: 1
        })
        // What is done is in the files soon, while the run goes on.
        yield* eventually(
          Effect.sync(() => readLines(dir.save).length),
          (saved) => saved === 2
        )
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* run.await).outcome, "completed")
      }).pipe(Effect.scoped, withRunner(client))
    })
  )

  it.live("still waits for what was sent when the input breaks off by an error", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const broken = PlatformError.systemError({ _tag: "Unknown", module: "Stdio", method: "stdin" })
      const stdin = Stream.concat(Stream.make(Buffer.from(rows(3))), Stream.fail(broken))
      const client = clientOf((request) => Effect.delay(instant(request), 20))
      const error = yield* failure(
        runToEnd({ ...dir.options, input: "-" }).pipe(
          withRunner(client, Layer.merge(NodeFileSystem.layer, Stdio.layerTest({ stdin })))
        )
      )
      assert.deepInclude(error, { reason: "InputUnreadable", path: "-" })
      assert.include(error.message, "standard input cannot be read")
      assert.deepStrictEqual(accounted(dir), range(3))
    })
  )

  it.live("refuses numbers that are no bounds", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, "")
      for (const wrong of [{ maxOutstanding: 0 }, { maxOutstanding: Number.NaN }, { limit: -1 }, { limit: 1.5 }]) {
        const exit = yield* Effect.exit(withRunner(clientOf(instant))(runToEnd({ ...dir.options, ...wrong })))
        assert.strictEqual(exit._tag, "Failure")
        assert.include(String(exit), `${Object.keys(wrong).join()}: expected a whole number`)
      }
    })
  )
})
