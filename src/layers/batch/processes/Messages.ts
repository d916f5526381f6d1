/** What the process that has the files and those that send the rows tell each other. */
import { NO_BYTES } from "../../../domain/batch/Bytes.ts"
import type { ChunkLines } from "../../../domain/batch/RowChunk.ts"
import type { TallyCounts } from "../../../domain/batch/Tally.ts"
import type { UnsaidFields } from "../../../domain/batch/Unsaid.ts"
import type { SentConfig } from "../../../domain/config/SentConfig.ts"
import type { EndpointCounts } from "../../../domain/genai/MergeStats.ts"
import type { BatchOptions } from "../../../services/BatchRunner.ts"
import type { Amounts, Spent } from "../../genai/Spending.ts"
import type { Frame } from "./Frames.ts"

/** The first argument of a process that sends rows for another one; nothing that users type. */
export const CHILD_ARGUMENT = "--send-rows-for-parent"

/** The ends of the two pipes in a child, one for each direction. */
export const FROM_PARENT = 3
export const TO_PARENT = 4
/** The input, when a child can read it by itself, and the file that its results go through, when there is one. */
export const INPUT = 5
export const SPOOL = 6

/** First of all. */
export interface Start {
  readonly _tag: "Start"
  /** The child's share. */
  readonly config: SentConfig
  readonly options: Pick<BatchOptions, "anyObject" | "ordered" | "outputFormat" | "maxOutstanding">
  /** What it may spend before it is allowed more; infinite where there is no limit. */
  readonly upTo: Amounts
  /** Whether there is a file that results go through. */
  readonly hasSpool: boolean
}

/** Rows to be done, after all that came before. */
export interface Rows {
  readonly _tag: "Rows"
  readonly lines: ChunkLines
}

export type ParentMessage =
  | Start
  | Rows
  /** There are no more rows. */
  | { readonly _tag: "End" }
  /** So much of what went through the spool is taken over. */
  | { readonly _tag: "Freed"; readonly upTo: number }
  /** The child may spend so much, counted from its start. */
  | { readonly _tag: "Allow"; readonly upTo: Amounts }
  /** Send nothing more: the budget is spent. */
  | { readonly _tag: "Exhaust"; readonly spent: Spent }
  /** Send nothing more, wait for what was sent no longer than this, and end. */
  | { readonly _tag: "Stop"; readonly graceMs: number }
  /** Give up what is not answered, and end. */
  | { readonly _tag: "Abandon" }

/** Rows that are settled, together with their lines: either all of this is taken over, or nothing. */
export interface Results {
  readonly _tag: "Results"
  /** The rows by their position among all that were given to this process. */
  readonly numbers: Uint32Array
  /** Whole lines. */
  readonly save: Uint8Array
  readonly errors: Uint8Array
  /** When they are in the spool and not here: where, and the bytes of each. */
  readonly spooled: { readonly at: number; readonly lengths: readonly [number, number] } | undefined
  /** What was done so far, this included. */
  readonly tally: TallyCounts
}

export type ChildMessage =
  /** Rows may come. */
  | { readonly _tag: "Ready" }
  /** So many rows are begun, or wait for nothing but room. */
  | { readonly _tag: "Taken"; readonly rows: number }
  /** What was spent so far: before each of the results and figures, and between them as `SpentReports` says. */
  | { readonly _tag: "Spent"; readonly amounts: Amounts }
  | Results
  /** What the endpoints did for this process so far. */
  | { readonly _tag: "Stats"; readonly endpoints: ReadonlyArray<EndpointCounts>; readonly unsaid: UnsaidFields }
  /** Lines of the input that it was told of cannot be read any more; why, when the system says it. */
  | { readonly _tag: "Unreadable"; readonly code: string | undefined }
  /** All rows are settled, and nothing more comes. */
  | { readonly _tag: "Ended" }

const CHILD_TAGS: ReadonlySet<unknown> = new Set<ChildMessage["_tag"]>([
  "Ready",
  "Taken",
  "Spent",
  "Results",
  "Stats",
  "Unreadable",
  "Ended"
])
const PARENT_TAGS: ReadonlySet<unknown> = new Set<ParentMessage["_tag"]>([
  "Start",
  "Rows",
  "End",
  "Freed",
  "Allow",
  "Exhaust",
  "Stop",
  "Abandon"
])

/** Many bytes go beside the rest of a message, where nothing has to copy them. */
export const frameOf = (message: ParentMessage | ChildMessage): Frame => {
  switch (message._tag) {
    case "Rows": {
      const { lines } = message
      return { head: { ...message, lines: { ...lines, bytes: NO_BYTES } }, body: [lines.bytes, NO_BYTES] }
    }
    case "Results": {
      const { errors, save } = message
      return { head: { ...message, save: NO_BYTES, errors: NO_BYTES }, body: [save, errors] }
    }
    default:
      return { head: message, body: [NO_BYTES, NO_BYTES] }
  }
}

/** The message that a child made this frame of; `undefined` when it is none. */
export const childMessageOf = ({ body: [save, errors], head }: Frame): ChildMessage | undefined => {
  if (!isChildMessage(head)) return undefined
  return head._tag === "Results" ? { ...head, save, errors } : head
}

/** The message that the parent made this frame of; `undefined` when it is none. */
export const parentMessageOf = ({ body: [bytes], head }: Frame): ParentMessage | undefined => {
  if (!isParentMessage(head)) return undefined
  return head._tag === "Rows" ? { ...head, lines: { ...head.lines, bytes: bytes } } : head
}

const tagOf = (message: unknown): unknown =>
  typeof message === "object" && message !== null && "_tag" in message ? message._tag : undefined

/** By its tag alone: at the other end is this very program, and nobody else has the pipe. */
const isChildMessage = (message: unknown): message is ChildMessage => CHILD_TAGS.has(tagOf(message))
const isParentMessage = (message: unknown): message is ParentMessage => PARENT_TAGS.has(tagOf(message))
