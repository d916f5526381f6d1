/** What a run will do, settled from the flags: files, defaults, and the commands to go on with later. */

import * as path from "node:path"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { FormatName } from "../../domain/batch/Row.ts"
import type { ConfigFlags } from "../../domain/config/ConfigFlags.ts"
import { shellCommand } from "../../domain/report/ShellCommand.ts"
import type { ExistingResults } from "../../services/BatchRunner.ts"
import type { Budget } from "../genai/Spending.ts"
import { configFlags } from "./CommonFlags.ts"
import type { ProgressMode, RunInput } from "./RunFlags.ts"

/** The flags contradict each other, or one is missing. `message` is one sentence with a way out. */
export class UsageError extends Schema.TaggedError<UsageError>()("UsageError", { message: Schema.String }) {}

export interface RunPlan {
  readonly input: string
  readonly saveFile: string
  readonly errorsFile: string
  readonly existing: ExistingResults
  readonly format: "auto" | FormatName
  readonly outputFormat: FormatName
  readonly ordered: boolean
  readonly limit: number | undefined
  /** Over how many processes the work is spread; at least 1. */
  readonly processes: number
  readonly dryRun: boolean
  readonly progress: ProgressMode
  readonly graceMs: number
  readonly budget: Budget
  readonly configFlags: ConfigFlags
  /** The command that goes on after an interruption; absent when the results leave no trace to go on from. */
  readonly resumeCommand: string | undefined
  /** The command that sends the failed rows again. */
  readonly rerunCommand: string
}

/** Standard input or output. */
const STDIO = "-"

/** Settles the flags. `program` is how the user starts this tool, word by word. */
export const plan = (flags: RunInput, program: ReadonlyArray<string>): Result.Result<RunPlan, UsageError> => {
  const input = Option.getOrUndefined(Option.orElse(flags.file, () => flags.requestsFilepath))
  if (input === undefined || input === "") {
    return usage("The file with the prompts is missing: name it, such as prompts.jsonl, or give - for standard input.")
  }
  if (Option.isSome(flags.file) && Option.isSome(flags.requestsFilepath)) {
    return usage("The prompts are named twice, as FILE and by --requests-filepath: give one of them.")
  }
  if (flags.resume && flags.overwrite) {
    return usage("--resume keeps earlier results and --overwrite throws them away: give one of them.")
  }
  const saveFile = Option.getOrElse(flags.saveFilepath, () => defaultSaveFile(input))
  if (saveFile === STDIO && flags.resume) {
    return usage("--resume needs a file of answers to go on from: give --save-filepath a file instead of -.")
  }
  const errorsFile = Option.getOrElse(flags.errorsFilepath, () => defaultErrorsFile(input, saveFile))
  if (errorsFile === STDIO) {
    return usage("The rows that failed need a file of their own: give --errors-filepath a file instead of -.")
  }
  const config = configFlags(flags)
  return Result.succeed({
    input,
    saveFile,
    errorsFile,
    existing: flags.resume ? "resume" : flags.overwrite ? "overwrite" : "refuse",
    format: flags.format,
    outputFormat: flags.outputFormat,
    ordered: flags.ordered,
    limit: Option.getOrUndefined(flags.limit),
    processes: flags.processes,
    dryRun: flags.dryRun,
    progress: flags.progress,
    graceMs: flags.grace.ms,
    budget: {
      maxCost: Option.getOrUndefined(flags.maxCost),
      maxTokensTotal: Option.getOrUndefined(flags.maxTokensTotal)
    },
    configFlags: config,
    resumeCommand:
      saveFile === STDIO ? undefined : (input === STDIO ? "... | " : "") + shellCommand(resume(flags, input, program)),
    rerunCommand: shellCommand([...program, "run", errorsFile, ...settings(flags)])
  })
}

const usage = (message: string): Result.Result<never, UsageError> => Result.fail(new UsageError({ message }))

/** `prompts.jsonl` gives `prompts_results.jsonl`; standard input gives standard output. */
const defaultSaveFile = (input: string): string =>
  input === STDIO ? STDIO : besides(input, `${stem(input)}_results.jsonl`)

/** `errors.jsonl` beside the answers; another name when that is the input or the save file itself. */
const defaultErrorsFile = (input: string, saveFile: string): string => {
  const usual = saveFile === STDIO ? "errors.jsonl" : besides(saveFile, "errors.jsonl")
  const taken = [input, saveFile].some((file) => path.resolve(file) === path.resolve(usual))
  return taken ? besides(usual, `${stem(input === STDIO ? saveFile : input)}_errors.jsonl`) : usual
}

const stem = (file: string): string => path.parse(file).name

/** A name in the folder of a file, written as the user wrote the file: relative stays relative. */
const besides = (file: string, name: string): string => {
  const folder = path.dirname(file)
  return folder === "." && !file.startsWith(".")
    ? name
    : folder === "."
      ? `.${path.sep}${name}`
      : path.join(folder, name)
}

const resume = (flags: RunInput, input: string, program: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...program,
  "run",
  input,
  "--resume",
  ...option("save-filepath", flags.saveFilepath),
  ...option("errors-filepath", flags.errorsFilepath),
  ...option("limit", flags.limit),
  ...settings(flags)
]

/** The flags that hold for any file. The loader refuses credentials in them, so that they may be shown. */
const settings = (flags: RunInput): ReadonlyArray<string> => [
  ...(flags.format === "auto" ? [] : ["--format", flags.format]),
  ...(flags.outputFormat === "own" ? [] : ["--output-format", flags.outputFormat]),
  ...(flags.ordered ? ["--ordered"] : []),
  ...option("config", flags.config),
  ...flags.endpoint.flatMap((endpoint) => ["--endpoint", endpoint]),
  ...option("model", flags.model),
  ...option("api-key-env", flags.apiKeyEnv),
  ...option("concurrency", flags.concurrency),
  ...option("max-requests-per-second", flags.maxRequestsPerSecond),
  ...option("max-attempts", flags.maxAttempts),
  ...option("max-cost", flags.maxCost),
  ...option("max-tokens-total", flags.maxTokensTotal),
  ...option("policy", flags.policy),
  ...option("deadline", flags.deadline),
  ...(flags.processes === 1 ? [] : ["--processes", String(flags.processes)]),
  ...(flags.progress === "auto" ? [] : ["--progress", flags.progress]),
  ...(flags.grace.ms === 30_000 ? [] : ["--grace", flags.grace.written])
]

const option = (name: string, value: Option.Option<string | number>): ReadonlyArray<string> =>
  Option.match(value, { onNone: () => [], onSome: (value) => [`--${name}`, String(value)] })
