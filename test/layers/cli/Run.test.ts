import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import type { DispatcherConfig } from "../../../src/domain/config/DispatcherConfig.ts"
import { run } from "../../../src/layers/cli/Run.ts"
import type { RunPlan } from "../../../src/layers/cli/RunPlan.ts"
import { Spending } from "../../../src/layers/genai/Spending.ts"
import { BatchError } from "../../../src/services/BatchRunner.ts"
import { endpoint } from "../../domain/report/Fixtures.ts"
import * as Settled from "../../support/Config.ts"
import { capture, makeBatch, makeSignals, output, progress, report } from "./Harness.ts"

const plan: RunPlan = {
  input: "prompts.jsonl",
  saveFile: "prompts_results.jsonl",
  errorsFile: "errors.jsonl",
  existing: "refuse",
  format: "auto",
  outputFormat: "own",
  ordered: false,
  limit: undefined,
  processes: 1,
  dryRun: false,
  progress: "auto",
  graceMs: 30_000,
  budget: {},
  configFlags: { endpoints: [] },
  resumeCommand: "genai-dispatcher run prompts.jsonl --resume",
  rerunCommand: "genai-dispatcher run errors.jsonl"
}

const config: DispatcherConfig = Settled.config([
  Settled.endpoint({ name: "east", concurrency: 64 }),
  Settled.endpoint({ name: "west", kind: "raw", concurrency: 36 })
])

/** A run under way, with everything around it made up. */
const begin = Effect.fnUntraced(function* (options?: {
  plan?: Partial<RunPlan>
  config?: DispatcherConfig
  terminal?: boolean
  spending?: Spending
}) {
  const out = capture({ terminal: options?.terminal ?? false })
  const err = capture({ terminal: options?.terminal ?? false })
  const signals = makeSignals()
  const batch = yield* makeBatch(() => [endpoint("east", { sent: 10, succeeded: 10, inflight: 3 })])
  const fiber = yield* run(
    { ...plan, ...options?.plan },
    options?.config ?? config,
    options?.spending ?? new Spending({})
  ).pipe(
    Effect.match({ onSuccess: () => 0, onFailure: (error) => (error._tag === "ExitStatus" ? error.code : error) }),
    Effect.provide(Layer.mergeAll(output(out, err), signals.layer, batch.layer)),
    Effect.forkChild({ startImmediately: true })
  )
  yield* TestClock.adjust(0)
  return { out, err, signals, batch, fiber }
})

