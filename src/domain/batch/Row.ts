/** One row of an input file: what a line asks for, or why it cannot be read. */
import { hash as digest } from "node:crypto"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import type { JsonObject } from "../JsonText.ts"
import type { RawLine } from "./LineSplitter.ts"

/** How rows and results are written: in our own words, or as a provider's batch API has them. */
export type FormatName = "own" | "openai" | "gemini"

/** A line that can be sent. */
export interface Row {
  readonly _tag: "Row"
  /** 0-based number of the line in the input: the row's name in the result files. */
  readonly index: number
  /** What the line held, for telling a changed input: see `lineHash`. */
  readonly hash: string
  readonly format: FormatName
  readonly request: GenAiRequest
  readonly session: string | undefined
  readonly id: string | number | undefined
  /** The row's own `metadata`, passed through; `undefined` when it has none. */
  readonly metadata: unknown
  /** What was asked, as the row has it: `input`, `messages`, `contents` or `body`. */
  readonly asked: JsonObject
  /** The whole row, as an input file may have it. */
  readonly source: JsonObject
  /**
   * Fields of a provider's row that only endpoints of its own family can be sent, such as `tools`: others get the request
   * without them.
   */
  readonly unsaid: ReadonlyArray<string>
}

/** What a row's text says, without where it stands. */
export type Content = Omit<Row, "_tag" | "index" | "hash" | "format">

/** A line that cannot be sent. */
export interface InvalidRow {
  readonly _tag: "InvalidRow"
  readonly index: number
  readonly hash: string
  /** Names the field and what is wrong with it. */
  readonly error: string
  /** The row's name, when that much could be read. */
  readonly id: string | number | undefined
  /** The line's text; of an oversized line its first 1,000 characters. Bytes that are no UTF-8 show as U+FFFD. */
  readonly raw: string
}

/**
 * 16 hexadecimal digits that stand for a line's bytes: the first half of their SHA-1 (FIPS 180-4).
 *
 * It is there to notice edits, not attacks, and of an oversized line it covers what is kept. SHA-1 is native, the same everywhere, easy to check with other tools, and
 * costs 1.5 us for a line of 250 bytes, where SHA-256 costs 2.5.
 */
export const lineHash = (line: RawLine): string => digest("sha1", line.bytes, "hex").slice(0, 16)
