import { renameSync, truncateSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, FileSystem, Layer } from "effect"
import { INPUT } from "../../../../src/layers/batch/processes/Messages.ts"
import { Spending } from "../../../../src/layers/genai/Spending.ts"
import * as SandboxServer from "../../../../src/layers/sandbox/SandboxServer.ts"
import { type BatchRun, BatchRunner } from "../../../../src/services/BatchRunner.ts"
import { accounted, eventually, folder, indexOf, range, readLines, rows, runToEnd } from "../Harness.ts"
import { configOf, isAlive, pidsOf, withProcesses } from "./Harness.ts"

/** Processes take a while to start when everything else does too. */
const TIMEOUT = 120_000

/** Waits until so many rows of a run are done. */
const done = (run: BatchRun, count: number) => eventually(run.progress, ({ failed, saved }) => saved + failed >= count)

const sentBy = (run: BatchRun) =>
  Effect.map(run.endpoints, (endpoints) => endpoints.reduce((sum, { sent }) => sum + sent, 0))

/** What each answer of `slowEndpoint` reports. */
const TOKENS = 10

/** Answers at once; the request that has this text in it, only when it is released. */
const slowEndpoint = Effect.fnUntraced(function* (slow: string) {
  const held: Array<() => void> = []
  const release = () => {
    for (const answer of held.splice(0)) answer()
  }
  const endpoint = { url: "", origin: "", received: 0, release }
  const body = JSON.stringify({
    choices: [{ message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
    usage: { prompt_tokens: TOKENS - 1, completion_tokens: 1, total_tokens: TOKENS }
  })
  const server = createServer(async (request, response) => {
    endpoint.received += 1
    const asked = await text(request)
    const answer = () => response.setHeader("content-type", "application/json").end(body)
    if (asked.includes(`${slow}"`)) held.push(answer)
    else answer()
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
  endpoint.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  endpoint.url = `${endpoint.origin}/v1`
  return endpoint
})

describe("a run over several processes", () => {
  it.live(
    "does each row exactly once, and counts what the endpoint counted",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "uniform:1ms-20ms", failures: "500=0.1" })
        const count = 800
        writeFileSync(dir.input, rows(count))
        const { report, sent } = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start({ ...dir.options, maxOutstanding: 100 })
            return { report: yield* run.await, sent: yield* sentBy(run) }
          })
        ).pipe(withProcesses(dir, 3, configOf(sandbox)))
        assert.deepStrictEqual(accounted(dir), range(count))
        assert.strictEqual(readLines(dir.save).length, report.saved)
        assert.isAbove(report.failed, 0)
        assert.deepInclude(report, {
          ...{ outcome: "completed", total: count, saved: count - report.failed, outstanding: 0, warnings: [] },
          failures: { ServerError: report.failed }
        })
        assert.strictEqual(report.samples.length, 5)
        assert.deepStrictEqual([sent, (yield* sandbox.stats).received], [count, count])
        assert.strictEqual(pidsOf(dir).length, 3)
        assert.deepStrictEqual(pidsOf(dir).filter(isAlive), [], "no process is left")
      }),
    TIMEOUT
  )

  it.live(
    "names lines that are no rows by their numbers, and stops at the limit",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        const isRow = (index: number) => index % 7 !== 3
        const text = range(300).map((index) => (isRow(index) ? `{"input":"question ${index}"}` : "no row"))
        writeFileSync(dir.input, `\uFEFF${text.join("\r\n")}\r\n`)
        const report = yield* runToEnd({ ...dir.options, limit: 250 }).pipe(withProcesses(dir, 2, configOf(sandbox)))
        assert.deepInclude(report, { outcome: "completed", total: 250 })
        assert.deepStrictEqual(accounted(dir), range(250))
        const failed = readLines(dir.errors)
        const invalid = range(250).filter((index) => !isRow(index))
        assert.deepStrictEqual(
          failed.map((line) => Number(line["line"]) - 1).sort((a, b) => a - b),
          invalid
        )
        assert.isTrue(failed.every((line) => line["raw"] === "no row"))
        assert.strictEqual(report.invalid, invalid.length)
      }),
    TIMEOUT
  )

  it.live(
    "writes in the order of the input, on request",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "uniform:1ms-30ms", failures: "500=0.1" })
        const count = 500
        writeFileSync(dir.input, rows(count))
        yield* runToEnd({ ...dir.options, ordered: true, maxOutstanding: 64 }).pipe(
          withProcesses(dir, 3, configOf(sandbox))
        )
        for (const file of [dir.save, dir.errors]) {
          const indices = readLines(file).map(indexOf)
          assert.deepStrictEqual(
            indices,
            indices.toSorted((a, b) => a - b)
          )
        }
        assert.deepStrictEqual(accounted(dir), range(count))
      }),
    TIMEOUT
  )

  it.live(
    "reads every row in the format of the first, and says which fields were left out",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        const row = (index: number) => ({
          custom_id: `row-${index}`,
          ...{ method: "POST", url: "/v1/chat/completions" },
          body: { messages: [{ role: "user", content: `question ${index}` }], logit_bias: {} }
        })
        // None of the first lines is a row in any format; the last ones are rows of ours, and so not of the format.
        const lines = [
          ...range(40).map(() => "{}"),
          ...range(200).map((index) => JSON.stringify(row(index))),
          ...range(20).map(() => '{"input":"ours"}')
        ]
        writeFileSync(dir.input, `${lines.join("\n")}\n`)
        const config = configOf(sandbox, { kind: "gemini", baseUrl: new URL(`${sandbox.origin}/v1beta`) })
        const report = yield* runToEnd({ ...dir.options, outputFormat: "openai" }).pipe(withProcesses(dir, 2, config))
        assert.deepStrictEqual(accounted(dir), range(260))
        assert.deepInclude(report, { saved: 200, invalid: 60 })
        assert.match(report.warnings.join(), /^Some fields .* endpoints of kind gemini: logit_bias\.$/)
        const custom = readLines(dir.save).map((line) => line["custom_id"])
        assert.deepStrictEqual(new Set(custom), new Set(range(200).map((index) => `row-${index}`)))
      }),
    TIMEOUT
  )

  it.live(
    "hands on rows and results of any size, whole",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        // More than is read at once, more than goes through a spool, and many small ones before and after.
        const sizes = range(60).map((index) => (index === 20 ? 5_000_000 : index % 10 === 5 ? 700_000 : index))
        const inputs = sizes.map((size, index) => `${index}:${"ö".repeat(size / 2)}`)
        writeFileSync(dir.input, inputs.map((input) => JSON.stringify({ input })).join("\r\n"))
        yield* runToEnd(dir.options).pipe(withProcesses(dir, 2, configOf(sandbox)))
        assert.deepStrictEqual(accounted(dir), range(60))
        assert.isTrue(readLines(dir.save).every((line) => line["input"] === inputs[indexOf(line)]))
        assert.strictEqual((yield* sandbox.stats).received, 60)
      }),
    TIMEOUT
  )

  it.live(
    "stops when somebody cuts the input meanwhile, and settles nothing that it cannot read",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:20ms" })
        const count = 3000
        writeFileSync(dir.input, rows(count))
        const report = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start({ ...dir.options, maxOutstanding: 64 })
            yield* done(run, 50)
            truncateSync(dir.input, Math.floor(rows(count).length / 10))
            return yield* run.await
          })
        ).pipe(withProcesses(dir, 2, configOf(sandbox)))
        assert.strictEqual(accounted(dir).length, report.saved)
        assert.strictEqual((yield* sandbox.stats).received, report.saved, "what is not there any more is not sent")
        assert.deepInclude(report, { outcome: "interrupted", failed: 0, invalid: 0 })
        assert.include(report.warnings.join(), "by one of its processes (it has become shorter)")
        // As it was: then the run goes on.
        writeFileSync(dir.input, rows(count))
        const resumed = yield* runToEnd({ ...dir.options, existing: "resume" }).pipe(
          withProcesses(dir, 2, configOf(sandbox))
        )
        assert.deepInclude(resumed, { outcome: "completed", saved: count, failed: 0 })
        assert.strictEqual((yield* sandbox.stats).received, count, "no row was sent twice")
      }),
    TIMEOUT
  )

  it.live(
    "says the system's word when a process cannot read the input, and goes on later",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        writeFileSync(dir.input, rows(100))
        const config = configOf(sandbox)
        // The lowest number that is free is the next that is given: a folder in place of the input.
        const first = `const { closeSync, openSync } = await import("node:fs")\ncloseSync(${INPUT})\nopenSync("/")`
        const report = yield* runToEnd(dir.options).pipe(withProcesses(dir, 2, config, new Spending({}), first))
        assert.deepInclude(report, { outcome: "interrupted", saved: 0, failed: 0 })
        assert.include(report.warnings.join(), "by one of its processes (EISDIR)")
        const resumed = yield* runToEnd({ ...dir.options, existing: "resume" }).pipe(withProcesses(dir, 2, config))
        assert.deepInclude(resumed, { outcome: "completed", saved: 100 })
      }),
    TIMEOUT
  )

  it.live(
    "sends the rows of the file that it has opened, though another one gets its name at that moment",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        writeFileSync(dir.input, rows(100))
        writeFileSync(dir.path("other.jsonl"), rows(100).replaceAll("question", "sentence"))
        let opened = 0
        const replacing = Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (fs) => ({
            ...fs,
            open: (path, options) =>
              Effect.tap(fs.open(path, options), () =>
                // First it is compared with earlier results, then read.
                Effect.sync(() => path === dir.input && ++opened === 2 && renameSync(dir.path("other.jsonl"), path))
              )
          }))
        ).pipe(Layer.provideMerge(NodeServices.layer))
        const report = yield* runToEnd(dir.options).pipe(
          withProcesses(dir, 2, configOf(sandbox), new Spending({}), "", replacing)
        )
        assert.deepInclude(report, { outcome: "completed", saved: 100 })
        assert.isAtLeast(opened, 2)
        assert.deepStrictEqual(
          new Set(readLines(dir.save).map((line) => line["input"])),
          new Set(
            rows(100)
              .trimEnd()
              .split("\n")
              .map((line) => JSON.parse(line).input)
          )
        )
      }),
    TIMEOUT
  )

  it.live(
    "never exceeds a limit, all processes together",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:5ms" })
        writeFileSync(dir.input, rows(160))
        const config = configOf(sandbox, { limits: { requestsPerSecond: 75 } }, { maxRequestsPerSecond: 50 })
        yield* runToEnd({ ...dir.options, maxOutstanding: 100 }).pipe(withProcesses(dir, 4, config))
        assert.deepStrictEqual(accounted(dir), range(160))
        const { received, maxPerSlidingSecond } = yield* sandbox.stats
        assert.strictEqual(received, 160)
        // Sends are spaced; on a busy machine some arrive together.
        assert.isAtMost(maxPerSlidingSecond, 55)
      }),
    TIMEOUT
  )
})

