/**
 * What the lines of the two result files have in common, in whatever format they are.
 *
 * Every line names its row by `index` and `hash`: the files are also the journal that a later run resumes from. A line
 * of the errors file holds the whole row, so that the file can be run again as an input.
 */

import { isObject } from "../JsonText.ts"
import { gemini } from "./formats/GeminiResults.ts"
import { openai } from "./formats/OpenAiResults.ts"
import { own } from "./formats/OwnResults.ts"
import type { ResultFormat } from "./formats/RowFormat.ts"
import { marksOf, rowMark } from "./Marks.ts"
import type { FormatName } from "./Row.ts"

/** How lines are written, by format. */
export const resultFormats: Readonly<Record<FormatName, ResultFormat>> = { own, openai, gemini }

/** What a line of a result file says about its row. */
export interface ResultEntry {
  readonly index: number
  readonly hash: string
  /** The failure's reason; `undefined` in the save file. */
  readonly reason: string | undefined
}

/** Reads a line of a result file in any format; `undefined` when it is none. */
export const readResultLine = (text: string): ResultEntry | undefined => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(json)) return undefined
  // Ours first: a provider's line may have members of any name, from the row.
  const marks = marksOf(json) ?? json
  const mark = rowMark(marks)
  if (mark === undefined) return undefined
  const { reason } = marks
  return { ...mark, reason: typeof reason === "string" ? reason : undefined }
}
