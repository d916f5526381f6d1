import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { NodeFileSystem } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, Scope, Stdio, Stream } from "effect"
import { GenAiError, Overloaded, Rejected } from "../../../src/domain/genai/GenAiError.ts"
import { BatchRunner } from "../../../src/services/BatchRunner.ts"
import type { DrainOptions } from "../../../src/services/GenAiClient.ts"
import {
  accounted,
  answerTo,
  clientOf,
  eventually,
  folder,
  type Generate,
  instant,
  question,
  range,
  readLines,
  rows,
  runToEnd,
  withRunner
} from "./Harness.ts"

const rejected = new GenAiError({ message: "Draining.", reason: new Rejected({ cause: "Draining" }), attempts: 0 })

/** A client that answers the even rows; the odd ones hang until a drain, which then treats them as told. */
const halting = (atDrain: Generate) => {
  const interrupted: Array<string> = []
  const drains: Array<DrainOptions> = []
  return Effect.map(Deferred.make<void>(), (draining) => ({
    interrupted,
    drains,
    client: clientOf(
      (request) =>
        Number(question(request).split(" ")[1]) % 2 === 0
          ? instant(request)
          : Deferred.await(draining).pipe(
              Effect.andThen(atDrain(request)),
              Effect.onInterrupt(() => Effect.sync(() => interrupted.push(question(request))))
            ),
      (options) =>
        Effect.suspend(() => {
          drains.push(options)
          return Effect.as(Deferred.succeed(draining, undefined), true)
        })
    )
  }))
}

/** Starts a run over `count` rows, stops it once `outstanding` rows hang, and gives its report. */
const stopped = (count: number, atDrain: Generate, ordered = false) =>
  Effect.gen(function* () {
    const dir = yield* folder
    writeFileSync(dir.input, rows(count))
    const { client, drains, interrupted } = yield* halting(atDrain)
    const report = yield* Effect.gen(function* () {
      const runner = yield* BatchRunner
      const run = yield* runner.start({ ...dir.options, ordered })
      yield* eventually(run.progress, ({ outstanding, total }) => outstanding === 16 && total !== undefined)
      yield* run.stop("30 seconds")
      return yield* run.await
    }).pipe(Effect.scoped, withRunner(client))
    return { dir, report, drains, interrupted }
  })

/** Goes on with a run whose first part was stopped; gives what was asked then. */
const goOn = (dir: Effect.Success<typeof folder>) => {
  const asked: Array<number> = []
  const client = clientOf((request) => {
    asked.push(Number(question(request).split(" ")[1]))
    return instant(request)
  })
  return Effect.as(
    withRunner(client)(runToEnd({ ...dir.options, existing: "resume" })),
    asked.sort((a, b) => a - b)
  )
}

