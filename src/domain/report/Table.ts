/** Aligned columns. */
import type { Line, Span } from "./Line.ts"
import { span } from "./Line.ts"
import * as Text from "./Text.ts"

export interface Column {
  readonly title: string
  /** Names stand left, figures right. */
  readonly align: "left" | "right"
}

const GAP = "  "

/** A line of titles, then one line per row; every column as wide as its widest cell. */
export const table = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Span>>
): ReadonlyArray<Line> => {
  const widths = columns.map((column, index) =>
    rows.reduce((widest, row) => Math.max(widest, Text.width(row[index]?.text ?? "")), Text.width(column.title))
  )
  const layOut = (cells: ReadonlyArray<Span>): Line =>
    columns.map((column, index) => {
      const cell = cells[index] ?? span("")
      const pad = column.align === "left" ? Text.padEnd : Text.padStart
      return span((index === 0 ? "" : GAP) + pad(cell.text, widths[index] ?? 0), cell.style)
    })
  return [layOut(columns.map((column) => span(column.title, "dim"))), ...rows.map(layOut)]
}
