/** `genai-dispatcher run` as its users have it: a process over real files and real HTTP. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as SandboxServer from "../../src/layers/sandbox/SandboxServer.ts"
import { assertExactlyOnce, readLines, rows } from "../support/Accounts.ts"
import { run } from "../support/Cli.ts"
import { temporaryFolder } from "../support/TemporaryFolder.ts"

/** A port that nobody listens on. */
const deadPort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

describe("a run", () => {
  it.live("saves every row, shows progress on standard error and sums up on standard output", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const east = yield* SandboxServer.make({ seed: 1 })
      const west = yield* SandboxServer.make({ seed: 2 })
      writeFileSync(folder("rows.jsonl"), rows(400))
      const { code, stderr, stdout } = yield* run(
        [
          ...["run", "rows.jsonl", "--policy", "weighted", "--max_requests_per_second", "300", "--model", "m"],
          ...["--endpoint", `east=${east.url},weight=3`, "--endpoint", `west=${west.url}`]
        ],
        { cwd: folder() }
      )
      assert.strictEqual(code, 0, stderr)
      assertExactlyOnce(400, folder("rows_results.jsonl"), folder("errors.jsonl"))
      assert.match(stdout, /^All 400 rows saved {2}\(/)
      assert.match(stdout, /\neast +300 +75\.0% +300 +0 /)
      assert.match(stdout, /\nwest +100 +25\.0% +100 +0 /)
      assert.match(stdout, /\nsaved {3}rows_results\.jsonl\n$/)
      assert.match(stderr, /^1\.\ds {2}\d+\/400 \(\d+\.\d%\) {2}ok \d+ {2}failed 0 .* ETA 0:0\d\n/)
      assert.strictEqual((yield* east.stats).received, 300)
    })
  )

  it.live("keeps rows that no endpoint answers, and the command it recommends sends them again", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const config = (url: string) =>
        JSON.stringify({
          maxAttempts: 3,
          retry: { base: "1ms" },
          // No breaker: it would make the rows wait for the endpoint to come back.
          endpoints: [{ name: "east", kind: "openai", baseUrl: url, model: "m", breaker: { failures: 1000 } }]
        })
      writeFileSync(folder("config.json"), config(`http://127.0.0.1:${yield* deadPort}/v1`))
      writeFileSync(folder("rows.jsonl"), rows(5))
      const down = yield* run(["run", "rows.jsonl", "--config", "config.json"], { cwd: folder() })
      assert.strictEqual(down.code, 1, down.stderr)
      const { failed } = assertExactlyOnce(5, folder("rows_results.jsonl"), folder("errors.jsonl"))
      assert.deepStrictEqual(
        failed.map(({ attempts, reason }) => [reason, attempts]),
        Array.from({ length: 5 }, () => ["ConnectionFailed", 3])
      )
      assert.match(down.stdout, /^0 of 5 rows saved, 5 failed {2}\(.*, 10 retries\)\n/)
      assert.match(down.stdout, /\n {2}east {2}15 ConnectionFailed\n/)
      assert.match(down.stdout, /\n {2}line \d {2}ConnectionFailed {2}\S/)

      const again = /send errors again {3}node \S+main\.ts (.+)\n/.exec(down.stdout)?.[1]?.split(" ") ?? []
      assert.deepStrictEqual(again, ["run", "errors.jsonl", "--config", "config.json"])
      const sandbox = yield* SandboxServer.make({})
      writeFileSync(folder("config.json"), config(sandbox.url))
      const up = yield* run(again, { cwd: folder() })
      assert.strictEqual(up.code, 0, up.stderr)
      assert.deepStrictEqual(
        new Set(readLines(folder("errors_results.jsonl")).map(({ input }) => input)),
        new Set(["row 0", "row 1", "row 2", "row 3", "row 4"])
      )
    })
  )

  it.live("works as a filter: answers, and nothing else, on standard output", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const sandbox = yield* SandboxServer.make({})
      const { code, stderr, stdout } = yield* run(["run", "-", "--endpoint", `${sandbox.url},model=m`], {
        cwd: folder(),
        input: `${rows(20)}no JSON at all\n`
      })
      assert.strictEqual(code, 1, stderr)
      const answers = stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
      assert.deepStrictEqual(
        answers.map(({ index }) => index).sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, index) => index)
      )
      assert.match(stderr, /20 of 21 rows saved, 1 failed/)
      assert.match(stderr, /\nsaved {3}standard output\nerrors {2}errors\.jsonl\n/)
      assert.deepStrictEqual(
        readLines(folder("errors.jsonl")).map(({ line, reason }) => [line, reason]),
        [[21, "InvalidRow"]]
      )
    })
  )

  it.live("speaks JSON to programs: a line each second, and one for the summary", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const sandbox = yield* SandboxServer.make({})
      writeFileSync(folder("rows.jsonl"), rows(60))
      const { code, stderr, stdout } = yield* run(
        [
          ...["run", "rows.jsonl", "--progress", "json", "--max_requests_per_second", "40"],
          ...["--endpoint", `${sandbox.url},model=m`]
        ],
        { cwd: folder() }
      )
      assert.strictEqual(code, 0, stderr)
      assert.deepInclude(JSON.parse(stdout), { type: "summary", outcome: "completed", saved: 60, failed: 0 })
      for (const line of stderr.trimEnd().split("\n")) {
        assert.deepInclude(JSON.parse(line), { type: "progress", total: 60, failed: 0 })
      }
    })
  )

  it.live("never shows a key, even when the endpoint refuses it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const secret = "horse-battery-staple"
      const sandbox = yield* SandboxServer.make({ apiKeys: [Redacted.make("another-key")] })
      writeFileSync(folder("rows.jsonl"), rows(3))
      const args = ["run", "rows.jsonl", "--api_key_env", "EAST_KEY", "--endpoint", `east=${sandbox.url},model=m`]
      const options = { cwd: folder(), env: { EAST_KEY: secret } }
      const { code, stderr, stdout } = yield* run(args, options)
      assert.strictEqual(code, 1, stderr)
      assert.include(stdout, "3 Unauthorized")
      const dry = yield* run([...args, "--overwrite", "--dry-run"], options)
      assert.include(dry.stdout, "EAST_KEY (set)")
      const written = readdirSync(folder()).map((name) => readFileSync(folder(name), "utf8"))
      assert.notInclude([stdout, stderr, dry.stdout, dry.stderr, ...written].join("\n"), secret)
    })
  )
})

