/** A line of styled text: cut to the width first and coloured last, so that no escape sequence is ever cut in half. */
import { styleText } from "node:util"
import * as Text from "./Text.ts"

export type Style = "plain" | "bold" | "dim" | "red" | "green" | "yellow" | "cyan"

export interface Span {
  readonly text: string
  readonly style: Style
}

export type Line = ReadonlyArray<Span>

export const span = (text: string, style: Style = "plain"): Span => ({ text, style })

export interface RenderOptions {
  /** Cells of the terminal; lines are cut there. Default: not cut. */
  readonly width?: number | undefined
  readonly colors: boolean
}

/** The line as text for the terminal. */
export const render = (line: Line, options: RenderOptions): string => {
  let room = options.width ?? Number.POSITIVE_INFINITY
  let text = ""
  for (const part of line) {
    const cut = Text.truncate(part.text, room)
    text += options.colors && part.style !== "plain" ? paint(part.style, cut) : cut
    room -= Text.width(part.text)
    if (room < 0) break
  }
  return text
}

const paint = (style: Exclude<Style, "plain">, text: string): string =>
  styleText(style, text, { validateStream: false })
