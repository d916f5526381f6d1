/** One row of an input file: what a line asks for, or why it cannot be read. */
import { hash as digest } from "node:crypto"
import type { GenAiRequest } from "../genai/GenAiRequest.ts"
import type { JsonObject } from "../JsonText.ts"
import type { Asked, Name, RowFormat } from "./formats/RowFormat.ts"
import type { RawLine } from "./LineSplitter.ts"

/** How rows and results are written: in our own words, or as a provider's batch API has them. */
export type FormatName = "own" | "openai" | "gemini"

/** What a row's text says, without where it stands. */
export interface Content {
  readonly request: GenAiRequest
  readonly session: string | undefined
  /** The whole row, as an input file may have it. */
  readonly source: JsonObject
  /**
   * Fields of a provider's row that only endpoints of its own family can be sent, such as `tools`: others get the request
   * without them.
   */
  readonly unsaid: ReadonlyArray<string>
}

/**
 * A line that can be sent.
 *
 * It is kept until its result is written, and each collection copies it until then: what only its result line needs is read
 * from `source` then.
 */
export class Row implements Content {
  readonly _tag = "Row"
  /** 0-based number of the line in the input: the row's name in the result files. */
  readonly index: number
  readonly request: GenAiRequest
  readonly session: string | undefined
  readonly source: JsonObject
  readonly unsaid: ReadonlyArray<string>
  private readonly digest: string
  private readonly writtenAs: RowFormat

  /** `digest` is `lineDigest` of its line, `writtenAs` the format that its content was read in. */
  constructor(index: number, digest: string, writtenAs: RowFormat, content: Content) {
    this.index = index
    this.request = content.request
    this.session = content.session
    this.source = content.source
    this.unsaid = content.unsaid
    this.digest = digest
    this.writtenAs = writtenAs
  }

  /** What the line held, for telling a changed input: see `lineHash`. */
  get hash(): string {
    return hashIn(this.digest)
  }

  get format(): FormatName {
    return this.writtenAs.name
  }

  get id(): Name | undefined {
    return this.writtenAs.nameOf(this.source)
  }

  /** The row's own `metadata`, passed through; `undefined` when it has none. */
  get metadata(): unknown {
    return this.source["metadata"] ?? undefined
  }

  get asked(): Asked {
    return this.writtenAs.askedIn(this.source)
  }
}

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
export const lineHash = (line: RawLine): string => hashIn(lineDigest(line))

/** All 40 digits: of a shorter text that is cut from it V8 would keep both. */
export const lineDigest = ({ bytes }: RawLine): string => digest("sha1", bytes, "hex")

const hashIn = (digest: string): string => digest.slice(0, 16)