describe("a process that dies", () => {
  it.live(
    "leaves its rows to the others: each row stands in the files once",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "uniform:5ms-30ms" })
        const count = 800
        writeFileSync(dir.input, rows(count))
        const report = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start({ ...dir.options, ordered: true, maxOutstanding: 64 })
            yield* done(run, 100)
            process.kill(pidsOf(dir)[0]!, "SIGKILL")
            yield* done(run, 400)
            process.kill(pidsOf(dir).find(isAlive)!, "SIGKILL")
            return yield* run.await
          })
        ).pipe(withProcesses(dir, 2, configOf(sandbox)))
        assert.deepInclude(report, { outcome: "completed", saved: count, total: count })
        assert.deepStrictEqual(readLines(dir.save).map(indexOf), range(count), "each row once, in order")
        assert.match(report.warnings.join(), /^2 processes ended unexpectedly \(SIGKILL, SIGKILL\): /)
        const again = (yield* sandbox.stats).received - count
        assert.isAtMost(again, 2 * (64 + 8), "only what was in flight was sent again")
        assert.strictEqual(pidsOf(dir).length, 4, "each was replaced")
        assert.deepStrictEqual(pidsOf(dir).filter(isAlive), [])
      }),
    TIMEOUT
  )

  it.live(
    "and all that replace it, ends the run, to be resumed",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "fixed:1ms" })
        writeFileSync(dir.input, rows(100))
        const config = configOf(sandbox)
        const report = yield* runToEnd(dir.options).pipe(
          withProcesses(dir, 2, config, new Spending({}), "process.exit(3)")
        )
        assert.deepInclude(report, { outcome: "interrupted", saved: 0, failed: 0 })
        assert.match(report.warnings.join(), /^5 processes ended unexpectedly \(exit code 3, .*\): no process is left/)
        assert.strictEqual((yield* sandbox.stats).received, 0)
        const resumed = yield* runToEnd({ ...dir.options, existing: "resume" }).pipe(withProcesses(dir, 3, config))
        assert.deepInclude(resumed, { outcome: "completed", saved: 100 })
      }),
    TIMEOUT
  )
})