describe("stop", () => {
  it.live("reads no more, writes what still comes, and leaves the rest to a resumed run", () =>
    Effect.gen(function* () {
      const { dir, drains, report } = yield* stopped(1000, instant)
      assert.deepStrictEqual(drains, [{ timeout: "30 seconds", queued: "discard" }])
      // 16 odd rows hung, with the even ones between them answered.
      assert.deepInclude(report, { outcome: "interrupted", failed: 0, outstanding: 0 })
      assert.isBelow(report.saved, 40)
      assert.deepStrictEqual(accounted(dir), range(report.saved))
      assert.deepStrictEqual(
        yield* goOn(dir),
        range(1000).filter((index) => index >= report.saved)
      )
      assert.deepStrictEqual(accounted(dir), range(1000))
    })
  )

  for (const ordered of [false, true]) {
    it.live(`does not write rows that are turned away, so that they are resumed${ordered ? ", in order" : ""}`, () =>
      Effect.gen(function* () {
        const { dir, report } = yield* stopped(1000, () => Effect.fail(rejected), ordered)
        assert.deepInclude(report, { outcome: "interrupted", failed: 0, failures: {} })
        const done = readLines(dir.save).map((line) => Number(line["index"]))
        assert.deepStrictEqual(
          done,
          done.filter((index) => index % 2 === 0)
        )
        assert.strictEqual(report.saved, done.length)
        assert.isAtLeast(report.saved, ordered ? 8 : 15)
        yield* goOn(dir)
        assert.deepStrictEqual(accounted(dir), range(1000))
      })
    )
  }

  it.live("writes real failures that come while it waits", () =>
    Effect.gen(function* () {
      const busy = new GenAiError({ message: "Busy.", reason: new Overloaded({ status: 503 }), attempts: 3 })
      const { report } = yield* stopped(100, () => Effect.fail(busy))
      assert.deepInclude(report, { outcome: "interrupted", failed: 16, failures: { Overloaded: 16 } })
    })
  )

  it.live("interrupts what has not come when the drain is over", () =>
    Effect.gen(function* () {
      const { dir, interrupted, report } = yield* stopped(100, () => Effect.never)
      assert.lengthOf(interrupted, 16)
      assert.deepInclude(report, { outcome: "interrupted", failed: 0 })
      yield* goOn(dir)
      assert.deepStrictEqual(accounted(dir), range(100))
    })
  )

  it.live("writes answers that reach their rows only after the drain", () =>
    Effect.gen(function* () {
      const { report } = yield* stopped(100, (request) => Effect.delay(instant(request), 50))
      assert.deepInclude(report, { outcome: "interrupted", failed: 0, outstanding: 0 })
      assert.isAtLeast(report.saved, 31)
    })
  )

  it.live("does not wait for a client whose drain never ends", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(5))
      const client = clientOf(
        () => Effect.never,
        () => Effect.never
      )
      const report = yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const run = yield* runner.start(dir.options)
        yield* run.stop("10 millis")
        return yield* run.await
      }).pipe(Effect.scoped, withRunner(client))
      assert.deepInclude(report, { outcome: "interrupted", saved: 0, failed: 0 })
    })
  )

  it.live("reports a completed run when every row was answered after all", () =>
    Effect.gen(function* () {
      const { dir, report } = yield* stopped(32, instant)
      assert.deepInclude(report, { outcome: "completed", saved: 32, total: 32 })
      assert.deepStrictEqual(accounted(dir), range(32))
    })
  )

  it.live("does nothing to a run that has ended", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(2))
      const { client, drains } = yield* halting(instant)
      yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const run = yield* runner.start({ ...dir.options, limit: 1 })
        yield* run.await
        yield* run.stop("1 second")
        assert.deepStrictEqual(drains, [])
        assert.strictEqual((yield* run.await).outcome, "completed")
      }).pipe(Effect.scoped, withRunner(client))
    })
  )

  it.live("ends the wait for more of standard input", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      const stdin = Stream.concat(Stream.make(Buffer.from(rows(3))), Stream.never)
      const report = yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const run = yield* runner.start({ ...dir.options, input: "-" })
        const before = yield* eventually(run.progress, ({ saved }) => saved === 3)
        assert.isUndefined(before.total)
        yield* run.stop("1 second")
        return yield* run.await
      }).pipe(
        Effect.scoped,
        withRunner(clientOf(instant), Layer.merge(NodeFileSystem.layer, Stdio.layerTest({ stdin })))
      )
      assert.deepInclude(report, { outcome: "interrupted", saved: 3, total: undefined })
      assert.lengthOf(readLines(dir.save), 3)
    })
  )
})

describe("a scope that closes before the end of the run", () => {
  it.live("interrupts the calls, and leaves whole files, no lock and nothing that cannot be resumed", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      writeFileSync(dir.input, rows(1000))
      const { client, interrupted } = yield* halting(() => Effect.never)
      const scope = yield* Scope.make()
      const run = yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        return yield* runner.start(dir.options)
      }).pipe(Scope.provide(scope), withRunner(client))
      const { saved } = yield* eventually(run.progress, ({ outstanding }) => outstanding === 16)
      assert.isTrue(existsSync(`${dir.save}.lock`))
      yield* Scope.close(scope, Exit.void)
      assert.lengthOf(interrupted, 16)
      assert.lengthOf(readLines(dir.save), saved)
      assert.strictEqual(readFileSync(dir.errors, "utf8"), "")
      assert.isFalse(existsSync(`${dir.save}.lock`))
      yield* goOn(dir)
      assert.deepStrictEqual(accounted(dir), range(1000))
    })
  )
})

describe("reading", () => {
  it.live("goes no further than the bound while no row is answered", () =>
    Effect.gen(function* () {
      const dir = yield* folder
      let pulled = 0
      const stdin = Stream.range(0, 1_000_000).pipe(
        Stream.rechunk(1),
        Stream.map((index) => {
          pulled += 1
          return Buffer.from(`{"input":"question ${index}"}\n`)
        })
      )
      const go = yield* Deferred.make<void>()
      const client = clientOf((request) => Effect.as(Deferred.await(go), answerTo(request)))
      yield* Effect.gen(function* () {
        const runner = yield* BatchRunner
        const run = yield* runner.start({ ...dir.options, input: "-", limit: 50 })
        yield* eventually(run.progress, ({ outstanding }) => outstanding === 16)
        for (const _ of range(100)) yield* Effect.yieldNow
        assert.isAtMost(pulled, 18)
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual((yield* run.await).saved, 50)
        assert.isAtMost(pulled, 52)
      }).pipe(Effect.scoped, withRunner(client, Layer.merge(NodeFileSystem.layer, Stdio.layerTest({ stdin }))))
    })
  )
})
