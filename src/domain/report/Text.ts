/** Text on a terminal: measured in cells, not in characters. */
import * as CliOutput from "effect/cli/CliOutput"

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" })

/** The cells that a text takes on a terminal. */
export const width = CliOutput.displayWidth

/** The text on one line without control characters, so that a name or an error of someone else cannot move the cursor. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim()

/** The text in at most `cells` cells; what was cut off is shown as `…`. */
export const truncate = (text: string, cells: number): string => {
  if (width(text) <= cells) return text
  if (cells <= 0) return ""
  let kept = ""
  let used = 0
  for (const { segment } of graphemes.segment(text)) {
    used += width(segment)
    if (used > cells - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** Fills up with spaces behind the text. */
export const padEnd = (text: string, cells: number): string => text + " ".repeat(Math.max(0, cells - width(text)))

/** Fills up with spaces before the text. */
export const padStart = (text: string, cells: number): string => " ".repeat(Math.max(0, cells - width(text))) + text

/** Breaks a text between words into lines of at most `cells` cells; a longer word gets a line of its own. */
export const wrap = (text: string, cells: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    if (line === "") line = word
    else if (width(line) + 1 + width(word) <= cells) line += ` ${word}`
    else {
      lines.push(line)
      line = word
    }
  }
  if (line !== "") lines.push(line)
  return lines
}