describe("stop", () => {
  it.live(
    "lets what was sent end, leaves the rest, and another number of processes goes on",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ latency: "uniform:20ms-60ms" })
        const count = 600
        writeFileSync(dir.input, rows(count))
        const config = configOf(sandbox)
        const report = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start({ ...dir.options, maxOutstanding: 64 })
            yield* done(run, 150)
            yield* run.stop("30 seconds")
            return yield* run.await
          })
        ).pipe(withProcesses(dir, 2, config))
        assert.strictEqual(report.outcome, "interrupted")
        const first = yield* sandbox.stats
        assert.deepStrictEqual(
          [first.aborted, report.saved],
          [0, first.received],
          "every answer is saved, none cut off"
        )
        assert.strictEqual(readLines(dir.save).length, report.saved)
        const resumed = yield* runToEnd({ ...dir.options, existing: "resume" }).pipe(withProcesses(dir, 3, config))
        assert.deepInclude(resumed, { outcome: "completed", resumed: report.saved, saved: count })
        assert.deepStrictEqual(accounted(dir), range(count))
        assert.strictEqual((yield* sandbox.stats).received, count, "nothing was sent twice")
      }),
    TIMEOUT
  )

  it.live(
    "cuts off what takes longer than the grace",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ failures: "stall=1" })
        writeFileSync(dir.input, rows(100))
        const report = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start(dir.options)
            yield* eventually(sandbox.stats, ({ inflight }) => inflight === 16)
            yield* run.stop("50 millis")
            return { ...(yield* run.await), endpoints: yield* run.endpoints }
          })
        ).pipe(withProcesses(dir, 2, configOf(sandbox)))
        assert.deepInclude(report, { outcome: "interrupted", saved: 0, failed: 0, outstanding: 0 })
        assert.deepInclude(report.endpoints[0], { sent: 16, aborted: 16, inflight: 0 })
        yield* eventually(sandbox.stats, ({ aborted }) => aborted === 16)
      }),
    TIMEOUT
  )

  it.live(
    "at once does not wait for a process that does nothing any more",
    () =>
      Effect.gen(function* () {
        const dir = yield* folder
        const sandbox = yield* SandboxServer.make({ failures: "stall=1" })
        writeFileSync(dir.input, rows(100))
        const running = yield* Effect.scoped(
          Effect.gen(function* () {
            const run = yield* (yield* BatchRunner).start(dir.options)
            return yield* run.await
          })
        ).pipe(withProcesses(dir, 2, configOf(sandbox)), Effect.forkChild)
        yield* eventually(sandbox.stats, ({ inflight }) => inflight === 16)
        process.kill(pidsOf(dir)[0]!, "SIGSTOP")
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(pidsOf(dir).filter(isAlive), [])
        assert.deepStrictEqual(accounted(dir), [])
      }),
    TIMEOUT
  )
})

