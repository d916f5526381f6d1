/** Results as text for people. */
import type { CaseResult, Result, Spread, TargetResult } from "./Statistics.ts"

/** A number with as many digits as are worth reading: three. */
export const figure = (value: number): string => {
  if (!Number.isFinite(value)) return String(value)
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

const withSpread = ({ max, median, min }: Spread): string =>
  min === max ? figure(median) : `${figure(median)} (${figure(min)} .. ${figure(max)})`

export const report = (result: Result): string => {
  const { cases, isQuick, operation, repeats, targets, tookSeconds } = result
  const head = [
    "",
    result.measure === "rate" ? `${operation}s/s` : `ms per ${operation}`,
    "x baseline",
    "CPU us",
    "RSS MB"
  ]
  const rows = cases.map((one) => [
    one.isBaseline ? `${one.name} (baseline)` : one.name,
    withSpread(result.measure === "rate" ? one.perSecond : one.millisPerOperation),
    ratioOf(one, result.measure),
    figure(one.cpuMicrosPerOperation.median),
    figure(one.peakRssMb.median)
  ])
  return [
    `${result.name}: ${result.workload}`,
    `medians of ${repeats} (least .. most)${isQuick ? "; quick: the figures mean nothing" : ""}; took ${tookSeconds} s`,
    "",
    ...table([head, ...rows]),
    ...cases.flatMap(furtherFigures),
    ...(targets.length === 0 ? [] : ["", ...targets.map(targetLine)]),
    ""
  ].join("\n")
}

/** How many times the baseline's rate, or its time. */
export const ratioOf = ({ ratio }: CaseResult, measure: Result["measure"]): string => {
  if (ratio === undefined) return ""
  return figure(measure === "rate" ? ratio.median : 1 / ratio.median)
}

const furtherFigures = ({ figures, name }: CaseResult): ReadonlyArray<string> => {
  const all = Object.entries(figures)
  return all.length === 0 ? [] : ["", `${name}:`, ...all.map(([key, value]) => `  ${key} ${withSpread(value)}`)]
}

const targetLine = ({ atLeast, atMost, claim, figure: value, isMet }: TargetResult): string => {
  const bounds = [atLeast === undefined ? [] : `at least ${atLeast}`, atMost === undefined ? [] : `at most ${atMost}`]
  return `${isMet ? "met   " : "MISSED"} ${claim}: ${figure(value)} (${bounds.flat().join(", ")})`
}

/** Columns as wide as needed; all but the first to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd()
  )
}
