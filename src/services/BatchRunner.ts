/** Pushes a file of rows through the client and accounts for every one of them. */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { FormatName } from "../domain/batch/Row.ts"
import type { EndpointStats } from "../domain/genai/EndpointStats.ts"

/** What to do with result files that are there and not empty. */
export type ExistingResults = "refuse" | "resume" | "overwrite"

/** What a run reads, where it writes, and how. */
export interface BatchOptions {
  /** Path of the JSONL input, or `-` for standard input. */
  readonly input: string
  /** Path for the answers, or `-` for standard output. */
  readonly saveFile: string
  /** Path for the rows that failed. */
  readonly errorsFile: string
  readonly existing: ExistingResults
  /**
   * Write the lines of each file in the order of the input. Answers wait for those before them, within `maxOutstanding`.
   * When a run is stopped, what came is written although rows before it are left to a later run.
   */
  readonly ordered: boolean
  /** Stop after so many rows of the input, those already done included; `undefined` for all. */
  readonly limit: number | undefined
  /**
   * Most rows read and without a result in a file's write buffer; bounds memory and how far reading runs ahead. A whole
   * number above 0.
   */
  readonly maxOutstanding: number
  /** Any JSON object is a valid row, as endpoints of kind `raw` take it. */
  readonly anyObject: boolean
  /**
   * How the rows are written: in our own words, or as for the batch API of OpenAI or Gemini. `auto`: as the first row is
   * that is in one of them. Default: `auto`.
   */
  readonly format?: "auto" | FormatName | undefined
  /**
   * How the results are written, whatever the rows are. In a provider's format a line has one more member, `_dispatcher`,
   * with what a later run needs (`index`, `hash`) and what the provider's format has no place for. Default: `own`.
   */
  readonly outputFormat?: FormatName | undefined
}

/** Counts of rows, now. `done` = `saved` + `failed`, `total` once it is known. */
export interface BatchProgress {
  /** Rows in the input (up to the limit); `undefined` while unknown (standard input, still counting). */
  readonly total: number | undefined
  /** Rows that an earlier run had already done; included in `saved` or `failed`. */
  readonly resumed: number
  readonly saved: number
  /** Rows in the errors file, the invalid ones included. */
  readonly failed: number
  /** Rows that could not be read as a request. */
  readonly invalid: number
  /** Rows read whose result is not in a file's write buffer yet (which is written every 20 ms, and never over 1 MiB). */
  readonly outstanding: number
}

/** How a run ended. */
export interface BatchReport extends BatchProgress {
  /** `interrupted`: stopped before the end of the input; `--resume` continues. */
  readonly outcome: "completed" | "interrupted"
  /** Failed rows of this run by the `_tag` of the reason (`InvalidRow` for those that were not sent). */
  readonly failures: Readonly<Record<string, number>>
  /** The first failures of this run, for the summary: at most 5. */
  readonly samples: ReadonlyArray<{ readonly line: number; readonly reason: string; readonly error: string }>
  /** Sentences about fields of provider rows that did not reach endpoints of other kinds; empty when all did. */
  readonly warnings: ReadonlyArray<string>
  /** How long this run took, in milliseconds. */
  readonly elapsedMs: number
}

/** What rows ask for, before anybody has counted tokens. */
export interface AskedTokens {
  /** Bytes of the prompts' text in UTF-8. */
  readonly textBytes: number
  /** Tokens read that do not depend on the text: separators, attachments. */
  readonly fixedTokens: number
  /** The sum of the longest answers, over the rows that name one, in tokens. */
  readonly maxTokens: number
  /** Rows that name no longest answer. */
  readonly open: number
}

/** What a dry run found; nothing was sent or written. */
export interface BatchCheck {
  readonly valid: number
  /** Rows that would be skipped because an earlier run has done them. */
  readonly resumed: number
  readonly invalid: number
  /** What the valid rows ask for, for estimates. */
  readonly asked: AskedTokens
  /** The first invalid rows: at most 20. */
  readonly samples: ReadonlyArray<{ readonly line: number; readonly error: string }>
  /** Sentences about fields of provider rows that endpoints of other kinds would not be sent; empty when there are none. */
  readonly warnings: ReadonlyArray<string>
}

/** A file is not as the run needs it. `message` is one sentence with a way out. */
export class BatchError extends Schema.TaggedError<BatchError>()("BatchError", {
  message: Schema.String,
  reason: Schema.Literals([
    "InputMissing",
    "InputUnreadable",
    "InputChanged",
    "OutputExists",
    "OutputUnwritable",
    "OutputConflict",
    "OutputDamaged",
    "OutputBusy",
    "DiskFull"
  ]),
  /** The file in question. */
  path: Schema.String
}) {}

/** A run under way. */
export interface BatchRun {
  /** Waits for the end; fails when a file failed on the way. All that was answered before is in the files. */
  readonly await: Effect.Effect<BatchReport, BatchError>
  readonly progress: Effect.Effect<BatchProgress>
  /** What the endpoints have done so far: one entry each, in the order of the config. Known beyond the end of the run. */
  readonly endpoints: Effect.Effect<ReadonlyArray<EndpointStats>>
  /**
   * Stops reading, lets what was sent end within `grace`, drops what was not sent (a later `resume` takes it up), writes
   * what came and ends the run. `await` then gives a report with outcome `interrupted`.
   */
  readonly stop: (grace: Duration.Input) => Effect.Effect<void>
}

/** Pushes files of rows through a client, so that every row ends up exactly once in one of two files. */
export class BatchRunner extends Context.Service<
  BatchRunner,
  {
    /** Opens the files and starts; fails before anything is sent when they are not right. */
    readonly start: (options: BatchOptions) => Effect.Effect<BatchRun, BatchError, Scope.Scope>
    /** Reads every row and sends nothing. */
    readonly check: (options: BatchOptions) => Effect.Effect<BatchCheck, BatchError>
  }
>()("genai-dispatcher/services/BatchRunner") {}