describe("a budget", () => {
  for (const ordered of [false, true]) {
    it.live(
      `is spent by all processes together, and stops them all, whatever one slow row holds up; ordered: ${ordered}`,
      () =>
        Effect.gen(function* () {
          const dir = yield* folder
          const endpoint = yield* slowEndpoint("question 0")
          writeFileSync(dir.input, rows(3000))
          const spending = new Spending({ maxTokensTotal: 4000 })
          const report = yield* Effect.scoped(
            Effect.gen(function* () {
              const run = yield* (yield* BatchRunner).start({ ...dir.options, ordered, maxOutstanding: 3000 })
              yield* spending.awaitSpent
              endpoint.release()
              yield* run.stop("30 seconds")
              return yield* run.await
            })
          ).pipe(withProcesses(dir, 2, configOf(endpoint), spending))
          assert.deepInclude(report, { outcome: "interrupted", failed: 0, saved: endpoint.received })
          assert.strictEqual(accounted(dir).length, endpoint.received)
          const tokens = endpoint.received * TOKENS
          assert.strictEqual(spending.amounts.tokens, tokens, "all is counted, and once")
          assert.isAtLeast(tokens, 4000)
          assert.isAtMost(tokens, 4000 + 16 * TOKENS, "only what was in flight came on top")
        }),
      TIMEOUT
    )
  }
})
