import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { startedAs } from "../../../src/layers/cli/Program.ts"
import { plan } from "../../../src/layers/cli/RunPlan.ts"
import { parse } from "./Harness.ts"

const program = ["genai-dispatcher"]

const planOf = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(parse(...args), (flags) => Effect.fromResult(plan(flags, program)))

const refusalOf = (...args: ReadonlyArray<string>) =>
  Effect.map(parse(...args), (flags) =>
    Result.match(plan(flags, program), { onSuccess: () => "no refusal", onFailure: (error) => error.message })
  )

describe("files of a run", () => {
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, string, string, string]> = [
    ["beside the prompts", ["prompts.jsonl"], "prompts.jsonl", "prompts_results.jsonl", "errors.jsonl"],
    ["in the prompts' folder", ["in/a.b.jsonl"], "in/a.b.jsonl", "in/a.b_results.jsonl", "in/errors.jsonl"],
    ["with the dot it was given", ["./p.jsonl"], "./p.jsonl", "./p_results.jsonl", "./errors.jsonl"],
    ["without an extension", ["prompts"], "prompts", "prompts_results.jsonl", "errors.jsonl"],
    [
      "errors beside the save file",
      ["p.jsonl", "--save_filepath", "out/a.jsonl"],
      "p.jsonl",
      "out/a.jsonl",
      "out/errors.jsonl"
    ],
    ["errors where they are told to go", ["p.jsonl", "--errors_filepath", "e/x"], "p.jsonl", "p_results.jsonl", "e/x"],
    [
      "errors of errors",
      ["out/errors.jsonl"],
      "out/errors.jsonl",
      "out/errors_results.jsonl",
      "out/errors_errors.jsonl"
    ],
    [
      "errors of errors by another path",
      ["./x/../errors.jsonl"],
      "./x/../errors.jsonl",
      "errors_results.jsonl",
      "errors_errors.jsonl"
    ],
    [
      "errors beside a save file named errors",
      ["p.jsonl", "--save-filepath", "errors.jsonl"],
      "p.jsonl",
      "errors.jsonl",
      "p_errors.jsonl"
    ],
    ["standard input to standard output", ["-"], "-", "-", "errors.jsonl"],
    ["standard input to a file", ["-", "--save_filepath", "o/a"], "-", "o/a", "o/errors.jsonl"],
    ["a file to standard output", ["in/p.jsonl", "--save_filepath", "-"], "in/p.jsonl", "-", "errors.jsonl"],
    ["prompts named by flag", ["--requests_filepath", "p.jsonl"], "p.jsonl", "p_results.jsonl", "errors.jsonl"]
  ]
  for (const [name, args, input, saveFile, errorsFile] of cases) {
    it.effect(`are ${name}`, () =>
      Effect.gen(function* () {
        const settled = yield* planOf(...args)
        assert.deepStrictEqual([settled.input, settled.saveFile, settled.errorsFile], [input, saveFile, errorsFile])
      })
    )
  }
})

describe("flags", () => {
  it.effect("are the same with underscores and with hyphens", () =>
    Effect.gen(function* () {
      const words = [
        "--requests_filepath=p.jsonl",
        "--max_requests_per_second=500",
        "--max_attempts=3",
        "--save_filepath=a.jsonl",
        "--errors_filepath=e.jsonl",
        "--api_key_env=KEY"
      ]
      const underscored = yield* planOf(...words)
      assert.deepStrictEqual(
        underscored,
        yield* planOf(...words.map((word) => word.replace(/^--\w+/, (flag) => flag.replaceAll("_", "-"))))
      )
      assert.deepStrictEqual(underscored.configFlags, {
        config: undefined,
        endpoints: [],
        model: undefined,
        concurrency: undefined,
        maxRequestsPerSecond: 500,
        maxAttempts: 3,
        policy: undefined,
        deadline: undefined,
        apiKeyEnv: "KEY"
      })
    })
  )

  it.effect("have the defaults that the help tells", () =>
    Effect.gen(function* () {
      const settled = yield* planOf("p.jsonl")
      assert.deepInclude(settled, {
        existing: "refuse",
        format: "auto",
        outputFormat: "own",
        ordered: false,
        limit: undefined,
        processes: 1,
        dryRun: false,
        progress: "auto",
        graceMs: 30_000
      })
    })
  )

  it.effect("may come after the file, and --endpoint more than once", () =>
    Effect.gen(function* () {
      const settled = yield* planOf(
        "p.jsonl",
        "--endpoint",
        "a=http://a/v1",
        "--ordered",
        "--endpoint",
        "http://b/v1,weight=2"
      )
      assert.deepStrictEqual(settled.configFlags.endpoints, ["a=http://a/v1", "http://b/v1,weight=2"])
      assert.isTrue(settled.ordered)
    })
  )

  it.effect("may be followed by a file whose name looks like a flag", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* planOf("--ordered", "--", "--max_attempts")).input, "--max_attempts")
    })
  )
})

