import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { cli } from "../../../src/layers/cli/Cli.ts"
import { version } from "../../../src/layers/cli/Program.ts"
import { capture, makeSignals, output } from "./Harness.ts"

/** Runs the tool with arguments that send nothing. */
const runCli = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const out = capture()
  const err = capture()
  const code = yield* cli({ args, version: "1.2.3", program: ["genai-dispatcher"] }).pipe(
    Effect.match({ onSuccess: () => 0, onFailure: (status) => status.code }),
    Effect.provide(Layer.mergeAll(output(out, err), makeSignals().layer))
  )
  return { code, out: out.text(), err: err.text() }
})

describe("mistakes on the command line", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
    [["rum", "p.jsonl"], "There is no command rum; did you mean run?"],
    [["p.jsonl"], "There is no command p.jsonl; to send a file, write run p.jsonl."],
    [["dance"], "There is no command dance; there are run, serve, key and sandbox."],
    [["run", "p.jsonl", "--max_atempts", "3"], "There is no flag --max_atempts; did you mean --max_attempts?"],
    [["run", "p.jsonl", "--max-atempts=3"], "There is no flag --max-atempts; did you mean --max-attempts?"],
    [["run", "p.jsonl", "--dryrun"], "There is no flag --dryrun; did you mean --dry-run?"],
    [["run", "p.jsonl", "--sparkle"], "There is no flag --sparkle."],
    [["run", "p.jsonl", "--max_attempts", "many"], "--max-attempts cannot be many; it must be a number."],
    [["run", "p.jsonl", "--max_attempts", "0"], "--max-attempts cannot be 0; it must be a whole number from 1 up."],
    [["run", "p.jsonl", "--max_attempts"], "--max-attempts has no value; write --max-attempts N."],
    [["run", "p.jsonl", "--max_attempts", "1", "--max-attempts", "2"], "--max-attempts is given more than once."],
    [
      ["run", "p.jsonl", "--max_requests_per_second", "-5"],
      "--max-requests-per-second cannot be -5; it must be a number above 0."
    ],
    [
      ["run", "p.jsonl", "--grace", "5"],
      "--grace cannot be 5; it must be a number with a unit, such as 500ms, 30s or 2m."
    ],
    [["run", "p.jsonl", "--progress", "loud"], "--progress cannot be loud; it must be auto, plain, json or none."],
    [["run", "p.jsonl", "q.jsonl"], "There is one word too many: q.jsonl."],
    [["run"], "The file with the prompts is missing: name it, such as prompts.jsonl, or give - for standard input."]
  ]
  for (const [args, sentence] of cases) {
    it.effect(`answers ${args.join(" ")} with one sentence and exit code 2`, () =>
      Effect.gen(function* () {
        const { code, err, out } = yield* runCli(...args)
        const page = args[0] === "run" ? "run --help" : "--help"
        assert.deepStrictEqual(
          { code, out, err },
          { code: 2, out: "", err: `error: ${sentence}\nSee genai-dispatcher ${page}\n` }
        )
      })
    )
  }

  it.effect("does not repeat control characters that came in", () =>
    Effect.gen(function* () {
      const { err } = yield* runCli("run", "p.jsonl", "--x\x1b[2J\ny")
      assert.notInclude(err, "\x1b")
      assert.strictEqual(err.split("\n").length, 3)
    })
  )
})

describe("help", () => {
  it.effect("goes to standard output, within 80 columns but for examples, when it is asked for", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* runCli("run", "--help")
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
      for (const line of out.slice(0, out.indexOf("Examples")).split("\n")) assert.isAtMost(line.length, 80)
    })
  )

  it.effect("names every flag of the tool that this one replaces, with its default", () =>
    Effect.gen(function* () {
      const { out } = yield* runCli("run", "--help")
      const text = out.replaceAll(/\s+/g, " ")
      assert.match(text, /--requests-filepath FILE/)
      assert.match(text, /--max-requests-per-second N [^-]+Default: no limit/)
      assert.match(text, /--max-attempts N [^-]+Default: 5/)
      assert.match(text, /--save-filepath FILE .+Default: beside the prompts/)
      assert.match(text, /--errors-filepath FILE .+Default: errors.jsonl/)
    })
  )

  it.effect("goes to standard error, with exit code 2, when the command is missing", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* runCli()
      assert.deepStrictEqual({ code, out }, { code: 2, out: "" })
      assert.match(err, /Commands\n {2}run /)
    })
  )

  it.effect("tells the version", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runCli("--version"), { code: 0, out: "genai-dispatcher 1.2.3\n", err: "" })
      assert.match(version(), /^\d+\.\d+\.\d+/)
    })
  )
})

describe("serve", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, string]> = [
    [["serve", "--prot", "1"], "There is no flag --prot; did you mean --port?"],
    [["serve", "--request-log", "xml"], "--request-log cannot be xml; it must be json, text or none."],
    [["serve", "--grace", "5"], "--grace cannot be 5; it must be a number with a unit, such as 500ms, 30s or 2m."],
    [["serve", "prompts.jsonl"], "There is one word too many: prompts.jsonl."]
  ]
  for (const [args, sentence] of cases) {
    it.effect(`answers ${args.join(" ")} with one sentence and exit code 2`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* runCli(...args), {
          code: 2,
          out: "",
          err: `error: ${sentence}\nSee genai-dispatcher serve --help\n`
        })
      })
    )
  }

  it.effect("lists every flag with its default", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* runCli("serve", "--help")
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
      const text = out.replaceAll(/\s+/g, " ")
      assert.match(text, /--host ADDRESS [^-]+Default: 127\.0\.0\.1/)
      assert.match(text, /--port N [^-]+Default: 8080/)
      assert.match(text, /--no-auth Ask nobody/)
      assert.match(text, /--grace TIME How long .+ in flight\. Default: 30s/)
      assert.match(text, /--endpoint ENDPOINT/)
    })
  )

  it.effect("refuses to let everybody on a network in unless that is asked for", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::", "192.0.2.1", "host.test"]) {
        const { code, err, out } = yield* runCli("serve", "--endpoint", "http://h", "--host", host)
        assert.deepStrictEqual({ code, out }, { code: 2, out: "" })
        assert.match(err, new RegExp(`^error: Everybody who reaches ${host} could .* --no-auth\\.\n$`))
      }
    })
  )
})

describe("configuration", () => {
  it.effect("is found wrong before any file is looked at", () =>
    Effect.gen(function* () {
      const { code, err, out } = yield* runCli("run", "no-such-prompts.jsonl", "--endpoint", "ftp://host")
      assert.deepStrictEqual({ code, out }, { code: 2, out: "" })
      assert.match(err, /^error: .*http:\/\/ or https:\/\/.*\n$/)
    })
  )
})