describe("a run", () => {
  it.effect("ends with 0 and a summary on standard output when every row is saved", () =>
    Effect.gen(function* () {
      const { batch, err, fiber, out } = yield* begin()
      yield* TestClock.adjust("1 second")
      yield* batch.end(Exit.succeed(report()))
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      assert.match(out.text(), /^All 10 rows saved {2}\(2\.0s, 5\.0 rows\/s\)\n/)
      assert.notInclude(out.text(), "--resume")
      assert.match(err.text(), /^1\.0s {2}0\/10 \(0\.0%\) .*\n$/)
    })
  )

  it.effect("ends with 1 when rows failed, and says how to send them again", () =>
    Effect.gen(function* () {
      const { batch, fiber, out } = yield* begin()
      yield* batch.end(Exit.succeed(report({ saved: 9, failed: 1, failures: { NotFound: 1 } })))
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.include(out.text(), "send errors again   genai-dispatcher run errors.jsonl\n")
    })
  )

  it.effect("says on standard error what did not reach the endpoints", () =>
    Effect.gen(function* () {
      const { batch, err, fiber, out } = yield* begin()
      yield* batch.end(Exit.succeed(report({ warnings: ["Some fields were left out."] })))
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      assert.include(err.text(), "warning: Some fields were left out.\n")
      assert.notInclude(out.text(), "left out")
    })
  )

  it.effect("hands the formats on to the batch", () =>
    Effect.gen(function* () {
      const { batch, fiber } = yield* begin({ plan: { format: "gemini", outputFormat: "openai" } })
      assert.deepInclude((yield* batch.options)[0], { format: "gemini", outputFormat: "openai" })
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("bounds the rows on their way by the endpoints' concurrency", () =>
    Effect.gen(function* () {
      const { batch, fiber } = yield* begin()
      const [options] = yield* batch.options
      assert.deepInclude(options, { maxOutstanding: 2 * 100 + 64, anyObject: false, existing: "refuse" })
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("takes any object for a row when no endpoint looks into it", () =>
    Effect.gen(function* () {
      const { batch, fiber } = yield* begin({
        config: { ...config, endpoints: [Settled.endpoint({ name: "hook", kind: "raw", concurrency: 1 })] }
      })
      assert.isTrue((yield* batch.options)[0]?.anyObject)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("that has spent its budget stops the batch within the grace and ends with 1 and the way to go on", () =>
    Effect.gen(function* () {
      const spending = new Spending({ maxTokensTotal: 1000 })
      const { batch, err, fiber, out } = yield* begin({ plan: { budget: { maxTokensTotal: 1000 } }, spending })
      spending.add(undefined, { inputTokens: 1200 })
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(batch.stops, [30_000])
      yield* batch.end(Exit.succeed(report({ saved: 4, outcome: "interrupted" })))
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.include(
        err.text(),
        "stopping: --max-tokens-total 1,000 is spent: 1,200 tokens by reported usage; 3 in flight, up to 30s; Ctrl-C twice to stop at once\n"
      )
      assert.match(
        err.text(),
        /error: stopped: --max-tokens-total 1,000 is spent, .* go on, with as much again, with: genai-dispatcher run prompts\.jsonl --resume\n$/
      )
      assert.include(out.text(), "Stopped by --max-tokens-total: 4 of 10 rows saved, 6 left")
    })
  )

  it.effect("that has spent its budget with its last row is simply complete", () =>
    Effect.gen(function* () {
      const spending = new Spending({ maxTokensTotal: 1000 })
      const { batch, fiber, out } = yield* begin({ plan: { budget: { maxTokensTotal: 1000 } }, spending })
      spending.add(undefined, { inputTokens: 1200 })
      yield* batch.end(Exit.succeed(report()))
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      assert.notInclude(out.text(), "Stopped")
    })
  )

  it.effect("that was stopped by Ctrl-C before its budget was spent ends as interrupted", () =>
    Effect.gen(function* () {
      const spending = new Spending({ maxTokensTotal: 1000 })
      const { batch, err, fiber, signals } = yield* begin({ plan: { budget: { maxTokensTotal: 1000 } }, spending })
      yield* signals.first
      spending.add(undefined, { inputTokens: 1200 })
      yield* TestClock.adjust(0)
      yield* batch.end(Exit.succeed(report({ saved: 4, outcome: "interrupted" })))
      assert.strictEqual(yield* Fiber.join(fiber), 130)
      assert.notInclude(err.text(), "--max-tokens-total")
    })
  )

  it.effect("leaves standard output to the answers when they go there", () =>
    Effect.gen(function* () {
      const { batch, err, fiber, out } = yield* begin({ plan: { saveFile: "-" } })
      yield* batch.end(Exit.succeed(report()))
      assert.strictEqual(yield* Fiber.join(fiber), 0)
      assert.strictEqual(out.text(), "")
      assert.include(err.text(), "saved   standard output\n")
    })
  )

  it.effect("draws on a terminal, unless the answers are written to that same terminal", () =>
    Effect.gen(function* () {
      const drawn = yield* begin({ terminal: true })
      assert.include(drawn.err.text(), "<hide>")
      yield* Fiber.interrupt(drawn.fiber)
      assert.include(drawn.err.text(), "<show>")
      const shared = yield* begin({ terminal: true, plan: { saveFile: "-" } })
      assert.notInclude(shared.err.text(), "<hide>")
      yield* Fiber.interrupt(shared.fiber)
    })
  )

  it.effect("sums up in one object when progress is JSON", () =>
    Effect.gen(function* () {
      const { batch, fiber, out } = yield* begin({ plan: { progress: "json" } })
      yield* batch.end(Exit.succeed(report()))
      yield* Fiber.join(fiber)
      const summary = JSON.parse(out.text())
      assert.deepInclude(summary, {
        type: "summary",
        outcome: "completed",
        saved: 10,
        save_file: "prompts_results.jsonl"
      })
      assert.strictEqual(out.text().trimEnd().split("\n").length, 1)
    })
  )
})

describe("the first stop signal", () => {
  it.effect("stops the batch within the grace, and the run ends with 130 and the way to go on", () =>
    Effect.gen(function* () {
      const { batch, err, fiber, out, signals } = yield* begin()
      batch.setProgress(progress({ saved: 4, outstanding: 3 }))
      yield* signals.first
      assert.strictEqual(err.text(), "stopping: 3 in flight, up to 30s; Ctrl-C again to stop at once\n")
      assert.deepStrictEqual(batch.stops, [30_000])
      yield* batch.end(Exit.succeed(report({ saved: 7, outcome: "interrupted" })))
      assert.strictEqual(yield* Fiber.join(fiber), 130)
      assert.match(out.text(), /^Interrupted: 7 of 10 rows saved, 3 left/)
      assert.include(out.text(), "go on with          genai-dispatcher run prompts.jsonl --resume\n")
    })
  )

  it.effect("is left alone again once the run has ended", () =>
    Effect.gen(function* () {
      const { batch, fiber, signals } = yield* begin()
      assert.isTrue(signals.isIntercepted())
      yield* batch.end(Exit.succeed(report()))
      yield* Fiber.join(fiber)
      assert.isFalse(signals.isIntercepted())
    })
  )
})

describe("being interrupted", () => {
  it.effect("says what became of the rows and how to go on", () =>
    Effect.gen(function* () {
      const { err, fiber } = yield* begin()
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(
        err.text(),
        "Stopped at once: what was answered is saved, what was in flight is dropped.\n" +
          "Go on with: genai-dispatcher run prompts.jsonl --resume\n"
      )
    })
  )
})

describe("a file that fails", () => {
  const diskFull = new BatchError({ reason: "DiskFull", path: "errors.jsonl", message: "The disk is full: make room." })

  it.effect("on the way ends the run with 1, the reason and the way to go on", () =>
    Effect.gen(function* () {
      const { batch, err, fiber, out } = yield* begin()
      yield* batch.end(Exit.fail(diskFull))
      assert.strictEqual(yield* Fiber.join(fiber), 1)
      assert.strictEqual(
        err.text(),
        "error: The disk is full: make room.\nGo on with: genai-dispatcher run prompts.jsonl --resume\n"
      )
      assert.strictEqual(out.text(), "")
    })
  )
})
