/** `run` without a word about concurrency: how many requests it has in flight is for it to find out. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import { assertExactlyOnce, rows } from "../support/Accounts.ts"
import { run, type StartOptions } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** Runs so many rows with the default flags and these. */
const runRows = (count: number, url: string, flags: ReadonlyArray<string>, options: StartOptions = {}) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    writeFileSync(folder("rows.jsonl"), rows(count))
    const args = ["run", "rows.jsonl", "--endpoint", `east=${url},model=m`, ...flags]
    const finished = yield* run(args, { ...options, cwd: folder() })
    const accounts = assertExactlyOnce(count, folder("rows_results.jsonl"), folder("errors.jsonl"))
    return { ...finished, ...accounts }
  })

describe("the concurrency of a run", () => {
  it.live("grows with what the rate needs: 1,000 a second at 300 ms are 300 at once", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:300ms" })
      const { code, saved, stderr } = yield* runRows(4_000, sandbox.url, ["--max-requests-per-second", "1000"])
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(saved.length, 4_000)
      assert.isAtLeast((yield* sandbox.stats).maxInflight, 275, "within the 4 s that the rows last")
    })
  )

  it.live("settles near what an endpoint bears that refuses more, and loses nothing", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:100ms", maxConcurrency: 100 })
      const { code, saved, stderr } = yield* runRows(6_000, sandbox.url, [])
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(saved.length, 6_000)
      const { overloaded, received } = yield* sandbox.stats
      assert.isAtLeast(received, 6_000)
      assert.isBelow(overloaded, 900, "15 refusals for 100 rows at most")
    })
  )

  it.live("is held by the open files that the system allows, and says so", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:300ms" })
      const { code, stderr } = yield* runRows(4_000, sandbox.url, [], { openFiles: 512 })
      assert.strictEqual(code, 0, stderr)
      assert.isAtMost((yield* sandbox.stats).maxInflight, 256)
      assert.include(stderr, 'endpoint "east" is held at 256 requests at once: this process may open 512 files')
    })
  )

  it.live("is what the flag says where it says something", () =>
    Effect.gen(function* () {
      const sandbox = yield* SandboxServer.make({ latency: "fixed:20ms" })
      const { code, stderr } = yield* runRows(200, sandbox.url, ["--concurrency", "7"])
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual((yield* sandbox.stats).maxInflight, 7)
    })
  )
})
