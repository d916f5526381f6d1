/** Reads the lines of an input as rows, in whatever format they are. */
import { isUtf8 } from "node:buffer"
import * as Result from "effect/Result"
import { brokenText, isDeeper, isObject, type JsonObject, shown } from "../JsonText.ts"
import { gemini } from "./formats/GeminiBatch.ts"
import { openai } from "./formats/OpenAiBatch.ts"
import { anyObject, own } from "./formats/Own.ts"
import type { RowFormat } from "./formats/RowFormat.ts"
import { type RawLine, ROW_LIMIT } from "./LineSplitter.ts"
import { inputOf, noRowOf } from "./Marks.ts"
import { type Content, type FormatName, type InvalidRow, lineDigest, lineHash, Row } from "./Row.ts"

/** How rows are read. */
export interface RowOptions {
  /** Any JSON object is a row of our own: its `body` is its field of that name or else the object itself. */
  readonly anyObject: boolean
  /** `auto`: the format of the first row that is in one, for all. Default: `auto`. */
  readonly format?: "auto" | FormatName | undefined
  /** Keep the providers' whole answers, whatever the rows say. Default: false. */
  readonly keepRaw?: boolean
}

const RAW_SHOWN = 1000
const MAX_DEPTH = 500

/**
 * Reads the lines of one input, in their order.
 *
 * With `auto` the format is settled by the first line that is a row in any of them; what comes before is no row in any.
 * So it must be shown every line from the first on, those that are done already too.
 */
export class RowReader {
  private readonly formats: Readonly<Record<FormatName, RowFormat>>
  private readonly keepRaw: boolean
  private settled: FormatName | undefined

  constructor(options: RowOptions) {
    this.formats = { own: options.anyObject ? anyObject : own, openai, gemini }
    this.keepRaw = options.keepRaw ?? false
    this.settled = options.format === "auto" ? undefined : options.format
  }

  /** The format of the rows, once it is known. */
  get format(): FormatName | undefined {
    return this.settled
  }

  /** Says in which format the next lines are, when somebody else has seen the lines before them. */
  set format(format: FormatName | undefined) {
    this.settled = format
  }

  /** Looks at a line that is not to be read, for the format. */
  see(line: RawLine): void {
    if (this.settled === undefined) this.read(line)
  }

  /** Reads one line. */
  read(line: RawLine): Row | InvalidRow {
    if (line.oversized) {
      // A character has at most 4 bytes.
      const raw = line.bytes.toString("utf8", 0, RAW_SHOWN * 4).slice(0, RAW_SHOWN)
      return invalid(line, `the line is longer than ${ROW_LIMIT / 1024 / 1024} MiB`, raw.toWellFormed())
    }
    const text = line.bytes.toString("utf8")
    if (!isUtf8(line.bytes)) return invalid(line, "the line is not valid UTF-8", text)
    if (text.trim() === "") return invalid(line, "the line is blank", text)
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      return invalid(
        line,
        `the line is not valid JSON: ${error instanceof Error ? error.message : String(error)}`,
        text
      )
    }
    if (!isObject(json)) return invalid(line, `expected a JSON object, got ${shown(json)}`, text)
    const row = inputOf(json)
    const was = noRowOf(json)
    if (was !== undefined) return invalid(line, was.error, was.raw, this.formats[this.settled ?? "own"].nameOf(row))
    const format = this.formats[this.formatOf(row)]
    const content = readContent(row, text, format)
    if (Result.isFailure(content)) return invalid(line, content.failure, text, format.nameOf(row))
    return new Row(line.index, lineDigest(line), format, this.keepRaw ? keepingRaw(content.success) : content.success)
  }

  /** A row in no format is read as one of our own: what it misses is said in our words. */
  private formatOf(row: JsonObject): FormatName {
    this.settled ??= IN_TURN.find((name) => this.formats[name].recognises(row))
    return this.settled ?? "own"
  }
}

const invalid = (line: RawLine, error: string, raw: string, id?: string | number): InvalidRow => ({
  _tag: "InvalidRow",
  index: line.index,
  hash: lineHash(line),
  error,
  id,
  raw
})

const keepingRaw = (content: Content): Content => ({ ...content, request: { ...content.request, keepRaw: true } })

/** Ours last: any object may be one. */
const IN_TURN: ReadonlyArray<FormatName> = ["openai", "gemini", "own"]

const readContent = (row: JsonObject, text: string, format: RowFormat): Result.Result<Content, string> => {
  // What JSON.parse reads without recursion, JSON.stringify and others cannot take up again.
  if (text.length > 2 * MAX_DEPTH && isDeeper(row, MAX_DEPTH)) {
    return Result.fail(`the row is nested more than ${MAX_DEPTH} levels deep`)
  }
  // Text that is valid UTF-8 can bring half a surrogate pair only as an escape.
  const broken = text.includes("\\u") ? brokenText(row) : undefined
  if (broken !== undefined) return Result.fail(`${broken}: has half of a surrogate pair, which is no character`)
  return format.read(row)
}