describe("a dry run", () => {
  it.live("says what would be sent where, sends nothing and writes nothing", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const sandbox = yield* SandboxServer.make({})
      writeFileSync(folder("rows.jsonl"), rows(400))
      const args = [
        ...["run", "rows.jsonl", "--dry-run", "--model", "m", "--policy", "weighted"],
        ...["--endpoint", `east=${sandbox.url},weight=3`, "--endpoint", `west=${sandbox.url}`]
      ]
      const good = yield* run(args, { cwd: folder() })
      assert.deepStrictEqual([good.code, good.stderr], [0, ""])
      assert.match(good.stdout, /\nrows {4}400 valid, 0 invalid\n/)
      assert.match(
        good.stdout,
        /\neast +3 +75\.0% +300 .*\nwest +1 +25\.0% +100 .*\ntotal +400 +\d.*\nTokens and cost are estimates: /
      )

      writeFileSync(folder("rows.jsonl"), `${rows(2)}\n{"inptu":"typo"}\n`)
      const bad = yield* run(args, { cwd: folder() })
      assert.strictEqual(bad.code, 1, bad.stderr)
      assert.match(bad.stdout, /\nrows {4}2 valid, 2 invalid\n {2}line 3 {2}.+\n {2}line 4 {2}.+\n/)

      assert.deepStrictEqual(readdirSync(folder()), ["rows.jsonl"])
      assert.strictEqual((yield* sandbox.stats).received, 0)
    })
  )
})

describe("mistakes", () => {
  const endpoint = ["--endpoint", "http://127.0.0.1:9/v1,model=m"]
  const cases: ReadonlyArray<{
    readonly name: string
    readonly args: ReadonlyArray<string>
    readonly files?: Readonly<Record<string, string>>
    readonly says: RegExp
  }> = [
    {
      name: "an unknown flag",
      args: ["run", "rows.jsonl", "--max_requests_per_secnod", "5", ...endpoint],
      says: /^error: There is no flag --max_requests_per_secnod; did you mean --max_requests_per_second\?\nSee genai-dispatcher run --help\n$/
    },
    {
      name: "a missing file",
      args: ["run", "rosw.jsonl", ...endpoint],
      says: /^error: .*rosw\.jsonl.*\n$/
    },
    {
      name: "no endpoint at all",
      args: ["run", "rows.jsonl"],
      says: /^error: .*endpoint.*\n$/
    },
    {
      name: "a typo in the config, with the path of the wrong field",
      args: ["run", "rows.jsonl", "--config", "dispatcher.yaml"],
      files: {
        "dispatcher.yaml":
          "endpoints:\n  - { name: east, kind: openai, baseUrl: 'http://127.0.0.1:9/v1', model: m, wieght: 3 }\n"
      },
      says: /^error: dispatcher\.yaml: endpoints\[0\]\.wieght: .*weight.*\n$/
    },
    {
      name: "a key variable that is not set",
      args: ["run", "rows.jsonl", "--api-key-env", "NO_SUCH_KEY", ...endpoint],
      says: /^error: .*NO_SUCH_KEY.*\n$/
    },
    {
      name: "a folder that is not there",
      args: ["run", "rows.jsonl", "--save_filepath", "no/such/out.jsonl", ...endpoint],
      says: /^error: .*no\/such.*\n$/
    },
    {
      name: "results that are there already",
      args: ["run", "rows.jsonl", ...endpoint],
      files: { "rows_results.jsonl": '{"response":"a","index":0,"input":"row 0"}\n' },
      says: /^error: .*--resume.*--overwrite.*\n$/
    }
  ]
  for (const { args, files, name, says } of cases) {
    it.live(`${name}: one clear sentence and exit code 2`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        writeFileSync(folder("rows.jsonl"), rows(2))
        for (const [file, content] of Object.entries(files ?? {})) writeFileSync(folder(file), content)
        const { code, stderr, stdout } = yield* run(args, { cwd: folder() })
        assert.deepStrictEqual([code, stdout], [2, ""], stderr)
        assert.match(stderr, says)
        assert.isFalse(existsSync(folder("errors.jsonl")), "nothing was written")
      })
    )
  }
})
