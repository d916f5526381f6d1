/** `genai-dispatcher run`. */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { FlagGroups } from "./Help.ts"
import { NAME } from "./Program.ts"
import { runFlags } from "./RunFlags.ts"
import { plan, type UsageError } from "./RunPlan.ts"

/** Shown like any other mistake on the command line. */
const wrongUsage = (error: UsageError) =>
  new CliError.ShowHelp({
    commandPath: [NAME, "run"],
    errors: [new CliError.ValidationError({ message: error.message })]
  })

/**
 * Sends every row of a file through the endpoints. `program` is how the user starts this tool, word by word.
 *
 * What does the work is loaded only when there is work: `--help` and a mistyped flag need not wait for it.
 */
export const runCommand = (program: ReadonlyArray<string>) =>
  Command.make("run", runFlags, (flags) =>
    Effect.gen(function* () {
      const settled = yield* Effect.mapError(Effect.fromResult(plan(flags, program)), wrongUsage)
      const { execute } = yield* Effect.promise(() => import("./RunLayers.ts"))
      yield* execute(settled)
    })
  ).pipe(
    Command.withDescription(
      "Send every prompt of a JSON Lines file through one or many LLM endpoints. Each row ends up in exactly one of two " +
        "files: with its answer in the save file, or with the error in the errors file. Flags may be written with " +
        "underscores too, such as --max_requests_per_second."
    ),
    Command.withShortDescription("Send a file of prompts through LLM endpoints and account for every row"),
    Command.annotate(FlagGroups, {
      Files: [
        "requests-filepath",
        "save-filepath",
        "errors-filepath",
        "format",
        "output-format",
        "resume",
        "overwrite",
        "ordered",
        "limit"
      ],
      Endpoints: ["config", "endpoint", "model", "api-key-env", "concurrency", "policy"],
      Budget: ["max-cost", "max-tokens-total"],
      "Pace and patience": ["max-requests-per-second", "max-attempts", "deadline", "grace"],
      Running: ["processes", "dry-run", "progress"]
    }),
    Command.withExamples([
      {
        description: "Two endpoints, three rows to the first for each to the second, at most 100 a second",
        command:
          "genai-dispatcher run prompts.jsonl --model some-model --max-requests-per-second 100 \\\n" +
          "    --endpoint east=https://east.example.com/v1,weight=3,apiKeyEnv=EAST_KEY \\\n" +
          "    --endpoint west=https://west.example.com/v1,apiKeyEnv=WEST_KEY"
      },
      {
        description: "The same from a config file; first see what would be sent where",
        command: "genai-dispatcher run prompts.jsonl --config dispatcher.yaml --dry-run"
      },
      {
        description: "Go on after Ctrl-C, a crash or a power cut",
        command: "genai-dispatcher run prompts.jsonl --config dispatcher.yaml --resume"
      },
      {
        description: "As a filter",
        command: "cat prompts.jsonl | genai-dispatcher run - --config dispatcher.yaml > answers.jsonl"
      }
    ])
  )