describe("contradictions", () => {
  const cases: ReadonlyArray<readonly [ReadonlyArray<string>, RegExp]> = [
    [[], /^The file with the prompts is missing/],
    [["p.jsonl", "--requests_filepath", "q.jsonl"], /^The prompts are named twice/],
    [["p.jsonl", "--resume", "--overwrite"], /^--resume keeps earlier results/],
    [["-", "--resume"], /^--resume needs a file of answers/],
    [["p.jsonl", "--errors_filepath", "-"], /^The rows that failed need a file/]
  ]
  for (const [args, expected] of cases) {
    it.effect(`refuses ${args.join(" ") || "no file at all"}`, () =>
      Effect.gen(function* () {
        assert.match(yield* refusalOf(...args), expected)
      })
    )
  }
})

describe("recommended commands", () => {
  it.effect("resume with everything that was said, but do not overwrite", () =>
    Effect.gen(function* () {
      const settled = yield* planOf(
        "my prompts.jsonl",
        "--overwrite",
        "--max_attempts=3",
        "--limit=5",
        "--save_filepath=out/a.jsonl",
        "--endpoint=a=http://a/v1,weight=3",
        "--grace=2m",
        "--progress=plain"
      )
      assert.strictEqual(
        settled.resumeCommand,
        "genai-dispatcher run 'my prompts.jsonl' --resume --save-filepath out/a.jsonl --limit 5 " +
          "--endpoint a=http://a/v1,weight=3 --max-attempts 3 --progress plain --grace 2m"
      )
    })
  )

  it.effect("keep the formats, also for the rows that failed", () =>
    Effect.gen(function* () {
      const settled = yield* planOf("p.jsonl", "--format=openai", "--output_format=gemini")
      assert.deepInclude(settled, { format: "openai", outputFormat: "gemini" })
      const formats = "--format openai --output-format gemini"
      assert.strictEqual(settled.resumeCommand, `genai-dispatcher run p.jsonl --resume ${formats}`)
      assert.strictEqual(settled.rerunCommand, `genai-dispatcher run errors.jsonl ${formats}`)
    })
  )

  it.effect("send the errors again to files of their own", () =>
    Effect.gen(function* () {
      const settled = yield* planOf(
        "p.jsonl",
        "--save_filepath=out/a.jsonl",
        "--limit=5",
        "--config=d.yaml",
        "--resume"
      )
      assert.strictEqual(settled.rerunCommand, "genai-dispatcher run out/errors.jsonl --config d.yaml")
    })
  )

  it.effect("ask for the same standard input again, and know when there is nothing to go on from", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        (yield* planOf("-", "--save_filepath=a.jsonl")).resumeCommand,
        "... | genai-dispatcher run - --resume --save-filepath a.jsonl"
      )
      assert.isUndefined((yield* planOf("p.jsonl", "--save_filepath=-")).resumeCommand)
    })
  )

  it("start the program as the user did", () => {
    assert.deepStrictEqual(startedAs("/usr/bin/genai-dispatcher", "/home/me"), ["genai-dispatcher"])
    assert.deepStrictEqual(startedAs("/home/me/src/main.ts", "/home/me"), ["node", "src/main.ts"])
  })
})
