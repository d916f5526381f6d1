/** The flags of `run`: names, meaning, defaults. */
import * as Argument from "effect/cli/Argument"
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { atLeastOne, dispatcherFlags, graceFlag, text, toggle, underscored } from "./CommonFlags.ts"

/** Everything that can be said on the command line, as it was said. */
export type RunInput = Command.Command.Config.Infer<typeof runFlags>

const FORMATS = ["own", "openai", "gemini"] as const

export const PROGRESS_MODES = ["auto", "plain", "json", "none"] as const
export type ProgressMode = (typeof PROGRESS_MODES)[number]

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
  ...dispatcherFlags,
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
  processes: underscored("processes", Flag.Int("processes")).pipe(
    Flag.filter(
      (n) => n >= 1,
      () => "a whole number from 1 up"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription(
      "Spread the work over N processes of this machine, for more than one core can do; they share all limits, and what " +
        "is in flight, evenly. Default: 1"
    ),
    Flag.withDefault(1)
  ),
  dryRun: toggle("dry-run", "Check the config and every row, say what would be sent where, and send nothing"),
  progress: Flag.Literals("progress", PROGRESS_MODES).pipe(
    Flag.withMetavar("MODE"),
    Flag.withDescription("How to show progress. Default: auto, a live display on a terminal, else plain lines"),
    Flag.withDefault("auto")
  ),
  grace: graceFlag("How long Ctrl-C waits for requests in flight").pipe(
    Flag.withDefault({ written: "30s", ms: 30_000 })
  )
}
