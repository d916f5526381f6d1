/** The flags of `run`: names, meaning, defaults. */
import * as Argument from "effect/cli/Argument"
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { options } from "../../domain/config/ConfigFlags.ts"
import { parseDuration } from "../../domain/config/DurationText.ts"
import { Policy } from "../../domain/dispatch/Policy.ts"

/** Everything that can be said on the command line, as it was said. */
export type RunInput = Command.Command.Config.Infer<typeof runFlags>

/** Every flag may be written with underscores too, as in the tool that this one replaces. */
const underscored = <A>(name: string, flag: Flag.Flag<A>): Flag.Flag<A> =>
  name.includes("-") ? Flag.withAlias(flag, name.replaceAll("-", "_")) : flag

const text = (name: string, metavar: string, description: string) =>
  underscored(name, Flag.String(name)).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const atLeastOne = (name: string, description: string) =>
  underscored(name, Flag.Int(name)).pipe(
    Flag.filter(
      (n) => n >= 1,
      () => "a whole number from 1 up"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription(description),
    Flag.optional
  )

const toggle = (name: string, description: string) =>
  underscored(name, Flag.Boolean(name)).pipe(
    Flag.withoutNegation,
    Flag.withDescription(description),
    Flag.withDefault(false)
  )

const readConcurrency = (written: string): Option.Option<number | "auto"> => {
  if (written === "auto") return Option.some("auto")
  const n = Number(written)
  return Number.isSafeInteger(n) && n >= 1 ? Option.some(n) : Option.none()
}

const FORMATS = ["own", "openai", "gemini"] as const

export const PROGRESS_MODES = ["auto", "plain", "json", "none"] as const
export type ProgressMode = (typeof PROGRESS_MODES)[number]

const DEFAULT_GRACE = "30s"

export const runFlags = {
  file: Argument.String("FILE").pipe(
    Argument.withDescription("The prompts: JSON Lines, one row per line; - reads standard input"),
    Argument.optional
  ),
  requestsFilepath: text("requests-filepath", "FILE", "The prompts, instead of the argument FILE"),
  saveFilepath: text(
    "save-filepath",
    "FILE",
    "Where the answers go; - is standard output. Default: beside the prompts, prompts.jsonl gives prompts_results.jsonl"
  ),
  errorsFilepath: text(
    "errors-filepath",
    "FILE",
    "Where the rows that failed go, whole, so that they can be run again. Default: errors.jsonl beside the answers"
  ),
  resume: toggle("resume", "Go on where an earlier run stopped. Default: refuse to touch results that are there"),
  overwrite: toggle("overwrite", "Throw earlier results away and start anew"),
  ordered: toggle("ordered", "Write answers in the order of the prompts. Default: as they come"),
  format: Flag.Literals("format", ["auto", ...FORMATS]).pipe(
    Flag.withMetavar("FORMAT"),
    Flag.withDescription(
      "How the prompts are written: own, or as for the batch API of openai or gemini. Default: auto, as the first row is"
    ),
    Flag.withDefault("auto")
  ),
  outputFormat: underscored("output-format", Flag.Literals("output-format", FORMATS)).pipe(
    Flag.withMetavar("FORMAT"),
    Flag.withDescription(
      "How the results are written: own, openai or gemini; a provider's lines have one more member, _dispatcher. Default: own"
    ),
    Flag.withDefault("own")
  ),
  limit: atLeastOne("limit", "Do only the first N rows. Default: all"),
  config: text(
    "config",
    "FILE",
    "Endpoints and settings, YAML or JSON; flags override it. Default: dispatcher.yaml, .yml or .json in this directory"
  ),
  endpoint: underscored("endpoint", Flag.String("endpoint")).pipe(
    Flag.withMetavar("ENDPOINT"),
    Flag.withDescription(
      "An endpoint as [NAME=]URL[,OPTION=VALUE]..., instead of those of the config; may be repeated. Options: " +
        `${options.join(", ")} (prices per 1,000,000 tokens)`
    ),
    Flag.atLeast(0)
  ),
  model: text("model", "NAME", "The model of all endpoints. Default: that of the config"),
  apiKeyEnv: text("api-key-env", "NAME", "The environment variable that holds the key of the endpoints. Default: none"),
  concurrency: Flag.String("concurrency").pipe(
    Flag.withMetavar("N|auto"),
    Flag.filterMap(readConcurrency, () => "a whole number from 1 up, or auto"),
    Flag.withDescription("Most requests in flight per endpoint; auto finds as many as do best. Default: 256"),
    Flag.optional
  ),
  maxRequestsPerSecond: underscored("max-requests-per-second", Flag.Finite("max-requests-per-second")).pipe(
    Flag.filter(
      (n) => n > 0,
      () => "a number above 0"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription("Most requests sent per second, retries too, over all endpoints. Default: no limit"),
    Flag.optional
  ),
  maxCost: underscored("max-cost", Flag.Finite("max-cost")).pipe(
    Flag.filter(
      (n) => n > 0,
      () => "a number above 0"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription(
      "Stop, as Ctrl-C does, once the answers of this run have cost N by the endpoints' prices; exceeded only by what is in " +
        "flight then. --resume goes on, with a budget of its own. Default: no limit"
    ),
    Flag.optional
  ),
  maxTokensTotal: atLeastOne(
    "max-tokens-total",
    "The same for tokens, read and written, as endpoints report them. Default: no limit"
  ),
  maxAttempts: atLeastOne("max-attempts", "Most times that one row is sent. Default: 5"),
  policy: text("policy", "NAME", `How rows are shared: ${Policy.literals.join(", ")}. Default: least-loaded`),
  deadline: text("deadline", "TIME", "Most time for one row, retries and waiting included. Default: 10m"),
  dryRun: toggle("dry-run", "Check the config and every row, say what would be sent where, and send nothing"),
  progress: Flag.Literals("progress", PROGRESS_MODES).pipe(
    Flag.withMetavar("MODE"),
    Flag.withDescription("How to show progress. Default: auto, a live display on a terminal, else plain lines"),
    Flag.withDefault("auto")
  ),
  grace: Flag.String("grace").pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(
      (written) => Option.map(Result.getSuccess(parseDuration(written)), (ms) => ({ written, ms })),
      () => "a number with a unit, such as 500ms, 30s or 2m"
    ),
    Flag.withDescription(`How long Ctrl-C waits for requests in flight. Default: ${DEFAULT_GRACE}`),
    Flag.withDefault({ written: DEFAULT_GRACE, ms: 30_000 })
  )
}
